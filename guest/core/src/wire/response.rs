//! A response as it comes: its encoding is taken off, then it is a stream, a body that is kept, or
//! bytes that are counted.

use super::body;
use super::errors::Fault;
use super::formats::Format;
use super::frames::Framer;
use super::headers::Content;
use super::inflate::{Inflate, Sink};
use super::stream::{Show, Stream};
use crate::event::Timestamp;
use crate::json::Raw;

/// A response under way.
#[derive(Debug, Default)]
pub(super) struct Response {
    /// Its status, once its head has come.
    pub status: Option<u16>,
    /// The error's name, where a header tells it: Amazon's do.
    error_type: Option<String>,
    content: Content,
    inflate: Inflate,
    body: Kind,
    /// When its first byte came.
    first_byte: Option<Timestamp>,
    /// Bytes that came.
    bytes: usize,
    /// Bytes that there was no room for, or that made no sense.
    missing: usize,
}

/// What a body is.
#[derive(Debug, Default)]
enum Kind {
    /// Nothing came yet.
    #[default]
    Empty,
    Whole(Vec<u8>),
    Stream(Box<Stream>),
    /// No text: only its size counts, without its encoding.
    Binary(usize),
}

/// What decides how a body is read.
#[derive(Clone, Copy)]
pub(super) struct Expected<'e> {
    /// The call's format.
    pub format: &'static Format,
    /// The request's path.
    pub path: &'e str,
    /// Whether the request asked for a stream.
    pub stream: bool,
}

/// What came of a response.
pub(super) struct Came {
    /// The outputs, as JSON.
    pub outputs: String,
    /// What a stream told of itself.
    pub stream: Option<Streamed>,
    /// The error it tells.
    pub fault: Option<Fault>,
    /// Whether some of it could not be kept or read.
    pub is_cut: bool,
}

/// What a stream told of itself.
#[derive(Clone, Copy)]
pub(super) struct Streamed {
    /// How many chunks came.
    pub chunks: u64,
    /// When the first came.
    pub first: Option<Timestamp>,
    /// Whether it has said that it ends, and nothing of it is missing.
    pub has_ended: bool,
}

impl Response {
    /// The response's head has come.
    pub fn head(&mut self, status: u16, content: Content, error_type: Option<String>) {
        self.status = Some(status);
        self.inflate = Inflate::new(content.encoding);
        self.content = content;
        self.error_type = error_type;
    }

    /// A part of its body has come, for which there is this much room.
    pub fn push(&mut self, bytes: &[u8], room: usize, expected: Expected<'_>, show: &mut Show<'_>) {
        self.bytes += bytes.len();
        let first_byte = *self.first_byte.get_or_insert(show.at);
        if self.missing > 0 {
            self.missing += bytes.len();
            return;
        }
        let late = self.inflate.comes_at_the_end();
        show.first = late.then_some(first_byte);
        self.pass(expected, show, &mut |inflate, sink| {
            inflate.push(bytes, room, sink)
        });
        if self.inflate.is_broken() {
            self.missing += bytes.len().max(1);
        }
    }

    /// So many bytes of it are missing: nothing after them is read.
    pub fn gap(&mut self, bytes: u64) {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.bytes = self.bytes.saturating_add(bytes);
        self.missing = self.missing.saturating_add(bytes);
    }

    /// Its body has ended. What it is, as JSON, and what went wrong.
    pub fn end(
        mut self,
        room: usize,
        finished: bool,
        expected: Expected<'_>,
        show: &mut Show<'_>,
    ) -> Came {
        let late = self.inflate.comes_at_the_end();
        show.first = self.first_byte.filter(|_| late);
        self.pass(expected, show, &mut |inflate, sink| inflate.end(room, sink));
        let mut is_cut = self.missing > 0 || self.inflate.is_broken();
        let mut fault = None;
        let mut stream = None;
        let outputs = match self.body {
            Kind::Empty if self.bytes == 0 || !is_cut => "null".to_owned(),
            Kind::Binary(bytes) if !is_cut => body::described(&self.content, bytes),
            Kind::Empty | Kind::Binary(_) => body::described(&self.content, self.bytes),
            Kind::Whole(bytes) => body::json(&self.content, &bytes, is_cut),
            Kind::Stream(mut came) => {
                came.end(show);
                is_cut |= !came.is_sound();
                let taken = came.into_taken();
                let is_complete = taken.is_complete();
                // How a format ends that nobody knows is not known either.
                let is_known = !expected.format.verb.is_empty();
                stream = Some(Streamed {
                    chunks: taken.chunks,
                    first: taken.first,
                    has_ended: is_complete && is_known && !is_cut,
                });
                if finished && !is_cut && !is_complete {
                    fault = Some(incomplete());
                }
                fault = taken.fault.or(fault);
                taken.answer.finish()
            }
        };
        let told = told(&outputs, self.status, expected.format, self.error_type);
        Came {
            fault: fault.or(told),
            outputs,
            stream,
            is_cut,
        }
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        let body = match &self.body {
            Kind::Empty | Kind::Binary(_) => 0,
            Kind::Whole(bytes) => bytes.len(),
            Kind::Stream(stream) => stream.held(),
        };
        self.inflate.held() + body
    }

    /// Passes what a decoder gives on to the body.
    fn pass(
        &mut self,
        expected: Expected<'_>,
        show: &mut Show<'_>,
        decode: &mut dyn FnMut(&mut Inflate, Sink<'_>),
    ) {
        let Self {
            inflate,
            body,
            content,
            status,
            ..
        } = self;
        decode(inflate, &mut |decoded| {
            if let (Kind::Empty, Some(first)) = (&*body, decoded.first()) {
                *body = Kind::of(content, *status, *first, expected);
            }
            match body {
                Kind::Whole(bytes) => bytes.extend_from_slice(decoded),
                Kind::Stream(stream) => stream.push(decoded, show),
                Kind::Binary(bytes) => *bytes += decoded.len(),
                Kind::Empty => {}
            }
        });
    }
}

impl Kind {
    fn of(content: &Content, status: Option<u16>, first: u8, expected: Expected<'_>) -> Self {
        let media_type = content.media_type.as_str();
        let says_nothing = matches!(media_type, "" | "text/plain" | "application/octet-stream");
        let framer = if status.is_some_and(|status| status >= 400) {
            None
        } else if (expected.format.streams_array)(expected.path) && media_type == "application/json"
        {
            Some(Framer::array())
        } else if says_nothing && expected.stream {
            Framer::of_first_byte(first)
        } else {
            Framer::of_media_type(media_type)
        };
        match framer {
            Some(framer) => Self::Stream(Box::new(Stream::new(framer, expected.format))),
            None if body::is_binary(media_type) => Self::Binary(0),
            None => Self::Whole(Vec::new()),
        }
    }
}

fn incomplete() -> Fault {
    Fault {
        kind: Some("incomplete_stream".to_owned()),
        message: Some("the stream ended before the answer was complete".to_owned()),
    }
}

/// The error that a status or a body tells.
fn told(
    outputs: &str,
    status: Option<u16>,
    format: &Format,
    error_type: Option<String>,
) -> Option<Fault> {
    let body = Raw::parse(outputs).unwrap_or(Raw::NULL);
    match status {
        Some(status @ 400..) => {
            let mut fault = Fault::read(body);
            fault.kind = fault.kind.or(error_type).or(Some(format!("HTTP {status}")));
            fault.message = fault
                .message
                .or(Some(format!("the provider answered with status {status}")));
            Some(fault)
        }
        // Some servers tell of errors with status 200. Of a body that nobody knows, `error` may be
        // anything.
        _ if format.home.is_some() => {
            let error = body.get("error").filter(|error| error.is_truthy());
            error.map(|_| Fault::read(body))
        }
        _ => None,
    }
}
