//! Bodies as they came over the wire, redacted before a host writes them down.
//!
//! A host that keeps calls on a disk until they are delivered has them before anything was decoded. What `redact` asks
//! for is taken out of them there too: of documents of JSON member by member, as in a span, of streams event by event,
//! of anything else as text. What is no text, such as a compressed body, stays as it came. A secret that a stream
//! brings in pieces is not seen here, and stays in its pieces until the span is written.

use std::ops::Range;

use super::{Policy, Root};
use crate::json::{Kind, Raw, write_clean};
use crate::settings::{Content, Redaction};

/// What is taken out of calls that are written down.
#[derive(Clone, Debug, Default)]
pub struct AtRest(Content);

/// A body that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted {
    /// What it became.
    pub bytes: Vec<u8>,
    /// What was changed: where it was, and where it is, in order.
    moved: Vec<(Range<usize>, Range<usize>)>,
}

impl Redacted {
    /// Where a place of the body is now: within what was changed, at most its end.
    pub fn place(&self, old: usize) -> usize {
        let before = self.moved.partition_point(|(was, _)| was.start <= old);
        match before.checked_sub(1).and_then(|last| self.moved.get(last)) {
            None => old,
            Some((was, is)) if old < was.end => is.end.min(is.start + (old - was.start)),
            Some((was, is)) => is.end + (old - was.end),
        }
    }
}

impl AtRest {
    /// What the setting `redact` asks for, given as JSON. Else the reason why it does not read.
    pub fn parse(redact: &str) -> Result<Self, String> {
        let value = Raw::parse(redact).map_err(|error| error.to_string())?;
        // The rest of what settings ask for is done once, when the span is written.
        Ok(Self(Content {
            redact: Redaction::read(value)?,
            ..Content::default()
        }))
    }

    /// Whether nothing is asked for.
    pub fn is_idle(&self) -> bool {
        self.0.redact.detectors.is_idle() && self.0.redact.paths.is_empty()
    }

    /// A text that is no body, such as a header field's value; none: it stays as it is.
    pub fn text(&self, text: &str) -> Option<String> {
        let detectors = &self.0.redact.detectors;
        detectors.may_find(text).then(|| detectors.redact(text))?
    }

    /// A body, which is what was asked or what was answered; none: it stays as it is.
    pub fn body(&self, root: Root, body: &[u8]) -> Option<Redacted> {
        let text = text_of(body).filter(|_| !self.is_idle())?;
        let mut pieces = Pieces {
            text,
            copied: 0,
            out: Redacted {
                bytes: Vec::new(),
                moved: Vec::new(),
            },
        };
        match document(text) {
            Some(document) => pieces.replace(0..text.len(), self.document(root, document)),
            None => self.lines(&mut pieces),
        }
        pieces.end(body)
    }

    /// Lines that hold documents, as in streams, and texts between them.
    fn lines(&self, pieces: &mut Pieces<'_>) {
        let mut between = 0..0;
        for line in pieces.text.split_inclusive('\n') {
            let start = between.end;
            let end = start + line.len();
            match event(line) {
                None => between.end = end,
                Some((offset, found)) => {
                    self.between(pieces, between);
                    let at = start + offset..start + offset + found.text().len();
                    pieces.replace(at, self.document(Root::Other, found));
                    between = end..end;
                }
            }
        }
        self.between(pieces, between);
    }

    fn between(&self, pieces: &mut Pieces<'_>, range: Range<usize>) {
        let text = pieces.text.get(range.clone()).unwrap_or_default();
        pieces.replace(range, self.text(text).map(String::into_bytes));
    }

    fn document(&self, root: Root, document: Raw<'_>) -> Option<Vec<u8>> {
        let mut policy = Policy::new(&self.0);
        policy.within(root);
        let mut out = Vec::with_capacity(document.text().len());
        write_clean(document, &mut out, 0, &mut policy);
        (policy.did.redacted > 0).then_some(out)
    }
}

/// A body that is written anew.
struct Pieces<'t> {
    text: &'t str,
    copied: usize,
    out: Redacted,
}

impl Pieces<'_> {
    fn replace(&mut self, range: Range<usize>, with: Option<Vec<u8>>) {
        let Some(with) = with else { return };
        let kept = self.text.get(self.copied..range.start).unwrap_or_default();
        self.out.bytes.extend_from_slice(kept.as_bytes());
        let start = self.out.bytes.len();
        self.out.bytes.extend_from_slice(&with);
        self.copied = range.end;
        self.out.moved.push((range, start..self.out.bytes.len()));
    }

    fn end(mut self, body: &[u8]) -> Option<Redacted> {
        if self.out.moved.is_empty() {
            return None;
        }
        let rest = body.get(self.copied..).unwrap_or_default();
        self.out.bytes.extend_from_slice(rest);
        Some(self.out)
    }
}

/// A body's text, less a character that was cut at its end.
fn text_of(body: &[u8]) -> Option<&str> {
    match std::str::from_utf8(body) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => {
            let whole = body.get(..error.valid_up_to())?;
            std::str::from_utf8(whole).ok()
        }
        Err(_) => None,
    }
}

/// A whole document of JSON.
fn document(text: &str) -> Option<Raw<'_>> {
    let begins = text.trim_start().starts_with(['{', '[']);
    let parsed = begins.then(|| Raw::parse(text).ok()).flatten()?;
    matches!(parsed.kind(), Kind::Object | Kind::Array).then_some(parsed)
}

/// The document that a line holds by itself or as the data of a server-sent event, and where it begins.
fn event(line: &str) -> Option<(usize, Raw<'_>)> {
    let data = line.strip_prefix("data:").unwrap_or(line);
    let data = data.trim_start();
    Some((line.len() - data.len(), document(data)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sk-proj-4f6Kq0x9ZpLm2Vt7Ws1Bd8Yh3Rn5Jc6Ga";

    fn policy(redact: &str) -> AtRest {
        AtRest::parse(redact).unwrap()
    }

    fn redacted(body: &str) -> String {
        let changed = policy("true").body(Root::Inputs, body.as_bytes());
        String::from_utf8(changed.map_or(body.as_bytes().to_vec(), |body| body.bytes)).unwrap()
    }

    #[test]
    fn documents_streams_and_texts_lose_their_secrets() {
        for (body, becomes) in [
            (
                format!(r#"{{"messages":[{{"content":"use {KEY}, will you"}}],"api_key":"x-1"}}"#),
                r#"{"messages":[{"content":"use [REDACTED], will you"}],"api_key":"[REDACTED]"}"#,
            ),
            (
                format!("data: {{\"a\":\"{KEY}\"}}\n\ndata: [DONE]\n\n"),
                "data: {\"a\":\"[REDACTED]\"}\n\ndata: [DONE]\n\n",
            ),
            (
                format!("{{\"a\":\"b\"}}\r\n{{\"Authorization\":[\"{KEY}\"]}}\r\n"),
                "{\"a\":\"b\"}\r\n{\"Authorization\":\"[REDACTED]\"}\r\n",
            ),
            (
                format!("it said {KEY}\nand no more"),
                "it said [REDACTED]\nand no more",
            ),
            (
                format!(r#"{{"a":"{KEY} and cut off"#),
                r#"{"a":"[REDACTED] and cut off"#,
            ),
        ] {
            assert_eq!(redacted(&body), becomes);
            assert_eq!(redacted(becomes), becomes, "twice is as once");
        }
    }

    #[test]
    fn tokens_go_with_the_text_that_they_repeat() {
        let tokens = r#"{"content":[{"token":"sk-proj-","bytes":[115]},{"token":"4f6Kq0"}]}"#;
        let choice = format!(r#"{{"message":{{"content":"use {KEY}"}},"logprobs":{tokens}}}"#);
        let clean = r#"{"message":{"content":"use [REDACTED]"},"logprobs":"[REDACTED]"}"#;
        assert_eq!(redacted(&choice), clean);
        assert_eq!(
            redacted(&format!("data: {choice}\n\n")),
            format!("data: {clean}\n\n")
        );
        let alone = r#"{"logprobs":{"tokens":["sk-pr","oj-4f6Kq0x9Zp","Lm2Vt7Ws1Bd8"]}}"#;
        assert_eq!(redacted(alone), r#"{"logprobs":"[REDACTED]"}"#);
        let harmless = r#"{"text":"Hi","logprobs":{"tokens":["H","i"]}}"#;
        assert_eq!(redacted(harmless), harmless);
        let asked = r#"{"prompt":"sk-0123456789abcdef","logprobs":5}"#;
        assert_eq!(redacted(asked), r#"{"prompt":"[REDACTED]","logprobs":5}"#);
    }

    #[test]
    fn tokens_nested_without_end_are_hidden_unseen() {
        // It would take minutes if each were looked at with all that is beside it.
        let depth = 20_000;
        let open = r#"{"logprobs":[],"a":"#.repeat(depth);
        let nested = format!("{open}1{}", "}".repeat(depth));
        let kept = redacted(&nested).matches(r#"":[]"#).count();
        assert_eq!(kept, 32);
    }

    #[test]
    fn what_holds_none_and_what_is_no_text_stays_as_it_came() {
        let policy = policy("true");
        let large = r#"{"n": 123456789012345678901234567890, "e": "\ud800"}"#;
        for body in [
            large.as_bytes(),
            b"",
            b"data: {}\n\n",
            b"\x1f\x8b\x08\xff\xff",
        ] {
            assert_eq!(policy.body(Root::Outputs, body), None);
        }
        assert!(self::policy("false").is_idle());
        let body = format!("{{\"a\":\"{KEY}\"}}");
        assert_eq!(
            self::policy("false").body(Root::Inputs, body.as_bytes()),
            None
        );
    }

    #[test]
    fn paths_hold_for_whole_documents() {
        let policy = policy(r#"{"paths":["/messages/*/content"]}"#);
        let body = br#"{"messages":[{"content":"private"}]}"#;
        let changed = policy.body(Root::Inputs, body).unwrap();
        assert_eq!(changed.bytes, br#"{"messages":[{"content":"[REDACTED]"}]}"#);
    }

    #[test]
    fn places_move_with_what_stands_there() {
        let body = format!("data: {{\"a\":\"{KEY}\"}}\n\ndata: {{\"b\":1}}\n\n");
        let changed = policy("true").body(Root::Outputs, body.as_bytes()).unwrap();
        let new = String::from_utf8(changed.bytes.clone()).unwrap();
        for (old, character) in body.char_indices() {
            let is_outside = old < 6 || old > body.find('}').unwrap();
            let place = changed.place(old);
            assert!(place <= new.len());
            if is_outside {
                assert_eq!(new[place..].chars().next(), Some(character), "{old}");
            }
        }
        assert_eq!(changed.place(body.len()), new.len());
    }

    #[test]
    fn a_character_that_was_cut_hides_nothing() {
        let mut body = format!("{KEY} \u{e9}").into_bytes();
        body.pop();
        let changed = policy("true").body(Root::Outputs, &body).unwrap();
        assert_eq!(changed.bytes, b"[REDACTED] \xc3");
    }
}
