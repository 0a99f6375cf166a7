//! One line of a recording: a hook call, and what the host knew beside it.
//!
//! The line itself is the hook's payload, so that nothing is copied; only the members that the
//! payload does not have are read here. `kwargs` and `response_obj` are the plugin's to judge.

use std::borrow::Cow;

use logger_core::json::{Kind, Raw};

use super::time;
use crate::bindings::llm_gateway::hooks::types::{Context, Event, Hook, HookedEvent, Tag};
use crate::pending::Keyed;

/// An event to be logged.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The line's number: the event's key.
    pub line: u64,
    text: String,
    hook: Hook,
    start: Option<u64>,
    end: Option<u64>,
    time: Option<u64>,
    traceparent: Option<String>,
    session: Option<String>,
    user: Option<String>,
    experiment: Option<String>,
    tags: Vec<(String, String)>,
}

impl Keyed for Recorded {
    fn key(&self) -> u64 {
        self.line
    }

    fn size(&self) -> usize {
        self.text.len() + size_of::<Self>()
    }
}

impl Recorded {
    /// Reads a line. The error names the member, what was found and what is expected.
    pub fn read(line: u64, text: String) -> Result<Self, String> {
        let value = Raw::parse(&text)
            .map_err(|error| format!("not JSON: {} at column {}", error.what, error.column))?;
        if value.kind() != Kind::Object {
            return Err(format!(
                "the line is {}, expected an object",
                value.kind().name()
            ));
        }
        let [
            hook,
            start,
            end,
            at,
            traceparent,
            session,
            user,
            experiment,
            tags,
        ] = value.fields([
            "hook",
            "start_time",
            "end_time",
            "time",
            "traceparent",
            "session",
            "user",
            "experiment",
            "tags",
        ]);
        let recorded = Self {
            line,
            hook: member("hook", hook, read_hook)?,
            start: member("start_time", start, time::read)?,
            end: member("end_time", end, time::read)?,
            time: member("time", at, time::read)?,
            traceparent: member("traceparent", traceparent, read_text)?,
            session: member("session", session, read_text)?,
            user: member("user", user, read_text)?,
            experiment: member("experiment", experiment, read_text)?,
            tags: member("tags", tags, read_tags)?,
            text: String::new(),
        };
        Ok(Self { text, ..recorded })
    }

    /// What tells calls apart: the id litellm gave the call, else the response's.
    pub fn call_id(&self) -> Option<String> {
        let line = Raw::parse(&self.text).ok()?;
        let [kwargs, response, call] = line.fields(["kwargs", "response_obj", "call_id"]);
        let [id, params] = kwargs.map_or([None; 2], |kwargs| {
            kwargs.fields(["litellm_call_id", "litellm_params"])
        });
        let given = |value: Option<Raw<'_>>| value.and_then(scalar);
        given(id)
            .or_else(|| given(params.and_then(|params| params.get("litellm_call_id"))))
            .or_else(|| given(call))
            .or_else(|| given(response.and_then(|response| response.get("id"))))
    }

    /// The tags, in the form that [`hooked`](Self::hooked) takes.
    pub fn tags(&self) -> Vec<Tag<'_>> {
        self.tags
            .iter()
            .map(|(key, value)| Tag { key, value })
            .collect()
    }

    /// The event, for `log-events`.
    pub fn hooked<'a>(&'a self, tags: &'a [Tag<'a>]) -> HookedEvent<'a> {
        HookedEvent {
            hook: self.hook,
            event: Event {
                key: self.line,
                payload: &self.text,
                start_time: self.start,
                end_time: self.end,
                time: self.time,
                context: Context {
                    traceparent: self.traceparent.as_deref(),
                    session: self.session.as_deref(),
                    user: self.user.as_deref(),
                    tags,
                    experiment: self.experiment.as_deref(),
                },
            },
        }
    }
}

/// Reads a member; one that is absent is as good as null.
fn member<'a, T>(
    name: &str,
    value: Option<Raw<'a>>,
    read: impl Fn(Raw<'a>) -> Result<T, String>,
) -> Result<T, String> {
    read(value.unwrap_or(Raw::NULL)).map_err(|reason| format!("`{name}`: {reason}"))
}

fn read_hook(value: Raw<'_>) -> Result<Hook, String> {
    const EXPECTED: &str = "expected \"success\", \"failure\", \"stream\" or \"feedback\"";
    match value.as_str().as_deref() {
        Some("success") => Ok(Hook::Success),
        Some("failure") => Ok(Hook::Failure),
        Some("stream") => Ok(Hook::StreamChunk),
        Some("feedback") => Ok(Hook::Feedback),
        _ if value.is_null() => Err(format!("missing; {EXPECTED}")),
        _ => Err(format!("found {}; {EXPECTED}", time::shown(value))),
    }
}

/// Text, or a number or truth value as text: ids are sometimes not strings.
fn scalar(value: Raw<'_>) -> Option<String> {
    match value.kind() {
        Kind::String => value.as_str().map(Cow::into_owned),
        Kind::Number | Kind::Bool => Some(value.text().to_owned()),
        Kind::Null | Kind::Array | Kind::Object => None,
    }
}

fn read_text(value: Raw<'_>) -> Result<Option<String>, String> {
    match scalar(value) {
        Some(text) => Ok(Some(text)),
        None if value.is_null() => Ok(None),
        None => Err(format!("found {}; expected a string", value.kind().name())),
    }
}

/// An object of strings, or a list of `key:value`.
fn read_tags(value: Raw<'_>) -> Result<Vec<(String, String)>, String> {
    const EXPECTED: &str = "expected an object of strings, or a list of strings \"key:value\"";
    let text = |value: Raw<'_>, what: &str| {
        let found = value.kind().name();
        scalar(value).ok_or_else(|| format!("{what} is {found}; {EXPECTED}"))
    };
    match value.kind() {
        Kind::Null => Ok(Vec::new()),
        Kind::Object => value
            .entries()
            .map(|(key, value)| {
                let value = text(value, &format!("\"{}\"", key.escape_default()))?;
                Ok((key.into_owned(), value))
            })
            .collect(),
        Kind::Array => value
            .items()
            .map(|item| {
                let tag = text(item, "an element")?;
                // As litellm's request tags: one without a colon has no value.
                let (key, value) = tag.split_once(':').unwrap_or((&tag, ""));
                Ok((key.to_owned(), value.to_owned()))
            })
            .collect(),
        other => Err(format!("found {}; {EXPECTED}", other.name())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Recorded, String> {
        Recorded::read(7, text.to_owned())
    }

    #[test]
    fn the_line_is_the_payload_and_the_rest_is_beside_it() {
        let line = r#"{"hook":"stream","kwargs":{},"start_time":1,"end_time":"1970-01-01T00:00:00.000000002","time":3,"traceparent":"00-a","session":"s\u00e9","user":"u","experiment":"e","tags":{"k":"v"}}"#;
        let recorded = read(line).unwrap();
        let tags = recorded.tags();
        let HookedEvent { hook, event } = recorded.hooked(&tags);
        assert_eq!(hook, Hook::StreamChunk);
        assert_eq!((event.key, event.payload), (7, line));
        assert_eq!(
            (event.start_time, event.end_time, event.time),
            (Some(1), Some(2), Some(3))
        );
        assert_eq!(event.context.traceparent, Some("00-a"));
        assert_eq!(event.context.session, Some("sé"));
        assert_eq!(
            (event.context.user, event.context.experiment),
            (Some("u"), Some("e"))
        );
        assert_eq!((tags[0].key, tags[0].value), ("k", "v"));
    }

    #[test]
    fn everything_but_the_hook_may_be_left_out_or_null() {
        read(r#"{"hook":"success"}"#).unwrap();
        read(r#"{"hook":"failure","start_time":null,"tags":null,"user":null,"other":[1]}"#)
            .unwrap();
    }

    #[test]
    fn tags_may_be_a_list() {
        let recorded = read(r#"{"hook":"success","tags":["a:b:c","d:"]}"#).unwrap();
        let tags: Vec<_> = recorded.tags().iter().map(|t| (t.key, t.value)).collect();
        assert_eq!(tags, [("a", "b:c"), ("d", "")]);
    }

    #[test]
    fn errors_name_the_member_what_was_found_and_what_is_expected() {
        for (line, words) in [
            ("{", ["not JSON", "column 2"]),
            ("[]", ["an array", "an object"]),
            ("{}", ["`hook`", "missing"]),
            (r#"{"hook":"sucess"}"#, ["`hook`", "\"sucess\""]),
            (r#"{"hook":1}"#, ["`hook`", "found 1"]),
            (
                r#"{"hook":"success","start_time":1.5}"#,
                ["`start_time`", "found 1.5"],
            ),
            (
                r#"{"hook":"success","end_time":"x"}"#,
                ["`end_time`", "found \"x\""],
            ),
            (r#"{"hook":"success","time":{}}"#, ["`time`", "an object"]),
            (r#"{"hook":"success","user":{}}"#, ["`user`", "an object"]),
            (
                r#"{"hook":"success","traceparent":[]}"#,
                ["`traceparent`", "an array"],
            ),
            (r#"{"hook":"success","tags":"a:b"}"#, ["`tags`", "a string"]),
            (
                r#"{"hook":"success","tags":{"k":[]}}"#,
                ["`tags`", "\"k\" is an array"],
            ),
            (
                r#"{"hook":"success","tags":[{}]}"#,
                ["`tags`", "an element"],
            ),
        ] {
            let reason = read(line).unwrap_err();
            assert!(
                words.iter().all(|word| reason.contains(word)),
                "{line}: {reason}"
            );
        }
    }

    #[test]
    fn numbers_and_truth_values_are_taken_for_text() {
        let line = r#"{"hook":"success","user":42,"session":true,"tags":["solo","n:1"]}"#;
        let event = read(line).unwrap();
        let tags = event.tags();
        let hooked = event.hooked(&tags);
        assert_eq!(hooked.event.context.user, Some("42"));
        assert_eq!(hooked.event.context.session, Some("true"));
        let pairs: Vec<_> = tags.iter().map(|tag| (tag.key, tag.value)).collect();
        assert_eq!(pairs, [("solo", ""), ("n", "1")]);
        let numbered = read(r#"{"hook":"stream","kwargs":{"litellm_call_id":7}}"#).unwrap();
        assert_eq!(numbered.call_id().as_deref(), Some("7"));
    }

    #[test]
    fn hostile_json_is_read_or_refused_without_harm() {
        let deep = format!(
            r#"{{"hook":"success","kwargs":{}1{}}}"#,
            "[".repeat(2000),
            "]".repeat(2000)
        );
        read(&deep).unwrap();
        read(r#"{"hook":"success","kwargs":{"a":NaN,"b":99999999999999999999,"c":"\ud800"}}"#)
            .unwrap();
        read(r#"{"hook":"success","user":"\ud800"}"#).unwrap();
    }

    #[test]
    fn calls_are_told_apart_by_the_first_id_there_is() {
        for (line, id) in [
            (
                r#"{"hook":"success","kwargs":{"litellm_call_id":"a","litellm_params":{"litellm_call_id":"b"}},"response_obj":{"id":"c"}}"#,
                Some("a"),
            ),
            (
                r#"{"hook":"success","kwargs":{"litellm_params":{"litellm_call_id":"b"}},"response_obj":{"id":"c"}}"#,
                Some("b"),
            ),
            (
                r#"{"hook":"success","kwargs":null,"response_obj":{"id":"c"}}"#,
                Some("c"),
            ),
            (r#"{"hook":"success","kwargs":[],"response_obj":"x"}"#, None),
        ] {
            assert_eq!(read(line).unwrap().call_id().as_deref(), id, "{line}");
        }
    }
}
