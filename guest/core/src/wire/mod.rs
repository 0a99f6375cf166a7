//! Call capture: a call that a gateway forwards, from its request to the end of its response.
//!
//! The way of the bytes, a module an arrow:
//!
//! ```text
//! request  -> body (decoded, multipart described) -> JSON -\
//! headers  -> headers: session, user, tags, traceparent     > format -> Facts -> Call
//! response -> inflate -> frames -> stream -> JSON ---------/
//! ```
//!
//! A call's format is told when it begins (`formats`), so that a streamed response is added up as it
//! comes. Any split of a response's bytes gives the same span.

mod begun;
mod body;
mod call;
mod ended;
mod errors;
mod facts;
mod formats;
mod frames;
mod headers;
mod inflate;
mod multipart;
mod open;
mod provider;
mod reasoning;
mod response;
mod stream;

use std::time::Duration;

use crate::event::{CallStart, EventError, EventKey, Happening, Timestamp};
use crate::litellm::streams::OwnedContext;
use crate::logger::Logger;
use crate::otlp::SpanWriter;
use crate::policy::Policy;
use crate::span::ChunkLog;
use formats::Format;
use headers::Content;
use response::{Expected, Response};
use stream::Show;

pub(crate) use formats::usage_of_any;
pub use formats::{FormatDoc, formats};
pub(crate) use open::Calls;

/// A call under way.
#[derive(Debug)]
pub(crate) struct WireCall {
    key: EventKey,
    id: Option<String>,
    start: Timestamp,
    last: Timestamp,
    method: String,
    path: String,
    host: Option<String>,
    provider: Option<String>,
    format: &'static Format,
    /// The request's header fields, as JSON.
    headers: String,
    context: OwnedContext,
    /// How many of its tags, the first, the client gave, to which no rule listens.
    untrusted_tags: usize,
    /// The request's body, as JSON.
    inputs: String,
    /// Whether the request asks for a stream.
    streams: bool,
    /// Whether some of the request could not be read.
    is_cut: bool,
    response: Response,
    chunks: ChunkLog,
}

/// How a captured call ended.
enum Ending<'e> {
    Finished,
    Failed { kind: &'e str, message: &'e str },
}

impl Logger {
    /// Begins a call; the number names it from then on. While spans wait to be sent, some of the queue has to be free for the
    /// response.
    pub fn begin_call(&mut self, now: Duration, start: &CallStart<'_>) -> Result<u64, EventError> {
        self.make_room(now, start.body.len())?;
        let room = self.room()?;
        if self.outbox.spans() > 0 && room.saturating_sub(start.body.len()) < self.reserve()? {
            return Err(self.queue_is_full());
        }
        let settings = self.settings.as_ref().ok_or(EventError::NotConfigured)?;
        let call = WireCall::new(start, room, &settings.clients);
        let number = self.next_call;
        self.next_call += 1;
        self.calls.insert(number, call);
        self.stats.calls += 1;
        Ok(number)
    }

    /// The response's head has come.
    pub fn response_head(
        &mut self,
        call: u64,
        at: Timestamp,
        status: u16,
        headers: &[(&str, &[u8])],
    ) -> Result<(), EventError> {
        self.calls.update(call, |call| {
            call.last = at;
            let error_type = headers::value(headers, "x-amzn-errortype");
            let error_type = error_type.map(|name| {
                let name = name.split(':').next().unwrap_or_default();
                name.to_owned()
            });
            call.response.head(status, Content::of(headers), error_type);
        })
    }

    /// A part of the response's body has come. What the queue has no room for is counted, not kept.
    pub fn response_chunk(
        &mut self,
        call: u64,
        at: Timestamp,
        bytes: &[u8],
    ) -> Result<(), EventError> {
        let room = self.room()?;
        let settings = self.settings.as_ref().ok_or(EventError::NotConfigured)?;
        let capture = settings.content.capture;
        self.calls.update(call, |call| {
            call.last = at;
            let mut show = Show {
                chunks: &mut call.chunks,
                capture,
                at,
                first: None,
            };
            let expected = Expected {
                format: call.format,
                path: &call.path,
                stream: call.streams,
            };
            call.response.push(bytes, room, expected, &mut show);
        })
    }

    /// So many bytes of the response's body are not handed over from here on: what came before them is
    /// logged, and the stream is not taken for one that broke off.
    pub fn response_gap(&mut self, call: u64, at: Timestamp, bytes: u64) -> Result<(), EventError> {
        self.calls.update(call, |call| {
            call.last = at;
            call.response.gap(bytes);
        })
    }

    /// What a call that begins leaves of the queue for its response, so that it is not cut: an eighth of the queue.
    fn reserve(&self) -> Result<usize, EventError> {
        let settings = self.settings.as_ref().ok_or(EventError::NotConfigured)?;
        Ok(settings.delivery.queue_max_bytes / 8)
    }

    /// How many bytes more may be held.
    fn room(&self) -> Result<usize, EventError> {
        let settings = self.settings.as_ref().ok_or(EventError::NotConfigured)?;
        let most = settings.delivery.queue_max_bytes;
        Ok(most.saturating_sub(self.held_bytes()))
    }

    /// Something happened on the way.
    pub fn call_event(
        &mut self,
        call: u64,
        at: Timestamp,
        happening: Happening,
        detail: Option<&str>,
    ) -> Result<(), EventError> {
        let name = match happening {
            Happening::Retry => "retry",
            Happening::Fallback => "fallback",
            Happening::Guardrail => "guardrail",
            Happening::CacheHit => "cache_hit",
        };
        let settings = self.settings.as_ref().ok_or(EventError::NotConfigured)?;
        let mut policy = Policy::new(&settings.content);
        self.calls.update(call, |call| {
            call.chunks.event(|out| {
                SpanWriter::write_event(out, &mut Vec::new(), at, name, |attributes| {
                    if let Some(detail) = detail {
                        attributes.string("detail", policy.text(detail).as_bytes());
                    }
                });
            });
        })
    }

    /// The response has ended as it should.
    pub fn finish_call(
        &mut self,
        now: Duration,
        call: u64,
        at: Timestamp,
    ) -> Result<(), EventError> {
        let call = self.calls.take(call).ok_or(EventError::CallEnded)?;
        self.end_call(now, call, at, &Ending::Finished)
    }

    /// The call failed.
    pub fn fail_call(
        &mut self,
        now: Duration,
        call: u64,
        at: Timestamp,
        kind: &str,
        message: &str,
    ) -> Result<(), EventError> {
        let call = self.calls.take(call).ok_or(EventError::CallEnded)?;
        self.end_call(now, call, at, &Ending::Failed { kind, message })
    }

    /// Nobody holds the call any more; unless it has ended, it counts as cancelled.
    pub fn drop_call(&mut self, now: Duration, call: u64) {
        if let Some(call) = self.calls.take(call) {
            self.cancel_call(now, call);
        }
    }

    pub(crate) fn give_up_oldest_call(&mut self, now: Duration) {
        if let Some(call) = self.calls.take_oldest() {
            self.cancel_call(now, call);
        }
    }

    fn cancel_call(&mut self, now: Duration, call: WireCall) {
        let ending = Ending::Failed {
            kind: "cancelled",
            message: "the call was dropped before its response had ended",
        };
        let (key, last) = (call.key, call.last);
        if let Err(error) = self.end_call(now, call, last, &ending) {
            self.outbox.refuse(vec![key], error.to_string());
        }
    }
}
