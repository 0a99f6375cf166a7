//! Error bodies: what went wrong, in each provider's own shape.

use std::borrow::Cow;

use crate::json::{Kind, Raw};
use crate::litellm::{scalar_text, some_text};

/// How much of a message that is no JSON is kept.
const LONGEST: usize = 2000;

/// What an error body says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fault {
    /// Its type, in the provider's own word.
    pub kind: Option<String>,
    /// In words.
    pub message: Option<String>,
}

impl Fault {
    /// Reads an error body.
    pub fn read(body: Raw<'_>) -> Self {
        if body.kind() == Kind::Array {
            return body.items().next().map(Self::read).unwrap_or_default();
        }
        if let Some(text) = body.as_str() {
            return Self {
                kind: None,
                message: Some(text.trim().chars().take(LONGEST).collect()),
            };
        }
        // OpenAI and those like it, Anthropic, Gemini, Ollama; the Responses API's failed response.
        let nested = body
            .get("response")
            .and_then(|response| response.get("error"));
        if let Some(error) = body
            .get("error")
            .or(nested)
            .filter(|error| error.is_truthy())
        {
            let [kind, status, code, message] = error.fields(["type", "status", "code", "message"]);
            let kind = some_text(kind)
                .or_else(|| some_text(status))
                .or_else(|| some_text(code));
            let message = message.and_then(words).or_else(|| words(error));
            return Self {
                kind: kind.map(Cow::into_owned),
                message,
            };
        }
        // Bedrock, Cohere, Mistral, FastAPI.
        let [message, other_message, detail, kind, code, name] =
            body.fields(["message", "Message", "detail", "type", "code", "__type"]);
        let kind = some_text(kind).filter(|kind| kind != "error");
        let kind = kind.or_else(|| some_text(name)).or_else(|| some_text(code));
        Self {
            kind: kind.map(|kind| kind.rsplit('#').next().unwrap_or_default().to_owned()),
            message: [message, other_message, detail]
                .into_iter()
                .flatten()
                .find_map(words),
        }
    }

    /// The error that an event of a stream tells, if it does.
    pub fn of_event(name: &str, is_error: bool, data: Raw<'_>) -> Option<Self> {
        if is_error {
            let told = Self::read(data);
            return Some(Self {
                kind: Some(name.to_owned())
                    .filter(|name| !name.is_empty())
                    .or(told.kind),
                message: told.message,
            });
        }
        if data.kind() != Kind::Object {
            return (name == "error").then(|| Self::read(data));
        }
        let [error, kind] = data.fields(["error", "type"]);
        let failed = name == "error"
            || error.is_some_and(Raw::is_truthy)
            || kind.is_some_and(|kind| matches!(kind.text(), "\"error\"" | "\"response.failed\""));
        failed.then(|| Self::read(data))
    }
}

/// A message in words: text, or JSON as it is.
fn words(value: Raw<'_>) -> Option<String> {
    let text = match value.kind() {
        Kind::Null => return None,
        Kind::Array | Kind::Object => Cow::Borrowed(value.text()),
        _ => scalar_text(value)?,
    };
    (!text.is_empty()).then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> (Option<String>, Option<String>) {
        let fault = Fault::read(Raw::parse(body).unwrap());
        (fault.kind, fault.message)
    }

    #[test]
    fn every_providers_errors_are_read() {
        for (body, kind, message) in [
            // OpenAI, DeepSeek, Groq
            (
                r#"{"error":{"message":"m","type":"invalid_request_error","param":null,"code":null}}"#,
                "invalid_request_error",
                "m",
            ),
            // Azure OpenAI
            (r#"{"error":{"code":"429","message":"m"}}"#, "429", "m"),
            // Anthropic
            (
                r#"{"type":"error","error":{"type":"overloaded_error","message":"m"},"request_id":"r"}"#,
                "overloaded_error",
                "m",
            ),
            // Gemini, also as the only element of a streamed array
            (
                r#"[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}]"#,
                "RESOURCE_EXHAUSTED",
                "m",
            ),
            // Bedrock
            (
                r#"{"__type":"com.amazon#ThrottlingException","message":"m"}"#,
                "ThrottlingException",
                "m",
            ),
            // Mistral
            (
                r#"{"object":"error","message":"m","type":"invalid_model","code":"1500"}"#,
                "invalid_model",
                "m",
            ),
            // The Responses API
            (
                r#"{"type":"response.failed","response":{"error":{"code":"server_error","message":"m"}}}"#,
                "server_error",
                "m",
            ),
        ] {
            let expected = (Some(kind.to_owned()), Some(message.to_owned()));
            assert_eq!(read(body), expected, "{body}");
        }
    }

    #[test]
    fn errors_without_a_type_have_a_message() {
        for (body, message) in [
            (r#"{"error":"model not found"}"#, "model not found"),
            (r#"{"message":"invalid api token"}"#, "invalid api token"),
            (
                r#"{"detail":[{"msg":"field required"}]}"#,
                r#"[{"msg":"field required"}]"#,
            ),
            (r#""Bad gateway""#, "Bad gateway"),
        ] {
            assert_eq!(read(body), (None, Some(message.to_owned())), "{body}");
        }
        assert_eq!(read("{}"), (None, None));
    }
}
