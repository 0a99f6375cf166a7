//! What belongs to the trace rather than to the span: name, tags, session, user.
//!
//! MLflow takes it from the attributes of the root span; of a child it stays an attribute. Limits as
//! measured against MLflow 3.17.2: a tag's key 250 characters, its value 4096, metadata 250.

use super::attributes::Encoder;
use crate::call::Call;
use crate::json;

const TAG_PREFIX: &str = "mlflow.traceTag.";
const TRACE_NAME: &str = "mlflow.traceName";
const KEY_MAX: usize = 250;
const VALUE_MAX: usize = 4096;
const METADATA_MAX: usize = 250;

impl Encoder<'_, '_, '_> {
    pub(super) fn trace_data(&mut self, call: &Call<'_>, is_root: bool) {
        let trace = &call.trace;
        if let Some(session) = &trace.session {
            let session = self.policy.text(session).into_owned();
            self.limited("session.id", &session, METADATA_MAX);
        }
        if let Some(user) = &trace.user {
            let user = self.policy.user(user).into_owned();
            self.limited("user.id", &user, METADATA_MAX);
        }
        if let Some((name, version)) = &trace.prompt {
            self.text("gen_ai.prompt.name", name);
            if let Some(version) = version {
                self.linked_prompt(name, version);
            }
        }
        let mut named = false;
        // From the end, since the last of a key counts.
        let mut seen: Vec<&str> = Vec::new();
        for (key, value) in trace.tags.iter().rev() {
            if seen.contains(&key.as_ref()) {
                continue;
            }
            seen.push(key);
            let shown = self.policy.text(key);
            if let Err(repair) = accepted(&shown) {
                self.repairs.push(repair);
                continue;
            }
            named |= shown == TRACE_NAME;
            let value = self.policy.named(key, value).into_owned();
            self.limited(&format!("{TAG_PREFIX}{shown}"), &value, VALUE_MAX);
        }
        if is_root && !named {
            let name = self.policy.text(&call.name).into_owned();
            self.limited(&format!("{TAG_PREFIX}{TRACE_NAME}"), &name, VALUE_MAX);
        }
    }

    /// MLflow links a trace to versions of prompts in its registry.
    fn linked_prompt(&mut self, name: &str, version: &str) {
        let mut json = b"[{\"name\":".to_vec();
        json::write_str(&self.policy.text(name), &mut json);
        json.extend_from_slice(b",\"version\":");
        json::write_str(&self.policy.text(version), &mut json);
        json.extend_from_slice(b"}]");
        self.attributes.string("mlflow.linkedPrompts", &json);
    }

    /// A text that went through the policy, cut to MLflow's limit.
    fn limited(&mut self, key: &str, value: &str, max: usize) {
        match value.char_indices().nth(max) {
            None => self.attributes.text(key, value),
            Some((end, _)) => {
                self.repairs
                    .push("tags or metadata were cut to MLflow's limit");
                let kept = value.get(..end).unwrap_or_default();
                self.attributes.text(key, kept);
            }
        }
    }
}

/// Whether MLflow stores a tag of this key, and no harm comes of it: `mlflow.trace.spansLocation`
/// from outside makes a trace unreadable, other reserved keys mislead.
fn accepted(key: &str) -> Result<(), &'static str> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '/' | '_' | '.' | '-' | ' ' | ':');
    if key.is_empty() || key.chars().count() > KEY_MAX || !key.chars().all(allowed) {
        return Err("tags that MLflow does not store were left out");
    }
    if key.starts_with("mlflow.") && key != TRACE_NAME {
        return Err("tags under MLflow's reserved names were left out");
    }
    Ok(())
}
