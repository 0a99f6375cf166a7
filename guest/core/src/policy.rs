//! What of a call is kept: categories that are not captured are left out, secrets are replaced, and
//! what is left is cut to its length, in this order.
//!
//! It runs while a span is written, before anything is queued: what a policy takes away is nowhere
//! held.

use std::borrow::Cow;

use crate::json::{self, Filter};
use crate::redact::{self, REDACTED};
use crate::settings::Content;

/// What takes the place of what is not captured.
pub(crate) const NOT_CAPTURED: &str = "[not captured]";

/// The members that hold a model's reasoning: OpenAI-compatible servers' `reasoning_content` and
/// `reasoning` and `reasoning_details`, Bedrock's `reasoningContent`, Anthropic's `thinking`, litellm's
/// `thinking_blocks`.
const REASONING: [&str; 6] = [
    "reasoning_content",
    "reasoningContent",
    "reasoning",
    "reasoning_details",
    "thinking",
    "thinking_blocks",
];

/// A policy at work on one span; counts what it did.
pub struct Policy<'s> {
    content: &'s Content,
    /// How many values had a secret replaced.
    pub redacted: usize,
    /// How many strings were cut.
    pub cut: usize,
}

impl<'s> Policy<'s> {
    /// The policy that the settings ask for.
    pub fn new(content: &'s Content) -> Self {
        Self {
            content,
            redacted: 0,
            cut: 0,
        }
    }

    /// The settings.
    pub fn content(&self) -> &'s Content {
        self.content
    }

    /// Text that is no JSON.
    pub fn text<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        let suspect = self.content.redact && redact::may_hold_secret(text);
        self.apply(Cow::Borrowed(text), suspect)
    }

    fn apply<'t>(&mut self, mut text: Cow<'t, str>, suspect: bool) -> Cow<'t, str> {
        if let (true, Some(redacted)) = (suspect, redact::redact(&text)) {
            self.redacted += 1;
            text = Cow::Owned(redacted);
        }
        match self.content.max_value_bytes {
            Some(max) if text.len() > max => {
                self.cut += 1;
                Cow::Owned(cut(&text, max))
            }
            _ => text,
        }
    }
}

impl Filter for Policy<'_> {
    fn string<'t>(&mut self, escaped: &'t str) -> Option<Cow<'t, str>> {
        let suspect = self.content.redact && redact::may_hold_secret(escaped);
        let long = self
            .content
            .max_value_bytes
            .is_some_and(|max| escaped.len() > max);
        (suspect || long).then(|| self.apply(json::unescape(escaped), suspect))
    }

    fn member(&mut self, escaped: &str, is_string: bool) -> Option<&'static str> {
        if is_string && self.content.redact && redact::is_secret_name(escaped) {
            self.redacted += 1;
            return Some(REDACTED);
        }
        let dropped = !self.content.capture.reasoning && REASONING.contains(&escaped);
        dropped.then_some(NOT_CAPTURED)
    }
}

/// The first `max` bytes, less what would split a character, and how many are missing.
fn cut(text: &str, max: usize) -> String {
    let end = (0..=max)
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    let kept = text.get(..end).unwrap_or_default();
    format!("{kept}… [{} bytes cut]", text.len() - end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Raw, write_clean};
    use crate::settings::Settings;

    fn filtered(settings: &str, json: &str) -> (String, usize, usize) {
        let settings = format!(r#"{{"tracking_uri":"http://localhost:5000",{settings}}}"#);
        let settings = Settings::parse(&settings).unwrap();
        let mut policy = Policy::new(&settings.content);
        let mut out = Vec::new();
        write_clean(Raw::parse(json).unwrap(), &mut out, 0, &mut policy);
        (String::from_utf8(out).unwrap(), policy.redacted, policy.cut)
    }

    #[test]
    fn secrets_go_before_strings_are_cut() {
        let text = format!("{}sk-0123456789abcdef", "é\\n".repeat(30));
        let (out, redacted, cut) = filtered(r#""max_value_bytes":64"#, &format!("[\"{text}\"]"));
        assert_eq!((redacted, cut), (1, 1));
        assert!(out.ends_with("é\\n… [37 bytes cut]\"]"), "{out}");
        assert!(!out.contains("sk-"), "{out}");
    }

    #[test]
    fn members_are_replaced_whole() {
        let json =
            r#"{"api_key": "a", "access_token":{}, "reasoning_content":"hm", "x":"reasoning"}"#;
        assert_eq!(
            filtered(r#""capture":{"reasoning":false}"#, json),
            (
                r#"{"api_key": "[REDACTED]", "access_token":{}, "reasoning_content":"[not captured]", "x":"reasoning"}"#
                    .to_owned(),
                1,
                0
            )
        );
        assert_eq!(filtered(r#""redact":false"#, json).0, json);
    }
}
