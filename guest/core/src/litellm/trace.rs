//! What belongs to the trace: session, user, tags, prompt.

use std::borrow::Cow;

use super::kwargs::Kwargs;
use super::proxy::{self, Identity};
use super::{Payload, scalar_text, some_text};
use crate::call::TraceData;
use crate::event::Context;
use crate::json::Raw;

/// A session's names in a caller's metadata: MLflow's own, and the one that litellm's other loggers read.
const SESSION: [&str; 2] = ["mlflow.trace.session", "session_id"];
/// A user's names there.
const USER: [&str; 3] = ["mlflow.trace.user", "trace_user_id", "user_id"];

/// The metadata that the caller passed: to litellm's SDK, or in a request to its proxy.
struct Metadata<'a>([Option<Raw<'a>>; 2]);

impl<'a> Metadata<'a> {
    fn new(kwargs: &Kwargs<'a>) -> Self {
        let own = kwargs.litellm_params.metadata;
        let standard = kwargs.standard.as_ref();
        let requester = |metadata: Raw<'a>| metadata.get("requester_metadata");
        let passed_on = own.and_then(requester);
        Self([
            own,
            passed_on.or_else(|| standard?.metadata.and_then(requester)),
        ])
    }

    /// The first of these members that has a text.
    fn first<const N: usize>(&self, names: [&str; N]) -> Option<Cow<'a, str>> {
        let objects = self.0.iter().flatten();
        let mut values = objects.flat_map(|object| object.fields(names));
        values.find_map(some_text)
    }
}

/// What the host says wins, then what the caller passed, then what the proxy knows.
pub(super) fn trace_data<'a>(
    payload: &Payload<'a>,
    opening: &Payload<'a>,
    identity: &Identity<'a>,
    context: &Context<'a>,
) -> TraceData<'a> {
    let kwargs = &payload.kwargs;
    let standard = kwargs.standard.as_ref();
    let metadata = Metadata::new(kwargs);
    let request_tags = standard.and_then(|standard| standard.request_tags);
    let mut tags: Vec<_> = identity.tags().collect();
    let request_tags = request_tags.into_iter().flat_map(Raw::items);
    tags.extend(request_tags.filter_map(request_tag));
    let context_tags = context.tags.iter();
    tags.extend(context_tags.map(|&(key, value)| (Cow::Borrowed(key), Cow::Borrowed(value))));
    let [user_param] = opening.kwargs.optional_params.named(["user"]);
    TraceData {
        session: context
            .session
            .map(Cow::Borrowed)
            .or_else(|| some_text(kwargs.litellm_params.session_id))
            .or_else(|| metadata.first(SESSION)),
        user: context
            .user
            .map(Cow::Borrowed)
            .or_else(|| some_text(user_param))
            .or_else(|| some_text(kwargs.user))
            .or_else(|| proxy::end_user(kwargs))
            .or_else(|| metadata.first(USER))
            .or_else(|| identity.get("litellm.user").cloned()),
        tags,
        prompt: proxy::prompt(kwargs).or_else(|| proxy::prompt(&opening.kwargs)),
    }
}

/// litellm's tags are `key:value`, split at the first colon; one without a colon has no value.
pub(super) fn request_tag(tag: Raw<'_>) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    let trimmed = |text: &str| Cow::Owned(text.trim().to_owned());
    let tag = scalar_text(tag)?;
    Some(match tag.split_once(':') {
        Some((key, value)) => (trimmed(key), trimmed(value)),
        None => (trimmed(&tag), Cow::Borrowed("")),
    })
}
