//! Tools and reasoning within requests and responses, where they are not to be captured.
//!
//! Tools are taken out: what a model could call, what it chose, called and got back. Reasoning is replaced, so that it
//! shows that there was some. Both are told by members' names and by the types of the objects they are in, in every
//! format that is read.

use std::borrow::Cow;

use crate::json::{Kind, Node, Raw};
use crate::settings::Capture;

/// What takes the place of what is not captured.
pub(crate) const NOT_CAPTURED: &str = "[not captured]";

/// How deep is looked; what lies deeper, MLflow could not read, and it is not kept.
const DEPTH: usize = 48;

/// Members that hold tools, their choice, calls of them, or plans of calls.
const TOOLS: [&str; 22] = [
    "allowed_tools",
    "functionCall",
    "functionDeclarations",
    "functionResponse",
    "function_call",
    "function_call_output",
    "functions",
    "mcp_servers",
    "parallel_tool_calls",
    "toolChoice",
    "toolConfig",
    "toolResult",
    "toolUse",
    "tool_calls",
    "tool_choice",
    "tool_config",
    "tool_outputs",
    "tool_plan",
    "tool_results",
    "tool_use",
    "toolUseId",
    "tools",
];

/// Members that hold a model's reasoning: OpenAI-compatible servers' `reasoning_content`, `reasoning` and
/// `reasoning_details`, Bedrock's `reasoningContent`, Anthropic's `thinking`, litellm's `thinking_blocks`.
const REASONING: [&str; 6] = [
    "reasoning",
    "reasoningContent",
    "reasoning_content",
    "reasoning_details",
    "thinking",
    "thinking_blocks",
];

/// Members that say how to reason, and how much.
const PARAMETERS: [&str; 11] = [
    "budget_tokens",
    "display",
    "effort",
    "enabled",
    "exclude",
    "generate_summary",
    "includeThoughts",
    "max_tokens",
    "mode",
    "summary",
    "type",
];

/// Members that hold the text of an object whose type says that it is reasoning.
const TEXTS: [&str; 8] = [
    "content",
    "data",
    "delta",
    "encrypted_content",
    "part",
    "signature",
    "summary",
    "text",
];

/// A value without what is not captured, as JSON; None where that is all of it.
pub(crate) fn hide(value: Raw<'_>, capture: Capture) -> Option<String> {
    if capture.tools && capture.reasoning {
        return None;
    }
    Some(
        Hide(capture)
            .node(value, 0)
            .unwrap_or_else(|| Node::text(NOT_CAPTURED))
            .json(),
    )
}

struct Hide(Capture);

impl Hide {
    /// None where nothing is left.
    fn node(&self, value: Raw<'_>, depth: usize) -> Option<Node> {
        match value.kind() {
            Kind::Array | Kind::Object if depth == DEPTH => Some(Node::text(NOT_CAPTURED)),
            Kind::Array => {
                let items = value.items().filter_map(|item| self.node(item, depth + 1));
                Some(Node::List(items.collect()))
            }
            Kind::Object => self.object(value, depth),
            _ => Some(Node::from(value)),
        }
    }

    fn object(&self, value: Raw<'_>, depth: usize) -> Option<Node> {
        let kind = Kinds::of(value);
        if !self.0.tools && kind.is_tool_call {
            return None;
        }
        let mut members = Vec::new();
        for (name, member) in value.entries() {
            let name = name.into_owned();
            let is = |names: &[&str]| names.contains(&name.as_str());
            if !self.0.tools && is(&TOOLS) && says_something(member) {
                // Gemini's and Bedrock's parts are told by the one member they have.
                continue;
            }
            let hides_text =
                !self.0.reasoning && kind.is_reasoning && is(&TEXTS) && member.is_truthy();
            let is_reasoning =
                !self.0.reasoning && is(&REASONING) && member.is_truthy() && !is_parameters(member);
            let is_result = !self.0.tools
                && kind.is_tool_result
                && is(&["content", "documents", "output", "parts"]);
            let node = if hides_text || is_reasoning || is_result {
                Some(Node::text(NOT_CAPTURED))
            } else {
                self.node(member, depth + 1)
            };
            // Of an answer that was nothing but a call, null is left, as APIs have it.
            members.push((name, node.unwrap_or_else(|| Node::from(Raw::NULL))));
        }
        Some(Node::Object(members))
    }
}

/// What an object's type and role say of it.
#[derive(Clone, Copy, Default)]
struct Kinds {
    is_reasoning: bool,
    is_tool_call: bool,
    is_tool_result: bool,
}

impl Kinds {
    fn of(object: Raw<'_>) -> Self {
        let [kind, role, thought, delta, block] =
            object.fields(["type", "role", "thought", "delta", "content_block"]);
        let kind = text(kind).unwrap_or_default();
        let role = text(role).unwrap_or_default();
        let inner = [delta, block].into_iter().flatten();
        let is_input = inner
            .filter_map(|inner| text(inner.get("type")))
            .any(|kind| kind == "input_json_delta");
        // OpenAI's Responses, Anthropic, Mistral, Cohere; Gemini's parts that are thoughts.
        let is_reasoning = matches!(
            &*kind,
            "reasoning"
                | "thinking"
                | "redacted_thinking"
                | "thinking_delta"
                | "signature_delta"
                | "reasoning_text"
                | "summary_text"
                | "reasoning.text"
                | "reasoning.summary"
                | "reasoning.encrypted"
        ) || kind.starts_with("response.reasoning")
            || thought.and_then(Raw::as_bool) == Some(true);
        let is_call = |kind: &str| {
            // `function` is what OpenAI calls both a tool and its call.
            kind == "function"
                || kind == "tool_use"
                || kind.ends_with("_tool_use")
                || kind.ends_with("tool_result")
                || kind == "tool-call-delta"
                || kind.starts_with("tool-call")
                || kind == "tool-plan-delta"
                || kind.ends_with("_call")
                || kind.ends_with("_call_output")
                || kind.starts_with("mcp_")
                || kind.starts_with("response.function_call")
                || kind.starts_with("response.mcp_call")
                || kind.starts_with("response.custom_tool_call")
        };
        Self {
            is_reasoning,
            is_tool_call: is_call(&kind) || is_input,
            is_tool_result: matches!(&*role, "tool" | "function") || kind == "tool_result",
        }
    }
}

/// Null and empty members tell no tools; `toolConfig` and the like tell that there are some.
fn says_something(member: Raw<'_>) -> bool {
    !member.is_null()
}

/// Whether it says how to reason rather than what was thought.
fn is_parameters(member: Raw<'_>) -> bool {
    let scalar = |value: Raw<'_>| !matches!(value.kind(), Kind::Array | Kind::Object);
    let short = |value: Raw<'_>| value.text().len() <= 32;
    match member.kind() {
        Kind::Bool | Kind::Number => true,
        Kind::Object => member.entries().all(|(name, value)| {
            PARAMETERS.contains(&name.as_ref()) && scalar(value) && short(value)
        }),
        _ => false,
    }
}

/// The text, of a member that is one.
fn text(value: Option<Raw<'_>>) -> Option<Cow<'_, str>> {
    value.and_then(Raw::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(tools: bool, reasoning: bool, json: &str) -> String {
        let capture = Capture {
            tools,
            reasoning,
            ..Capture::default()
        };
        hide(Raw::parse(json).unwrap(), capture).unwrap_or_else(|| json.to_owned())
    }

    #[test]
    fn tools_are_taken_out() {
        for (json, left) in [
            (
                r#"{"model":"m","tools":[1],"tool_choice":"auto","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"c"}]},{"role":"tool","content":"42"}]}"#,
                r#"{"model":"m","messages":[{"role":"assistant","content":null},{"role":"tool","content":"[not captured]"}]}"#,
            ),
            (
                r#"{"content":[{"type":"text","text":"a"},{"type":"tool_use","input":{}},{"type":"tool_result","content":"x"}]}"#,
                r#"{"content":[{"type":"text","text":"a"}]}"#,
            ),
            (
                r#"{"parts":[{"functionCall":{"name":"f"}},{"text":"a"}]}"#,
                r#"{"parts":[{},{"text":"a"}]}"#,
            ),
            (
                r#"{"output":[{"type":"function_call","arguments":"{}"},{"type":"message"}]}"#,
                r#"{"output":[{"type":"message"}]}"#,
            ),
            (
                r#"{"type":"response.function_call_arguments.delta","delta":"{"}"#,
                r#""[not captured]""#,
            ),
        ] {
            assert_eq!(hidden(false, true, json), left);
            assert_eq!(hidden(true, true, json), json);
        }
    }

    #[test]
    fn reasoning_is_replaced_and_its_parameters_stay() {
        for (json, left) in [
            (
                r#"{"reasoning_content":"hm","x":"reasoning","reasoning":{"effort":"high"},"thinking":{"type":"enabled","budget_tokens":9}}"#,
                r#"{"reasoning_content":"[not captured]","x":"reasoning","reasoning":{"effort":"high"},"thinking":{"type":"enabled","budget_tokens":9}}"#,
            ),
            (
                r#"{"type":"reasoning","id":"r","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"e"}"#,
                r#"{"type":"reasoning","id":"r","summary":"[not captured]","encrypted_content":"[not captured]"}"#,
            ),
            (
                r#"{"type":"redacted_thinking","data":"d"}"#,
                r#"{"type":"redacted_thinking","data":"[not captured]"}"#,
            ),
            (
                r#"{"thought":true,"text":"hm"}"#,
                r#"{"thought":true,"text":"[not captured]"}"#,
            ),
            (r#"{"thinking":null}"#, r#"{"thinking":null}"#),
        ] {
            assert_eq!(hidden(true, false, json), left);
        }
    }

    #[test]
    fn depth_hides_nothing() {
        let deep = "[".repeat(500) + r#"{"reasoning_content":"hm"}"# + &"]".repeat(500);
        assert!(!hidden(true, false, &deep).contains("hm"));
    }
}
