//! A streamed response as it comes: frames are stamped, shown as chunks and added up at once, so that
//! a call keeps its answer and not its bytes.

use super::errors::Fault;
use super::formats::{Assemble, Format};
use super::frames::{Frame, Framer};
use super::reasoning::Marked;
use crate::event::Timestamp;
use crate::json::{Document, Node, Raw};
use crate::settings::Capture;
use crate::span::ChunkLog;

/// A stream under way.
#[derive(Debug)]
pub(super) struct Stream {
    framer: Framer,
    taken: Taken,
}

/// What is taken from a stream's frames.
#[derive(Debug)]
pub(super) struct Taken {
    /// What they add up to.
    pub answer: Box<dyn Assemble>,
    /// How many there were.
    pub chunks: u64,
    /// When the first came.
    pub first: Option<Timestamp>,
    /// The error that one told.
    pub fault: Option<Fault>,
    /// How reasoning is marked in them.
    reasoning: Option<Marked>,
    /// Whether the one that ends a stream came.
    done: bool,
    /// About how many bytes the answer takes.
    grown: usize,
}

/// What a stream's frames are shown with.
pub(super) struct Show<'s> {
    /// Where they are shown.
    pub chunks: &'s mut ChunkLog,
    /// What of them is kept.
    pub capture: Capture,
    /// When the bytes came.
    pub at: Timestamp,
    /// When the first byte came, where that is known better than from the bytes.
    pub first: Option<Timestamp>,
}

impl Stream {
    pub fn new(framer: Framer, format: &'static Format) -> Self {
        Self {
            framer,
            taken: Taken {
                answer: (format.assemble)(),
                reasoning: format.reasoning,
                chunks: 0,
                first: None,
                fault: None,
                done: false,
                grown: 0,
            },
        }
    }

    /// Takes bytes in.
    pub fn push(&mut self, bytes: &[u8], show: &mut Show<'_>) {
        let Self { framer, taken } = self;
        framer.push(bytes, &mut |frame| taken.take(&frame, show));
    }

    /// No more bytes will come.
    pub fn end(&mut self, show: &mut Show<'_>) {
        let Self { framer, taken } = self;
        framer.end(&mut |frame| taken.take(&frame, show));
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        self.framer.held() + self.taken.grown
    }

    /// Whether the bytes made sense to their end.
    pub fn is_sound(&self) -> bool {
        !self.framer.is_broken()
    }

    /// What was taken from it.
    pub fn into_taken(self) -> Taken {
        self.taken
    }
}

impl Taken {
    /// Whether the answer has come to its end.
    pub fn is_complete(&self) -> bool {
        self.done || self.answer.is_complete()
    }

    fn take(&mut self, frame: &Frame<'_>, show: &mut Show<'_>) {
        let data = frame.data.trim();
        if data == "[DONE]" {
            self.done = true;
            return;
        }
        let (document, quoted);
        let data = match Document::parse(data) {
            Ok(parsed) => {
                document = parsed;
                document.root()
            }
            // Cut within: what it would have said is not known.
            Err(_) if frame.is_partial || data.is_empty() => return,
            Err(_) => {
                quoted = Node::text(data).json();
                Raw::parse(&quoted).unwrap_or(Raw::NULL)
            }
        };
        let inner = self.answer.unwrap(data);
        let inner = inner.as_deref().and_then(|inner| Raw::parse(inner).ok());
        let data = inner.unwrap_or(data);
        let is_ping = |kind: Raw<'_>| kind.text() == "\"ping\"";
        if data.get("type").is_some_and(is_ping) {
            return;
        }
        self.chunks += 1;
        self.first.get_or_insert(show.first.unwrap_or(show.at));
        if self.fault.is_none() {
            self.fault = Fault::of_event(frame.event, frame.is_error, data);
        }
        self.grown += self.answer.add(frame.event, data);
        let capture = show.capture;
        if capture.chunks && capture.outputs {
            match self.reasoning.filter(|_| !capture.reasoning) {
                None => self.show(data, show),
                Some(marked) => {
                    let hidden = marked.hide(data);
                    self.show(Raw::parse(&hidden).unwrap_or(Raw::NULL), show);
                }
            }
        }
    }

    /// Shows a frame as chunks that came.
    fn show(&self, data: Raw<'_>, show: &mut Show<'_>) {
        let mut choices = data.get("choices").into_iter().flat_map(Raw::items);
        for chunk in self.answer.chunks(data) {
            let answer = choices
                .next()
                .and_then(|choice| choice.get("index")?.as_i64());
            show.chunks.push(show.at, answer.unwrap_or(0), chunk);
        }
    }
}
