//! A conversation of three calls, one session: tools are called, what they answered is told, and asked on.

use serde_json::{Value, json};

use super::{Call, SECOND, kwargs, line};
use crate::expect::Expected;

const MODEL: &str = "gpt-4o-mini";
/// How the session is called.
pub const SESSION: &str = "trip-to-oslo";

/// The conversation, its first call begun at `start_ns`.
pub fn conversation(id: &str, start_ns: i64) -> Vec<Call> {
    let said = |role: &str, text: &str| json!({"role": role, "content": text});
    let calls = json!({"role": "assistant", "content": "Let me look.", "tool_calls": [
        tool_call("call_paris", "Paris"), tool_call("call_oslo", "Oslo"),
    ]});
    let result =
        |id: &str, weather: &str| json!({"role": "tool", "tool_call_id": id, "content": weather});
    let asked = [
        said("system", "You plan trips. Be brief."),
        said("user", "What is the weather in Paris and in Oslo?"),
    ];
    let told = [
        result("call_paris", "18 °C, clear"),
        result("call_oslo", "4 °C, rain"),
    ];
    let answer = said(
        "assistant",
        "**Paris** is clear at 18 °C, **Oslo** has rain at 4 °C. Take an umbrella to Oslo. ☔",
    );
    let next = said("user", "And what shall I wear there?");
    let last = said(
        "assistant",
        "A warm coat, and shoes that keep the water out.",
    );

    let first = asked.to_vec();
    let second = [&asked[..], std::slice::from_ref(&calls), &told].concat();
    let third = [&second[..], &[answer.clone(), next]].concat();
    vec![
        turn(&format!("{id}-1"), start_ns, &first, &calls, [63, 38]),
        turn(
            &format!("{id}-2"),
            start_ns + 2 * SECOND,
            &second,
            &answer,
            [141, 31],
        ),
        turn(
            &format!("{id}-3"),
            start_ns + 9 * SECOND,
            &third,
            &last,
            [184, 14],
        ),
    ]
}

fn tool_call(id: &str, city: &str) -> Value {
    let arguments = json!({"city": city}).to_string();
    json!({"id": id, "type": "function", "function": {"name": "get_weather", "arguments": arguments}})
}

fn turn(id: &str, start_ns: i64, messages: &[Value], answer: &Value, tokens: [i64; 2]) -> Call {
    let [input, output] = tokens;
    let end_ns = start_ns + 400_000_000 + output * 20_000_000;
    let tools = json!([{"type": "function", "function": {
        "name": "get_weather", "description": "The weather in a city, now",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }}]);
    let finish_reason = match answer["tool_calls"].is_array() {
        true => "tool_calls",
        false => "stop",
    };
    let response = json!({
        "id": format!("chatcmpl-{id}"), "object": "chat.completion", "created": start_ns / SECOND,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "finish_reason": finish_reason, "message": answer}],
        "usage": {"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output},
    });
    let [input_cost, output_cost] = [input as f64 * 0.15e-6, output as f64 * 0.6e-6];
    let mut kwargs = kwargs(id, "completion", MODEL, &json!(messages));
    kwargs["optional_params"] = json!({"tools": tools, "temperature": 0.2});
    kwargs["response_cost"] = json!(input_cost + output_cost);
    kwargs["standard_logging_object"] = json!({
        "cost_breakdown": {
            "input_cost": input_cost, "output_cost": output_cost, "total_cost": input_cost + output_cost,
        },
        "request_tags": ["team:travel"],
    });
    let mut line = line("success", kwargs, response.clone(), start_ns, end_ns);
    line["session"] = json!(SESSION);
    line["user"] = json!("ada");
    Call {
        lines: vec![line],
        expected: Expected {
            inputs: json!({"messages": messages, "tools": tools}),
            outputs: response,
            tokens: Some([input, output, input + output]),
            total_cost: Some(input_cost + output_cost),
            tags: vec![("team", "travel")],
            session: Some(SESSION),
            user: Some("ada"),
            ..Expected::success(id, "litellm-completion", "LLM", start_ns, end_ns)
        },
    }
}
