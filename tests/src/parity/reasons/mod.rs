//! Why a field may hold something else than the original left there.
//!
//! Each reason names a defect of the original, as its source (`litellm/integrations/mlflow.py`, litellm
//! 1.81.16) and the recordings show it, and says in which situation it explains a field. Where it can,
//! it says what has to be held instead: a value that is merely different stays unexplained.

mod accounting;
mod content;
mod lost;
mod transport;

use super::compare::Difference;

/// Why a field is better, or not yet as good.
pub struct Reason {
    /// Its name: an anchor in the document.
    pub id: &'static str,
    /// Why in short; it comes after "better, because".
    pub because: &'static str,
    /// What the original does, what MLflow then holds, and what is held here.
    pub detail: &'static str,
    /// Whether it explains a field.
    pub explains: fn(&Difference<'_>) -> bool,
}

impl std::fmt::Debug for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

/// Why fields are better. The first one that explains a field counts.
const BETTER: [&[Reason]; 4] = [
    lost::REASONS,
    content::REASONS,
    accounting::REASONS,
    transport::REASONS,
];

/// Where fields are not as good as they were, though they could be.
pub const NOT_YET: &[Reason] = &[
    Reason {
        id: "null-provider",
        because: "a provider that is only in the model's name is recorded as null",
        detail: "For a hit of its cache litellm may name the provider only in the model, as in `openai/gpt-4o-mini`.",
        explains: |d| {
            let is_null = d.held.is_some_and(serde_json::Value::is_null);
            d.attribute() == Some("custom_llm_provider") && d.recorded.is_none() && is_null
        },
    },
    Reason {
        id: "preview-spaces",
        because: "previews that are no chat have no spaces after `:` and `,`",
        detail: "MLflow cuts its preview from the text of the inputs as sent, and Python's `json.dumps` puts a space \
                 after each colon and comma.",
        explains: |d| {
            let spaceless = |text: &str| text.replace(' ', "");
            let text = |value: Option<&serde_json::Value>| value?.as_str().map(spaceless);
            matches!(d.field, "trace.request_preview" | "trace.response_preview")
                && d.recorded.is_some()
                && text(d.recorded) == text(d.held)
        },
    },
    Reason {
        id: "stacktrace-end",
        because: "the stack trace keeps the line feed at its end",
        detail: "litellm's `traceback_exception` ends with a line feed, which MLflow's `SpanEvent.from_exception` strips.",
        explains: |d| {
            let first = |value: Option<&serde_json::Value>| {
                Some(value?.get(0)?.as_str()?.trim().to_owned())
            };
            d.field == "events.exception.stacktrace"
                && d.recorded.is_some()
                && first(d.recorded) == first(d.held)
        },
    },
];

/// All reasons, in the order of the document.
pub fn all() -> impl Iterator<Item = &'static Reason> {
    BETTER.into_iter().flatten().chain(NOT_YET)
}

impl Reason {
    /// Whether the field is not as good as it was.
    pub fn is_not_yet(&self) -> bool {
        NOT_YET.iter().any(|reason| reason.id == self.id)
    }
}
