//! litellm's callback payload: what its `MlflowLogger` hooks get, read into a [`Call`](crate::call::Call).
//!
//! Field names and meanings follow litellm 1.81's `integrations/mlflow.py` and its
//! `StandardLoggingPayload`. Every field may be missing, null or of another type than usual: what can
//! be understood is used, and no oddity of one field costs the event.

mod attributes;
mod call;
mod failure;
mod inputs;
mod kwargs;
mod proxy;
pub(crate) mod streams;
mod times;
mod trace;
pub(crate) mod usage;

use std::borrow::Cow;

use crate::event::EventError;
use crate::json::{Document, Kind, Raw};

pub use crate::chunks::{assemble, choices};
pub(crate) use call::success_ids;
pub use call::{Ending, Finished, Progress, call};
pub(crate) use kwargs::Kwargs;
pub use proxy::routed_by;

/// A payload, taken apart as far as every hook needs it.
pub struct Payload<'a> {
    /// The whole of it.
    text: &'a str,
    kwargs: Kwargs<'a>,
    /// `response_obj`, unless null.
    response: Option<Raw<'a>>,
}

impl<'a> Payload<'a> {
    /// Reads a payload's text.
    pub fn document(text: &str) -> Result<Document<'_>, EventError> {
        Document::parse(text).map_err(|error| invalid(format!("not JSON: {error}")))
    }

    /// Takes a payload apart. Refused is what is no object, or has no object `kwargs`.
    pub fn new(document: &'a Document<'a>) -> Result<Self, EventError> {
        let text = document.text();
        let document = document.root();
        if document.kind() != Kind::Object {
            let found = document.kind().name();
            return Err(invalid(format!(
                "an object with `kwargs` expected, {found} found"
            )));
        }
        let [kwargs, response] = document.fields(["kwargs", "response_obj"]);
        let kwargs = kwargs.ok_or_else(|| invalid("`kwargs` is missing".to_owned()))?;
        if kwargs.kind() != Kind::Object {
            let found = kwargs.kind().name();
            return Err(invalid(format!(
                "`kwargs`: an object expected, {found} found"
            )));
        }
        Ok(Self {
            text,
            kwargs: Kwargs::new(kwargs),
            response: response.filter(|response| !response.is_null()),
        })
    }

    /// The id that a stream's chunks share.
    pub fn stream_id(&self) -> Option<Cow<'a, str>> {
        let response_id = || {
            self.response
                .and_then(|response| response.get("id"))
                .and_then(scalar_text)
        };
        self.call_id().or_else(response_id)
    }

    fn call_id(&self) -> Option<Cow<'a, str>> {
        let own = self.kwargs.call_id.and_then(scalar_text);
        own.or_else(|| self.kwargs.litellm_params.call_id.and_then(scalar_text))
            .filter(|id| !id.is_empty())
    }

    /// Whether a success hook got a chunk of a stream that goes on, as `MlflowLogger` was meant to
    /// be called: `kwargs.stream` is true, the response is a chunk, and no complete one came with it.
    pub fn is_chunk(&self) -> bool {
        let streaming = self.kwargs.stream.is_some_and(Raw::is_truthy);
        streaming && self.complete_response().is_none() && self.response.is_some_and(is_chunk)
    }

    /// Whether the event ends its stream, whichever hook got it.
    pub fn ends_stream(&self) -> bool {
        self.complete_response().is_some()
    }

    /// The response, assembled by litellm, that ends a stream.
    fn complete_response(&self) -> Option<Raw<'a>> {
        let sync = self.kwargs.complete_streaming_response;
        let either = sync.or(self.kwargs.async_complete_streaming_response);
        either
            .filter(|response| response.is_truthy())
            .or_else(|| completed(self.response?))
    }

    /// The chunk that came with this event, if it did.
    ///
    /// What the stream hook gets is a chunk, whatever it looks like, unless it is a whole chat response.
    pub fn chunk(&self, by_hook: bool) -> Option<Raw<'a>> {
        let is_whole = |response: Raw<'a>| {
            let choice = response.get("choices").and_then(|all| all.items().next());
            choice.is_some_and(|choice| choice.get("message").is_some_and(Raw::is_truthy))
        };
        self.response
            .filter(|response| is_chunk(*response) || (by_hook && !is_whole(*response)))
    }

    /// The whole response that came with this event, if it did.
    fn whole_response(&self) -> Option<Raw<'a>> {
        self.response.filter(|response| !is_chunk(*response))
    }
}

/// The response in the event that ends a stream of the Responses API.
fn completed(event: Raw<'_>) -> Option<Raw<'_>> {
    const ENDINGS: [&str; 3] = [
        "response.completed",
        "response.incomplete",
        "response.failed",
    ];
    let [kind, response] = event.fields(["type", "response"]);
    let ends = some_text(kind).is_some_and(|kind| ENDINGS.contains(&kind.as_ref()));
    response.filter(|response| ends && response.is_truthy())
}

/// Whether a response is a chunk of a stream: OpenAI's chat chunks have `delta`s, its chunks of text
/// completions and those of the Responses API say in `object` and `type` what they are. A chunk that
/// carries the usage alone has no choices.
fn is_chunk(response: Raw<'_>) -> bool {
    let [choices, object, kind] = response.fields(["choices", "object", "type"]);
    let starts = |value: Option<Raw<'_>>, prefix| {
        some_text(value).is_some_and(|text: Cow<'_, str>| text.starts_with(prefix))
    };
    if some_text(object).is_some_and(|object| object.ends_with(".chunk")) {
        return true;
    }
    if starts(kind, "response.") {
        return true;
    }
    let choice = choices.and_then(|choices| choices.items().next());
    let Some(choice) = choice else {
        return false;
    };
    let [delta, message, finish_reason] = choice.fields(["delta", "message", "finish_reason"]);
    let open_text = starts(object, "text_completion")
        && finish_reason.is_none_or(Raw::is_null)
        && response.get("usage").is_none_or(Raw::is_null);
    message.is_none_or(Raw::is_null) && (delta.is_some_and(|delta| !delta.is_null()) || open_text)
}

fn invalid(reason: String) -> EventError {
    EventError::InvalidPayload(reason)
}

/// Text, or a number or truth value as text: ids and names are sometimes not strings.
pub(crate) fn scalar_text(value: Raw<'_>) -> Option<Cow<'_, str>> {
    match value.kind() {
        Kind::String => value.as_str(),
        Kind::Number | Kind::Bool => Some(Cow::Borrowed(value.text())),
        Kind::Null | Kind::Array | Kind::Object => None,
    }
}

/// Text that is not empty.
pub(crate) fn some_text(value: Option<Raw<'_>>) -> Option<Cow<'_, str>> {
    value.and_then(scalar_text).filter(|text| !text.is_empty())
}
