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

mod body;
mod call;
mod errors;
mod facts;
mod formats;
mod frames;
mod headers;
mod inflate;
mod multipart;
mod open;
mod provider;
mod response;
mod stream;

use std::borrow::Cow;
use std::time::Duration;

use crate::event::{CallStart, Context, EventError, EventKey, Happening, Timestamp};
use crate::id::{self, Ids};
use crate::json::Raw;
use crate::litellm::streams::OwnedContext;
use crate::logger::Logger;
use crate::otlp::SpanWriter;
use crate::policy::Policy;
use crate::redact;
use crate::settings::ParentMode;
use crate::settings::routes::By;
use call::Read;
use facts::Facts;
use formats::{Asked, Format};
use headers::{Content, Told};
use response::{Expected, Response};
use stream::Show;

pub use formats::{FormatDoc, formats};
pub(crate) use open::Calls;

/// What an open call takes beside its bodies.
const OVERHEAD: usize = 1024;

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
    /// The request's body, as JSON.
    inputs: String,
    /// Whether the request asks for a stream.
    streams: bool,
    /// Whether some of the request could not be read.
    is_cut: bool,
    response: Response,
    events: Vec<u8>,
}

/// How a captured call ended.
enum Ending<'e> {
    Finished,
    Failed { kind: &'e str, message: &'e str },
}

impl WireCall {
    fn new(start: &CallStart<'_>, room: usize) -> Self {
        let told = Told::by(&start.headers);
        let path = start.path.split('?').next().unwrap_or_default();
        let content = Content::of(&start.headers);
        let (inputs, is_cut) = body::request(&content, start.body, room);
        let request = Raw::parse(&inputs).unwrap_or(Raw::NULL);
        let host = start
            .authority
            .map(|authority| authority.rsplit('@').next().unwrap_or_default());
        let given = start
            .provider
            .map(str::trim)
            .filter(|given| !given.is_empty());
        let provider = given
            .map(str::to_lowercase)
            .or_else(|| provider::of_host(host?).map(str::to_owned))
            .or_else(|| provider::of_path(path).map(str::to_owned));
        let format = formats::tell(start.method, path, provider.as_deref(), request);
        let call_id = start.call_id.or(told.call_id.as_deref());
        Self {
            key: start.key,
            id: call_id.map(str::to_owned),
            start: start.at,
            last: start.at,
            method: start.method.to_owned(),
            path: path.to_owned(),
            host: host.filter(|host| !host.is_empty()).map(str::to_owned),
            provider: provider.or_else(|| format.home.map(str::to_owned)),
            format,
            headers: headers::json(&start.headers),
            context: OwnedContext::from(&told.beneath(start)),
            streams: request.get("stream").and_then(Raw::as_bool) != Some(false)
                && (request.get("stream").is_some() || path.contains("stream")),
            inputs,
            is_cut,
            response: Response::default(),
            events: Vec::new(),
        }
    }

    fn held(&self) -> usize {
        OVERHEAD + self.inputs.len() + self.headers.len() + self.events.len() + self.response.held()
    }
}

impl Logger {
    /// Begins a call; the number names it from then on.
    pub fn begin_call(&mut self, now: Duration, start: &CallStart<'_>) -> Result<u64, EventError> {
        self.make_room(now, start.body.len())?;
        let call = WireCall::new(start, self.room()?);
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
        let mut policy = Policy::new(&settings.content);
        self.calls.update(call, |call| {
            call.last = at;
            let mut show = Show {
                events: &mut call.events,
                policy: &mut policy,
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
        self.calls.update(call, |call| {
            SpanWriter::write_event(&mut call.events, &mut Vec::new(), at, name, |attributes| {
                if let Some(detail) = detail {
                    let detail = redact::redact(detail).map_or(Cow::Borrowed(detail), Cow::Owned);
                    attributes.string("detail", detail.as_bytes());
                }
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

    fn end_call(
        &mut self,
        now: Duration,
        mut wire: WireCall,
        at: Timestamp,
        ending: &Ending<'_>,
    ) -> Result<(), EventError> {
        let context = wire.context.with(None);
        let asked = context.experiment;
        let experiment = self.experiment(asked, |by| routed_by(&wire, &context, by))?;
        let ids = self.call_ids(&wire, &experiment.to_string());
        let room = self.room()?;
        let settings = self.settings.as_ref().ok_or(EventError::NotConfigured)?;
        let response = std::mem::take(&mut wire.response);
        wire.response.status = response.status;
        let mut show = Show {
            events: &mut wire.events,
            policy: &mut Policy::new(&settings.content),
            at,
            first: None,
        };
        let expected = Expected {
            format: wire.format,
            path: &wire.path,
            stream: wire.streams,
        };
        let finished = matches!(ending, Ending::Finished);
        let came = response.end(room, finished, expected, &mut show);
        // Both were written as JSON.
        let inputs = Raw::parse(&wire.inputs).unwrap_or(Raw::NULL);
        let outputs = Raw::parse(&came.outputs).unwrap_or(Raw::NULL);
        let mut facts = Facts::default();
        let asked = Asked {
            path: &wire.path,
            body: inputs,
        };
        (wire.format.request)(&asked, &mut facts);
        (wire.format.response)(outputs, &mut facts);
        let tools = facts.tools.take();
        let cut = "bodies were cut to keep within `queue_max_bytes`, or could not be decoded";
        let read = Read {
            ids,
            at,
            context: &context,
            inputs,
            outputs: Some(outputs).filter(|outputs| !outputs.is_null()),
            tools: tools.as_deref().and_then(|tools| Raw::parse(tools).ok()),
            facts,
            ending,
            fault: came.fault,
            stream: came.stream,
            repairs: Vec::from_iter((wire.is_cut || came.is_cut).then_some(cut)),
        };
        let call = call::call(&wire, read);
        let keys = vec![wire.key];
        let events = &wire.events;
        let trace = self.emit(now, &call, keys, events, &experiment, ParentMode::Link)?;
        if let Some(id) = &wire.id {
            self.remember(id, trace);
        }
        Ok(())
    }

    /// From the call's id and the start, or else made up from the seed.
    fn call_ids(&mut self, wire: &WireCall, destination: &str) -> Ids {
        let start = wire.start.to_be_bytes();
        match &wire.id {
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
