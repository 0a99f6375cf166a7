//! The providers' official SDKs through the gateway: they receive what the provider sent, and MLflow
//! holds what they made of it.

use std::sync::OnceLock;

use e2e::sdks::{Call, Played, golden};
use e2e::{Mlflow, Span};
use serde_json::{Value, json};
use transcripts::Transcript;

fn played() -> &'static Played {
    static PLAYED: OnceLock<Played> = OnceLock::new();
    PLAYED.get_or_init(|| Played::run(Mlflow::shared().unwrap()).unwrap())
}

/// Checks all calls that fit, and tells everything that is wrong at once.
fn check(fits: impl Fn(&Call) -> bool, least: usize, check: impl Fn(&Call) -> Result<(), String>) {
    let calls: Vec<_> = played().calls.iter().filter(|call| fits(call)).collect();
    assert!(calls.len() >= least, "only {} calls", calls.len());
    let wrong = calls.iter().filter_map(|call| {
        let wrong = check(call).err()?;
        Some(format!("{}: {wrong}", call.name))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_raw(call: &Call) -> bool {
    call.name.starts_with("raw:")
}

fn root(call: &Call) -> Result<&'static Span, String> {
    let trace = played().trace(call).map_err(|error| format!("{error:#}"))?;
    trace.root().ok_or_else(|| "it has no root".to_owned())
}

#[test]
fn a_client_receives_byte_for_byte_what_the_provider_sent() {
    check(
        |_| true,
        100,
        |call| {
            let [sent, got] = played().bytes(call).map_err(|error| format!("{error:#}"))?;
            // An SDK that was told of an error does not read on.
            let same = match (is_raw(call), &call.error) {
                (false, Some(_)) => sent.starts_with(&got) && !got.is_empty(),
                _ => sent == got,
            };
            let (sent, got) = (
                String::from_utf8_lossy(&sent),
                String::from_utf8_lossy(&got),
            );
            same.then_some(())
                .ok_or(format!("sent\n{sent}\ngot\n{got}"))
        },
    );
}

#[test]
fn a_trace_holds_what_the_sdk_made_of_the_answer() {
    let fits = |call: &Call| !is_raw(call) && !call.answer.is_null();
    check(fits, 30, |call| {
        let outputs = &root(call)?.outputs;
        if let Some(text) = call
            .answer
            .as_object()
            .and_then(|answer| answer.get("text"))
            && call.transcript.starts_with("gemini/")
        {
            let held = gemini_text(outputs);
            let same = text == &held;
            return same.then_some(()).ok_or(format!("{text}, held {held:?}"));
        }
        if let Some(hex) = call.answer.as_str() {
            // Sound: its size is held.
            return same("bytes", &json!(hex.len() / 2), &outputs["bytes"]);
        }
        within(&call.answer, outputs, "answer")
    });
}

#[test]
fn a_trace_of_every_transcript_is_the_one_that_is_expected_of_it() {
    check(is_raw, 60, |call| {
        let transcript = Transcript::named(&call.transcript).map_err(|error| error.to_string())?;
        let golden = golden(&transcript).map_err(|error| format!("{error:#}"))?;
        let span = root(call)?;
        if golden["name"] != span.name.as_str() || golden["status"] != span.status.as_str() {
            return Err(format!("{} {}, {}", span.name, span.status, golden["name"]));
        }
        let expected = &golden["attributes"];
        for (name, held) in [
            ("mlflow.spanInputs", &span.inputs),
            ("mlflow.spanOutputs", &span.outputs),
        ] {
            same(name, &expected[name], held)?;
        }
        for name in [
            "mlflow.chat.tokenUsage",
            "mlflow.chat.tools",
            "mlflow.llm.provider",
            "mlflow.llm.model",
            "gen_ai.provider.name",
            "gen_ai.operation.name",
            "gen_ai.response.finish_reasons",
            "gen_ai.response.id",
            "error.type",
            "user.id",
            "session.id",
        ] {
            let held = span.attributes.get(name).unwrap_or(&Value::Null);
            same(name, &expected[name], held)?;
        }
        let events = golden["events"].as_array().map_or(0, Vec::len);
        let held = span.events.len();
        if events != held {
            return Err(format!("{held} events instead of {events}"));
        }
        Ok(())
    });
}

#[test]
fn a_call_that_the_sdk_takes_for_failed_is_an_error_in_mlflow() {
    let fits = |call: &Call| !is_raw(call) && call.error.is_some();
    check(fits, 10, |call| {
        let span = root(call)?;
        let transcript = Transcript::named(&call.transcript).map_err(|error| error.to_string())?;
        let golden = golden(&transcript).map_err(|error| format!("{error:#}"))?;
        if golden["status"] == "OK" && !call.broken {
            // The provider did not fail: the SDK does not know a form of its answer.
            return same("status", &json!("OK"), &json!(span.status));
        }
        let exception = span.events.iter().find(|event| event.name == "exception");
        let exception = exception.ok_or("no exception")?;
        if span.status != "ERROR" {
            return Err(span.status.clone());
        }
        let kind = &exception.attributes["exception.type"];
        let cut = !call.broken || kind == "connection-reset";
        cut.then_some(()).ok_or_else(|| kind.to_string())
    });
}

#[test]
fn no_credential_is_held() {
    for call in &played().calls {
        let trace = played().trace(call).unwrap();
        let held = format!("{trace:?}");
        assert!(!held.contains("canary"), "{}: {held}", call.name);
    }
}

fn same(name: &str, expected: &Value, held: &Value) -> Result<(), String> {
    if expected == held {
        return Ok(());
    }
    Err(format!("{name}: {expected} expected, {held} held"))
}

/// Whether all that the SDK has is held; what it adds by itself is empty.
fn within(answer: &Value, held: &Value, place: &str) -> Result<(), String> {
    match (answer, held) {
        (Value::Null, _) => Ok(()),
        (Value::Object(members), Value::Object(_)) => {
            let known = |name: &&String| !OWN.contains(&name.as_str());
            members.keys().filter(known).try_for_each(|name| {
                within(&members[name], &held[name], &format!("{place}.{name}"))
            })
        }
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
            let pairs = items.iter().zip(others);
            pairs.enumerate().try_for_each(|(index, (item, other))| {
                within(item, other, &format!("{place}.{index}"))
            })
        }
        // Arguments that broke off are kept as the text that came.
        (Value::Object(members), Value::String(_)) if members.is_empty() => Ok(()),
        (Value::Array(items), Value::Null) if items.is_empty() => Ok(()),
        (Value::Object(members), Value::Null) if members.values().all(Value::is_null) => Ok(()),
        (Value::Number(number), other) if number.as_f64() == other.as_f64() => Ok(()),
        _ if answer == held => Ok(()),
        (Value::String(answer), Value::String(held)) if is_told_by(answer, held) => Ok(()),
        _ => Err(format!("{place}: the SDK has {answer}, MLflow {held}")),
    }
}

/// Whether a text is the SDK's for one that is held: none, as the first chunk had none; the one of each chunk,
/// one behind the other; or Base64, whose size is held.
fn is_told_by(answer: &str, held: &str) -> bool {
    let repeated = !held.is_empty() && answer.replace(held, "").is_empty();
    let padding = answer
        .bytes()
        .rev()
        .take_while(|byte| *byte == b'=')
        .count();
    let size = (answer.len() / 4 * 3).saturating_sub(padding);
    let described = held.starts_with('[') && held.contains(&format!(", {size} bytes, sha256 "));
    answer.is_empty() || repeated || described
}

/// Members that an SDK puts beside the provider's, or adds up in a way of its own.
const OWN: [&str; 6] = [
    "sdkHttpResponse",
    "parsed",
    "parsed_output",
    // Of the first chunk, which Azure's leaves out.
    "created",
    // The place of a tool call among the chunks', which a whole answer does not have.
    "index",
    // OpenRouter's texts of a fixed value grow there.
    "reasoning_details",
];

/// What Gemini's SDK takes for the text of an answer.
fn gemini_text(outputs: &Value) -> String {
    let parts = outputs["candidates"][0]["content"]["parts"].as_array();
    let parts = parts.into_iter().flatten();
    let said = parts.filter(|part| part["thought"] != json!(true));
    said.filter_map(|part| part["text"].as_str()).collect()
}
