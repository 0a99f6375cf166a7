//! What litellm's proxy and router know of a call beside the call itself: whose key it was, which
//! deployment answered, which attempts failed before, what guardrails said, which prompt it came from.
//!
//! Names and meanings follow litellm 1.81: `StandardLoggingPayload` and its parts in `types/utils.py`, and
//! `log_retry` in `router.py`.

use std::borrow::Cow;

use super::kwargs::Kwargs;
use super::times::seconds;
use super::{Payload, scalar_text, some_text};
use crate::call::{Attribute, Child, Exception, Outcome};
use crate::event::{Context, Timestamp};
use crate::json::Raw;
use crate::settings::routes::By;

/// Whose call it was, and who answered it: attributes, of which some are tags as well.
pub(super) struct Identity<'a>(Vec<(&'static str, Cow<'a, str>)>);

/// Attributes that are tags too, to search traces by.
const TAGS: [&str; 4] = [
    "litellm.team",
    "litellm.key_alias",
    "litellm.organization",
    "litellm.model_group",
];

impl<'a> Identity<'a> {
    pub fn new(kwargs: &Kwargs<'a>) -> Self {
        let standard = kwargs.standard.as_ref();
        let metadata = standard
            .and_then(|standard| standard.metadata)
            .or(kwargs.litellm_params.metadata);
        let [team_alias, team_id, key_alias, organization, user, project] =
            metadata.map_or([None; 6], |metadata| {
                metadata.fields([
                    "user_api_key_team_alias",
                    "user_api_key_team_id",
                    "user_api_key_alias",
                    "user_api_key_org_id",
                    "user_api_key_user_id",
                    "user_api_key_project_id",
                ])
            });
        let [model_group, deployment] = standard.map_or([None; 2], |standard| {
            [standard.model_group, standard.model_id]
        });
        let named = [
            (
                "litellm.team",
                some_text(team_alias).or_else(|| some_text(team_id)),
            ),
            ("litellm.team_id", some_text(team_id)),
            ("litellm.key_alias", some_text(key_alias)),
            ("litellm.organization", some_text(organization)),
            ("litellm.project", some_text(project)),
            ("litellm.user", some_text(user)),
            ("litellm.end_user", end_user(kwargs)),
            ("litellm.model_group", some_text(model_group)),
            ("litellm.deployment", some_text(deployment)),
        ];
        let known = named.into_iter();
        Self(
            known
                .filter_map(|(name, value)| Some((name, value?)))
                .collect(),
        )
    }

    /// The value of a name, such as `litellm.team`.
    pub fn get(&self, name: &str) -> Option<&Cow<'a, str>> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value)
    }

    pub fn attributes(&self) -> impl Iterator<Item = (&'static str, Attribute<'a>)> + '_ {
        let all = self.0.iter();
        all.map(|(name, value)| (*name, Attribute::Text(value.clone())))
    }

    pub fn tags(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + '_ {
        let tags = self.0.iter().filter(|(name, _)| TAGS.contains(name));
        tags.map(|(name, value)| (Cow::Borrowed(*name), value.clone()))
    }
}

/// The end user, as the proxy knows it.
pub(super) fn end_user<'a>(kwargs: &Kwargs<'a>) -> Option<Cow<'a, str>> {
    let standard = kwargs.standard.as_ref()?;
    let in_metadata = || standard.metadata?.get("user_api_key_end_user_id");
    some_text(standard.end_user).or_else(|| some_text(in_metadata()))
}

/// What a routing rule looks at.
pub fn routed_by<'a>(
    payload: &Payload<'a>,
    context: &Context<'a>,
    by: &By,
) -> Option<Cow<'a, str>> {
    let kwargs = &payload.kwargs;
    let known = |name| Identity::new(kwargs).get(name).cloned();
    match by {
        By::Team => known("litellm.team"),
        By::KeyAlias => known("litellm.key_alias"),
        By::Organization => known("litellm.organization"),
        By::Tag(name) => {
            let host = context.tags.iter().rev().find(|(key, _)| key == name);
            host.map(|(_, value)| Cow::Borrowed(*value))
                .or_else(|| request_tag(kwargs, name))
        }
        By::Header(name) => {
            let request = kwargs.litellm_params.proxy_server_request?;
            let mut headers = request.get("headers")?.entries();
            let found = headers.find(|(header, _)| header.eq_ignore_ascii_case(name));
            found.and_then(|(_, value)| scalar_text(value))
        }
    }
}

fn request_tag<'a>(kwargs: &Kwargs<'a>, name: &str) -> Option<Cow<'a, str>> {
    let tags = kwargs.standard.as_ref()?.request_tags?.items();
    let pairs = tags.filter_map(super::trace::request_tag);
    let named = pairs.filter(|(key, _)| key == name);
    named.last().map(|(_, value)| value)
}

/// The attempts that the router made before, and the guardrails' verdicts.
pub(super) fn children<'a>(kwargs: &Kwargs<'a>, start: Timestamp) -> Vec<Child<'a>> {
    let metadata = kwargs.litellm_params.metadata;
    let attempts = metadata.and_then(|metadata| metadata.get("previous_models"));
    let guardrails = kwargs
        .standard
        .as_ref()
        .and_then(|standard| standard.guardrails);
    let attempts = attempts.into_iter().flat_map(Raw::items);
    attempts
        .map(|attempt| attempted(attempt, start))
        .chain(
            guardrails
                .into_iter()
                .flat_map(Raw::items)
                .map(|guardrail| judged(guardrail, start)),
        )
        .collect()
}

/// An attempt that failed. The router does not say when: it is shown where the call began.
fn attempted(attempt: Raw<'_>, start: Timestamp) -> Child<'_> {
    let [kind, message, model, call_id] = attempt.fields([
        "exception_type",
        "exception_string",
        "model",
        "litellm_call_id",
    ]);
    let mut attributes = Vec::new();
    for (key, value) in [("model", model), ("litellm_call_id", call_id)] {
        if let Some(text) = some_text(value) {
            attributes.push((key, Attribute::Text(text)));
        }
    }
    Child {
        name: match some_text(model) {
            Some(model) => Cow::Owned(format!("attempt {model}")),
            None => Cow::Borrowed("attempt"),
        },
        span_type: "LLM",
        start,
        end: start,
        outcome: Outcome::Failure(Some(Exception {
            kind: some_text(kind).unwrap_or(Cow::Borrowed("Exception")),
            message: message.and_then(scalar_text).unwrap_or_default(),
            stacktrace: None,
        })),
        inputs: None,
        outputs: None,
        attributes,
    }
}

/// A guardrail's verdict. One that intervened did its work, so only one that gave no verdict failed.
fn judged(guardrail: Raw<'_>, call_start: Timestamp) -> Child<'_> {
    let [
        name,
        request,
        response,
        status,
        start,
        end,
        mode,
        provider,
        masked,
    ] = guardrail.fields([
        "guardrail_name",
        "guardrail_request",
        "guardrail_response",
        "guardrail_status",
        "start_time",
        "end_time",
        "guardrail_mode",
        "guardrail_provider",
        "masked_entity_count",
    ]);
    let start = seconds(start).unwrap_or(call_start);
    let end = seconds(end).unwrap_or(start).max(start);
    let present = |value: Option<Raw<'_>>| value.is_some_and(|value| !value.is_null());
    let failed = some_text(status).as_deref() == Some("guardrail_failed_to_respond");
    let mut attributes = Vec::new();
    for (key, value) in [
        ("guardrail.status", status),
        ("guardrail.mode", mode),
        ("guardrail.provider", provider),
        ("guardrail.masked_entity_count", masked),
    ] {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            attributes.push((key, Attribute::Json(value)));
        }
    }
    Child {
        name: match some_text(name) {
            Some(name) => Cow::Owned(format!("guardrail {name}")),
            None => Cow::Borrowed("guardrail"),
        },
        span_type: "GUARDRAIL",
        start,
        end,
        outcome: if failed {
            Outcome::Failure(None)
        } else {
            Outcome::Success
        },
        inputs: request.filter(|_| present(request)),
        outputs: response.filter(|_| present(response)),
        attributes,
    }
}

/// The prompt of a registry that the messages came from: its name, and its version if that is known.
pub(super) fn prompt<'a>(kwargs: &Kwargs<'a>) -> Option<(Cow<'a, str>, Option<Cow<'a, str>>)> {
    let standard = kwargs.standard.as_ref();
    let management = standard
        .and_then(|standard| standard.metadata?.get("prompt_management_metadata"))
        .map_or([None; 2], |management| {
            management.fields(["prompt_id", "prompt_version"])
        });
    let [managed_id, managed_version] = management;
    let id = some_text(managed_id)
        .or_else(|| some_text(kwargs.prompt_id))
        .or_else(|| some_text(kwargs.litellm_params.prompt_id))?;
    let version = some_text(managed_version)
        .or_else(|| some_text(kwargs.prompt_version))
        .or_else(|| some_text(kwargs.litellm_params.prompt_version));
    Some((id, version))
}
