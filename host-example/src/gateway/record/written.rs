//! A call as it is written down, in the spool and among dead letters: without what `redact` finds.
//!
//! In memory a call is as it came, and the plugin does all that the settings ask for. What is on a disk outlives the
//! process and is in backups, so secrets are taken out before. Only `redact` is applied: the plugin sees the call
//! again, and everything else it does once.

use std::borrow::Cow;
use std::sync::Arc;

use hyper::body::Bytes;
use logger_core::policy::{AtRest, Redacted, Root};
use parking_lot::RwLock;
use serde_json::json;

use super::{Copied, Failed, Fields, Head, Record, Start};
use crate::call::Timestamp;
use crate::settings::Settings;

/// What is taken out, which a reload can change.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Redaction(RwLock<Arc<AtRest>>);

/// A call as it is written down.
pub(in crate::gateway) struct Written<'r> {
    pub start: Cow<'r, Start>,
    pub at: Timestamp,
    pub request: Cow<'r, Copied>,
    pub head: Option<Cow<'r, Head>>,
    pub response: Cow<'r, Copied>,
    pub ended: Timestamp,
    pub failure: Option<Cow<'r, Failed>>,
}

impl Redaction {
    /// What the setting `redact` asks for.
    pub fn new(settings: &Settings) -> Self {
        Self(RwLock::new(Arc::new(asked_for(settings))))
    }

    /// Other settings, for all that is written from here on.
    pub fn replace(&self, settings: &Settings) {
        *self.0.write() = Arc::new(asked_for(settings));
    }

    /// A call, as it is written down.
    pub fn written<'r>(&self, record: &'r Record) -> Written<'r> {
        let policy = self.0.read().clone();
        let mut written = Written::of(record);
        if !policy.is_idle() {
            written.redact(&policy);
        }
        written
    }
}

/// A plugin may have settings of its own; this one is told by its name. What does not read is refused by the plugin: until
/// then the default holds.
fn asked_for(settings: &Settings) -> AtRest {
    let asked = settings.value("redact").cloned().unwrap_or(json!(true));
    let asked = AtRest::parse(&asked.to_string());
    asked.or_else(|_| AtRest::parse("true")).unwrap_or_default()
}

impl<'r> Written<'r> {
    fn of(record: &'r Record) -> Self {
        Self {
            start: Cow::Borrowed(&record.start),
            at: record.at,
            request: Cow::Borrowed(&record.request),
            head: record.head.as_ref().map(Cow::Borrowed),
            response: Cow::Borrowed(&record.response),
            ended: record.ended,
            failure: record.failure.as_ref().map(Cow::Borrowed),
        }
    }

    fn redact(&mut self, policy: &AtRest) {
        for (root, body) in [
            (Root::Inputs, &mut self.request),
            (Root::Outputs, &mut self.response),
        ] {
            if let Some(redacted) = policy.body(root, &body.whole()) {
                *body = Cow::Owned(body.replaced(redacted));
            }
        }
        if let Some(headers) = fields(policy, &self.start.headers) {
            self.start.to_mut().headers = headers;
        }
        if let Some(path) = policy.text(&self.start.path) {
            self.start.to_mut().path = path;
        }
        if let Some(head) = &mut self.head
            && let Some(headers) = fields(policy, &head.headers)
        {
            head.to_mut().headers = headers;
        }
        if let Some(failure) = &mut self.failure
            && let Some(message) = policy.text(&failure.message)
        {
            failure.to_mut().message = message;
        }
    }
}

/// Header fields; none: they stay as they are.
fn fields(policy: &AtRest, fields: &Fields) -> Option<Fields> {
    let redacted = |value: &[u8]| policy.text(std::str::from_utf8(value).ok()?);
    let mut changed = None;
    for (place, (_, value)) in fields.iter().enumerate() {
        if let Some(text) = redacted(value) {
            let fields = changed.get_or_insert_with(|| fields.clone());
            fields[place].1 = text.into_bytes();
        }
    }
    changed
}

impl Copied {
    /// The parts of what the body became, each from where it was to where the next one was.
    fn replaced(&self, redacted: Redacted) -> Self {
        let ends = self.parts.iter().scan(0, |end, (_, part)| {
            *end += part.len();
            Some(redacted.place(*end))
        });
        let ends: Vec<_> = ends.collect();
        let bytes = Bytes::from(redacted.bytes);
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let places = starts.zip(ends.iter().copied());
        let parts = self.parts.iter().zip(places);
        // What did not come stays as much as it was.
        let missing = self.came - self.kept as u64;
        Self {
            parts: parts
                .map(|((at, _), (start, end))| (*at, bytes.slice(start..end)))
                .collect(),
            kept: bytes.len(),
            came: bytes.len() as u64 + missing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::backlog::tests::{backlog, record};

    const KEY: &str = "sk-proj-4f6Kq0x9ZpLm2Vt7Ws1Bd8Yh3Rn5Jc6Ga";

    fn call() -> Record {
        let mut record = record(&backlog(1 << 20), 1, 1000).unwrap();
        let request = format!(r#"{{"messages":[{{"content":"{KEY}"}}],"api_key":"short"}}"#);
        record.request.add(1, &request.into(), usize::MAX);
        for (at, part) in [
            (2, "data: {\"a\":1}\n\nda".to_owned()),
            (3, format!("ta: {{\"b\":\"{}", &KEY[..20])),
            (4, format!("{}\"}}\n\n", &KEY[20..])),
            (5, "data: {\"c\":2}\n\n".to_owned()),
        ] {
            record.response.add(at, &part.into(), usize::MAX);
        }
        record.response.came += 7;
        record.start.headers = vec![("x-note".to_owned(), format!("with {KEY}").into_bytes())];
        record.failure = Some(Failed {
            kind: "upstream".into(),
            message: format!("{KEY} is wrong"),
        });
        record
    }

    #[test]
    fn secrets_are_taken_out_and_parts_keep_their_times() {
        let record = call();
        let redaction = Redaction::new(&Settings::default());
        let written = redaction.written(&record);
        let text = |body: &Copied| String::from_utf8(body.whole()).unwrap();
        assert_eq!(
            text(&written.request),
            r#"{"messages":[{"content":"[REDACTED]"}],"api_key":"[REDACTED]"}"#
        );
        assert_eq!(
            text(&written.response),
            "data: {\"a\":1}\n\ndata: {\"b\":\"[REDACTED]\"}\n\ndata: {\"c\":2}\n\n"
        );
        let parts = &written.response.parts;
        let times: Vec<_> = parts.iter().map(|(at, _)| *at).collect();
        assert_eq!(times, [2, 3, 4, 5]);
        assert_eq!(parts[3].1, "data: {\"c\":2}\n\n");
        let response = &written.response;
        assert_eq!(response.came - response.kept as u64, 7);
        assert_eq!(written.start.headers[0].1, b"with [REDACTED]");
        assert_eq!(written.failure.unwrap().message, "[REDACTED] is wrong");
    }

    #[test]
    fn what_is_not_asked_for_is_not_done() {
        use crate::settings::{Layer, Source};
        let off = ("redact".to_owned(), (json!(false), Source::Option("test")));
        let redaction = Redaction::new(&Settings::default());
        redaction.replace(&Settings::merge([Layer::from([off])]));
        let record = call();
        let written = redaction.written(&record);
        assert_eq!(written.request.whole(), record.request.whole());
        assert_eq!(written.start.headers, record.start.headers);
    }
}
