//! Call capture: a call that a gateway forwards, from its request to the end of its response.
//!
//! Bodies are kept as they pass and read once, when the call has ended. What a body holds beyond the
//! members that many providers share (`model`, `usage`, an `error`) is logged as it is.

mod body;
mod call;

use std::borrow::Cow;
use std::time::Duration;

use crate::event::{CallStart, Context, EventError, EventKey, Happening, Timestamp};
use crate::id::{self, Ids};
use crate::json::Raw;
use crate::litellm::streams::OwnedContext;
use crate::logger::Logger;
use crate::otlp::SpanWriter;
use crate::redact;
use crate::settings::ParentMode;
use crate::settings::routes::By;
use body::{Body, media_type};

/// What an open call takes beside its bodies.
const OVERHEAD: usize = 512;

/// A call under way.
#[derive(Debug)]
pub(crate) struct WireCall {
    key: EventKey,
    ids: Option<String>,
    start: Timestamp,
    last: Timestamp,
    method: String,
    path: String,
    provider: Option<String>,
    headers: String,
    context: OwnedContext,
    request: Body,
    status: Option<u16>,
    response: Body,
    first_byte: Option<Timestamp>,
    events: Vec<u8>,
}

/// How a captured call ended.
enum Ending<'e> {
    Finished,
    Failed { kind: &'e str, message: &'e str },
}

impl WireCall {
    pub(crate) fn held(&self) -> usize {
        OVERHEAD
            + self.request.bytes.len()
            + self.response.bytes.len()
            + self.events.len()
            + self.headers.len()
    }
}

impl Logger {
    /// Begins a call; the number names it from then on.
    pub fn begin_call(&mut self, now: Duration, start: &CallStart<'_>) -> Result<u64, EventError> {
        self.make_room(now, start.body.len())?;
        let path = start.path.split('?').next().unwrap_or_default();
        let call = WireCall {
            key: start.key,
            ids: start.call_id.map(str::to_owned),
            start: start.at,
            last: start.at,
            method: start.method.to_owned(),
            path: path.to_owned(),
            provider: start.provider.map(str::to_owned),
            headers: body::headers(&start.headers),
            context: OwnedContext::from(&start.context),
            request: Body {
                media_type: media_type(&start.headers),
                bytes: start.body.to_vec(),
                missing: 0,
            },
            status: None,
            response: Body::default(),
            first_byte: None,
            events: Vec::new(),
        };
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
        let call = self.calls.get_mut(&call).ok_or(EventError::CallEnded)?;
        call.last = at;
        call.status = Some(status);
        call.response.media_type = media_type(headers);
        Ok(())
    }

    /// A part of the response's body has come. What the queue has no room for is counted, not kept.
    pub fn response_chunk(
        &mut self,
        call: u64,
        at: Timestamp,
        bytes: &[u8],
    ) -> Result<(), EventError> {
        let settings = self.settings.as_ref().ok_or(EventError::NotConfigured)?;
        let room = settings
            .delivery
            .queue_max_bytes
            .saturating_sub(self.held_bytes());
        let call = self.calls.get_mut(&call).ok_or(EventError::CallEnded)?;
        call.last = at;
        call.first_byte.get_or_insert(at);
        if bytes.len() <= room && call.response.missing == 0 {
            call.response.bytes.extend_from_slice(bytes);
        } else {
            call.response.missing += bytes.len();
        }
        Ok(())
    }

    /// Something happened on the way.
    pub fn call_event(
        &mut self,
        call: u64,
        at: Timestamp,
        happening: Happening,
        detail: Option<&str>,
    ) -> Result<(), EventError> {
        let call = self.calls.get_mut(&call).ok_or(EventError::CallEnded)?;
        let name = match happening {
            Happening::Retry => "retry",
            Happening::Fallback => "fallback",
            Happening::Guardrail => "guardrail",
            Happening::CacheHit => "cache_hit",
        };
        SpanWriter::write_event(&mut call.events, &mut Vec::new(), at, name, |attributes| {
            if let Some(detail) = detail {
                let detail = redact::redact(detail).map_or(Cow::Borrowed(detail), Cow::Owned);
                attributes.string("detail", detail.as_bytes());
            }
        });
        Ok(())
    }

    /// The response has ended as it should.
    pub fn finish_call(
        &mut self,
        now: Duration,
        call: u64,
        at: Timestamp,
    ) -> Result<(), EventError> {
        let call = self.calls.remove(&call).ok_or(EventError::CallEnded)?;
        self.end_call(now, &call, at, &Ending::Finished)
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
        let call = self.calls.remove(&call).ok_or(EventError::CallEnded)?;
        self.end_call(now, &call, at, &Ending::Failed { kind, message })
    }

    /// Nobody holds the call any more; unless it has ended, it counts as cancelled.
    pub fn drop_call(&mut self, now: Duration, call: u64) {
        if let Some(call) = self.calls.remove(&call) {
            self.cancel_call(now, &call);
        }
    }

    pub(crate) fn give_up_oldest_call(&mut self, now: Duration) {
        if let Some((_, call)) = self.calls.pop_first() {
            self.cancel_call(now, &call);
        }
    }

    fn cancel_call(&mut self, now: Duration, call: &WireCall) {
        let ending = Ending::Failed {
            kind: "cancelled",
            message: "the call was dropped before its response had ended",
        };
        if let Err(error) = self.end_call(now, call, call.last, &ending) {
            self.outbox.refuse(vec![call.key], error.to_string());
        }
    }

    fn end_call(
        &mut self,
        now: Duration,
        wire: &WireCall,
        at: Timestamp,
        ending: &Ending<'_>,
    ) -> Result<(), EventError> {
        let context = wire.context.with(None);
        let experiment = self.experiment(context.experiment, |by| routed_by(wire, &context, by))?;
        let destination = experiment.to_string();
        let ids = self.call_ids(wire, &destination);
        let request = wire.request.json();
        let response = wire.response.json();
        // Both were written as JSON just now.
        let inputs = Raw::parse(&request).unwrap_or(Raw::NULL);
        let outputs = Raw::parse(&response)
            .ok()
            .filter(|response| !response.is_null());
        let call = call::call(wire, ids, at, ending, (inputs, outputs), &context);
        let keys = vec![wire.key];
        let trace = self.emit(
            now,
            &call,
            keys,
            &wire.events,
            &experiment,
            ParentMode::Link,
        )?;
        if let Some(id) = &wire.ids {
            self.remember(id, trace);
        }
        Ok(())
    }

    /// From the gateway's call id and the start, or else made up from the seed.
    fn call_ids(&mut self, wire: &WireCall, destination: &str) -> Ids {
        let start = wire.start.to_be_bytes();
        match &wire.ids {
            Some(id) => id::derive(&[destination.as_bytes(), id.as_bytes(), &start, b"call"]),
            None => {
                self.next_call += 1;
                let (seed, number) = (self.seed.to_be_bytes(), self.next_call.to_be_bytes());
                id::derive(&[destination.as_bytes(), &seed, &number, &start])
            }
        }
    }
}

/// What a routing rule looks at.
fn routed_by<'w>(wire: &'w WireCall, context: &Context<'w>, by: &By) -> Option<Cow<'w, str>> {
    match by {
        By::Tag(name) => {
            let tag = context.tags.iter().rev().find(|(key, _)| key == name);
            tag.map(|(_, value)| Cow::Borrowed(*value))
        }
        By::Header(name) => Raw::parse(&wire.headers).ok()?.get(name)?.as_str(),
        By::Team | By::KeyAlias | By::Organization => None,
    }
}
