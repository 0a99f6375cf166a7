//! What a span says its call cost, by what the payload says.

mod support;

use logger_core::event::{CallStart, Context, Hook};
use serde_json::{Value, json};
use support::{NOW, START, attribute, log, logger, payload, span};

/// A payload with further members of `kwargs`.
fn call(kwargs: Value) -> Value {
    let mut payload = payload("c");
    let members = payload["kwargs"].as_object_mut().unwrap();
    members.extend(kwargs.as_object().unwrap().clone());
    payload
}

fn cost_of(hook: Hook, settings: Value, payload: &Value) -> Option<Value> {
    let mut logger = logger(settings);
    log(&mut logger, hook, 1, payload).unwrap();
    attribute(&span(&mut logger), "mlflow.llm.cost")
}

fn cost(payload: &Value) -> Option<Value> {
    cost_of(Hook::Success, json!({}), payload)
}

#[track_caller]
fn assert_cost(found: Option<Value>, input: f64, output: f64, total: f64) {
    let found = found.expect("a cost");
    for (key, expected) in [
        ("input_cost", input),
        ("output_cost", output),
        ("total_cost", total),
    ] {
        let value = found[key].as_f64().unwrap_or(f64::NAN);
        assert!(
            (value - expected).abs() <= 1e-12 * expected,
            "{key}: {found}"
        );
    }
}

fn free() -> Option<Value> {
    Some(json!({"input_cost": 0, "output_cost": 0, "total_cost": 0}))
}

fn only_total(total: f64) -> Option<Value> {
    Some(json!({"total_cost": total}))
}

#[test]
fn litellms_breakdown_goes_before_all() {
    let breakdown =
        json!({"input_cost": 1.0, "output_cost": 2.0, "total_cost": 3.5, "tool_usage_cost": 0.5});
    let payload = call(json!({
        "response_cost": 9.0,
        "standard_logging_object": {"response_cost": 9.0, "cost_breakdown": breakdown},
    }));
    assert_cost(cost(&payload), 1.0, 2.0, 3.5);
}

#[test]
fn a_total_is_divided_as_the_price_divides_it() {
    // gpt-4o-mini: 12 x 0.15 = 1.8, 3 x 0.60 = 1.8: half and half.
    assert_cost(cost(&call(json!({"response_cost": 0.5}))), 0.25, 0.25, 0.5);
    let standard = json!({"standard_logging_object": {"response_cost": 0.5}, "response_cost": 0.1});
    assert_cost(cost(&call(standard)), 0.25, 0.25, 0.5);
    let breakdown = json!({"standard_logging_object": {"cost_breakdown": {"total_cost": 0.5, "input_cost": "free"}}});
    assert_cost(cost(&call(breakdown)), 0.25, 0.25, 0.5);
}

#[test]
fn a_total_that_nobody_can_divide_stands_alone() {
    let mut payload = call(json!({"response_cost": 0.5, "model": "my-model"}));
    payload["response_obj"]["model"] = json!("my-model");
    assert_eq!(cost(&payload), only_total(0.5));
    payload["response_obj"]["usage"] = Value::Null;
    assert_eq!(cost(&payload), only_total(0.5));
    // Where only input was used, all of it is for the input.
    payload["response_obj"]["usage"] = json!({"prompt_tokens": 12, "total_tokens": 12});
    assert_cost(cost(&payload), 0.5, 0.0, 0.5);
}

#[test]
fn what_nobody_says_is_computed() {
    // 12 x 0.15 = 1.8 and 3 x 0.60 = 1.8 millionths.
    assert_cost(cost(&payload("c")), 1.8e-6, 1.8e-6, 3.6e-6);
    // litellm's standard logging object says 0 where litellm knows no price.
    let unknown =
        call(json!({"response_cost": null, "standard_logging_object": {"response_cost": 0.0}}));
    assert_cost(cost(&unknown), 1.8e-6, 1.8e-6, 3.6e-6);
    let mut unknown = call(json!({"model": "my-model"}));
    unknown["response_obj"]["model"] = json!("my-model");
    assert_eq!(cost(&unknown), None);
}

#[test]
fn nothing_is_a_cost_too() {
    assert_eq!(cost(&call(json!({"response_cost": 0.0}))), free());
    let hit = json!({"response_cost": 0.0, "cache_hit": true, "standard_logging_object": {
        "cache_hit": true, "cost_breakdown": {"input_cost": 1.0, "output_cost": 2.0, "total_cost": 3.0}}});
    assert_eq!(cost(&call(hit)), free());
    let settings = json!({"prices": {"gpt-4o-mini": {"input": 0, "output": 0}}});
    assert_eq!(cost_of(Hook::Success, settings, &payload("c")), free());
}

#[test]
fn a_failed_call_costs_what_it_used() {
    let mut failed = call(
        json!({"response_cost": 0, "exception": "boom", "standard_logging_object": {
        "response_cost": 0.0, "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}}),
    );
    failed["response_obj"] = Value::Null;
    assert_eq!(cost_of(Hook::Failure, json!({}), &failed), None);
    let rerank = json!({"request": 1});
    assert_eq!(
        cost_of(
            Hook::Failure,
            json!({"prices": {"gpt-4o-mini": rerank}}),
            &failed
        ),
        None
    );
    failed["kwargs"]["standard_logging_object"] =
        json!({"prompt_tokens": 1000, "completion_tokens": 0});
    assert_cost(
        cost_of(Hook::Failure, json!({}), &failed),
        1.5e-4,
        0.0,
        1.5e-4,
    );
    failed["kwargs"]["response_cost"] = json!(0.5);
    assert_cost(cost_of(Hook::Failure, json!({}), &failed), 0.5, 0.0, 0.5);
}

#[test]
fn nonsense_is_no_cost() {
    for bad in [
        "NaN", "Infinity", "-1", "1e400", "\"half\"", "\"NaN\"", "[]", "true",
    ] {
        let text = call(json!({"response_cost": "BAD", "standard_logging_object": {
            "response_cost": "BAD", "cost_breakdown": {"input_cost": "BAD", "output_cost": "BAD", "total_cost": "BAD"}}}));
        let text = text.to_string().replace("\"BAD\"", bad);
        let mut logger = logger(json!({}));
        let event = support::event(Hook::Success, 1, &text);
        logger.log(NOW, &event).unwrap();
        assert_cost(
            attribute(&span(&mut logger), "mlflow.llm.cost"),
            1.8e-6,
            1.8e-6,
            3.6e-6,
        );
    }
}

#[test]
fn settings_price_and_unprice() {
    let priced = json!({"prices": {"gpt-4o-mini": {"input": 1, "output": 2, "request": 0.001}}});
    let found = cost_of(Hook::Success, priced, &payload("c"));
    assert_cost(found, 0.001 + 12e-6, 6e-6, 0.001 + 18e-6);
    for none in [Value::Null, Value::Bool(false)] {
        let settings = json!({"prices": {"gpt-4o-mini": none}});
        assert_eq!(cost_of(Hook::Success, settings, &payload("c")), None);
    }
}

#[test]
fn images_and_searches_are_counted() {
    let images = json!({"created": 1, "data": [{"url": "https://x/1.png"}, {"b64_json": "aGk="}, {"url": null}]});
    let mut payload = json!({
        "kwargs": {"litellm_call_id": "i", "call_type": "aimage_generation", "custom_llm_provider": "vertex_ai",
            "model": "imagen-4.0-fast-generate-001"},
        "response_obj": images,
    });
    assert_cost(cost(&payload), 0.0, 0.04, 0.04);
    payload["response_obj"] = json!({"results": [], "meta": {"billed_units": {"search_units": 3}}});
    payload["kwargs"]["call_type"] = json!("arerank");
    payload["kwargs"]["custom_llm_provider"] = json!("cohere");
    payload["kwargs"]["model"] = json!("rerank-v3.5");
    assert_cost(cost(&payload), 0.006, 0.0, 0.006);
}

#[test]
fn a_captured_call_is_priced() {
    let mut logger = logger(json!({}));
    let start = CallStart {
        key: 1,
        at: START,
        call_id: Some("w"),
        method: "POST",
        path: "/v1/chat/completions",
        authority: None,
        provider: Some("openai"),
        headers: vec![("content-type", b"application/json")],
        context: Context::default(),
        body: br#"{"model":"gpt-4o-mini","messages":[]}"#,
    };
    let number = logger.begin_call(NOW, &start).unwrap();
    let head: [(&str, &[u8]); 1] = [("content-type", b"application/json")];
    logger.response_head(number, START + 1, 200, &head).unwrap();
    let body = payload("w")["response_obj"].to_string();
    logger
        .response_chunk(number, START + 2, body.as_bytes())
        .unwrap();
    logger.finish_call(NOW, number, START + 3).unwrap();
    let found = attribute(&span(&mut logger), "mlflow.llm.cost");
    assert_cost(found, 1.8e-6, 1.8e-6, 3.6e-6);
}
