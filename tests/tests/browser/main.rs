//! MLflow's UI on what went through the gateway, as people see it: in a browser.
//!
//! It takes a Chromium, so that this is run by `cargo xtask test` and `cargo xtask test --only browser`, or by
//! `cargo test --release -p e2e --test browser -- --ignored`, and not with the other tests of this crate.

use std::process::Command;

use e2e::{Browser, Gateway, Mlflow, Page, Serving, Trace, paths};
use serde_json::json;

const EXPERIMENT: &str = "browser";
const SESSION: &str = "session-of-ada";

/// A streamed call that asks for a tool, and one that tells what the tool answered.
fn converse(gateway: &str) {
    let asked = json!({"role": "user", "content": "Will it rain in Bergen tomorrow?"});
    let tool = json!({"type": "function", "function": {
        "name": "forecast", "description": "The weather to come", "parameters": {"type": "object"},
    }});
    let call = json!({"id": "call_1", "type": "function", "function": {
        "name": "forecast", "arguments": "{\"place\":\"Bergen\"}",
    }});
    let requests = [
        json!({
            "model": "gpt-4o-mini", "stream": true, "stream_options": {"include_usage": true},
            "messages": [asked], "tools": [tool],
        }),
        json!({"model": "gpt-4o-mini", "messages": [
            {"role": "system", "content": "You answer like a sailor."},
            asked,
            {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "showers from noon"},
            {"role": "user", "content": "And on Sunday?"},
        ]}),
    ];
    for request in requests {
        let call = ureq::post(format!("{gateway}/openai/v1/chat/completions"));
        let call = call.header("content-type", "application/json");
        let answer = call
            .header("x-mlflow-session", SESSION)
            .send(request.to_string());
        // To its end: a client that goes has cancelled the call.
        answer.unwrap().body_mut().read_to_vec().unwrap();
    }
}

/// The traces that the calls have become, oldest first.
fn log(mlflow: &Mlflow) -> Vec<Trace> {
    let directory = tempfile::tempdir().unwrap();
    let provider = paths::target().unwrap().join("release/mock-provider");
    let provider = Serving::start(&mut Command::new(provider)).unwrap();
    let config = directory.path().join("gateway.toml");
    let text = format!(
        "listen = \"127.0.0.1:0\"\n[[upstream]]\nprefix = \"/openai\"\nbase_url = \"{}\"\nprovider = \"openai\"\n\
         [logger]\ntracking_uri = \"{}\"\nexperiment_name = \"{EXPERIMENT}\"\n",
        provider.url(),
        mlflow.uri()
    );
    std::fs::write(&config, text).unwrap();
    let gateway = Gateway::find().unwrap();
    let mut serve = gateway.command(["--quiet", "serve", "--config"]);
    let serving = Serving::start(serve.arg(&config)).unwrap();
    converse(serving.url());
    assert!(serving.stop().unwrap().success());
    let traces = mlflow.traces(EXPERIMENT).unwrap();
    assert_eq!(traces.len(), 2);
    traces
}

#[test]
#[ignore = "takes a Chromium"]
fn the_ui_shows_the_chat() {
    let mlflow = Mlflow::shared().unwrap();
    let traces = log(mlflow);
    let mut browser = Browser::open().unwrap();
    let experiment = format!("{}/#/experiments/{}", mlflow.uri(), traces[0].experiment_id);
    let mut look = |path: &str, expect: &[&str]| {
        let page = Page {
            url: format!("{experiment}/{path}"),
            expect: expect.to_vec(),
            ..Page::default()
        };
        browser
            .look(&page)
            .unwrap_or_else(|error| panic!("{error:#}"))
    };

    // A streamed call: the tool call is put together from its parts, and shown with its arguments.
    let [streamed, told] = [0, 1].map(|n| figures(&traces[n]));
    let at = |n: usize| format!("traces?traceId={}", traces[n].info.trace_id);
    let text = look(&at(0), &["Outputs", "Tool calls", "forecast"]);
    let words: [&str; 7] = [
        &streamed.tokens,
        &streamed.cost,
        SESSION,
        "Will it rain",
        "Tool calls",
        "forecast",
        "query",
    ];
    assert_order(panel(&text), &words);
    assert!(
        !panel(&text).contains("arguments"),
        "the tool call is shown as JSON: {text}"
    );

    // Messages of every role, in their order, then the answer.
    let text = look(&at(1), &["Outputs", &told.answer]);
    let words: [&str; 14] = [
        &told.tokens,
        &told.cost,
        SESSION,
        "System",
        "sailor",
        "Bergen tomorrow",
        "Tool calls",
        "forecast",
        "place",
        "Bergen",
        "showers from noon",
        "And on Sunday?",
        "Outputs",
        &told.answer,
    ];
    assert_order(panel(&text), &words);

    // Both calls are turns of one session.
    let session = format!("chat-sessions/{SESSION}");
    let text = look(&session, &["Turn 2", &told.answer]);
    assert_order(
        &text,
        &[
            "Turn 1",
            "Turn 1",
            "Will it rain",
            "Turn 2",
            "And on Sunday?",
            &told.answer,
        ],
    );
    // And the experiment's figures add up.
    let total = format!("Token Usage\n{} (", streamed.total + told.total);
    look("overview/usage", &[&total, "Total Cost", "gpt-4o-mini"]);
}

/// What is said of one trace, without the list beside it.
fn panel(text: &str) -> &str {
    text.split_once("Analyze trace")
        .unwrap_or_else(|| panic!("no trace is open: {text}"))
        .1
}

/// Asserts that these words come one after the other.
fn assert_order(text: &str, words: &[&str]) {
    let mut rest = text;
    for word in words {
        rest = rest
            .split_once(word)
            .unwrap_or_else(|| panic!("no {word} where it should be: {text}"))
            .1;
    }
}

/// What MLflow's client says of a trace, as the UI writes it.
struct Figures {
    total: i64,
    tokens: String,
    cost: String,
    answer: String,
}

fn figures(trace: &Trace) -> Figures {
    let total = trace.info.token_usage.as_ref().unwrap()["total_tokens"];
    let cost = trace.info.cost.as_ref().unwrap()["total_cost"];
    assert!(total > 0 && cost > 0.0, "{:?}", trace.info);
    let message = &trace.root().unwrap().outputs["choices"][0]["message"];
    Figures {
        total,
        tokens: format!("{total} tokens"),
        cost: format!("${cost:.6}"),
        answer: message["content"].as_str().unwrap_or_default().to_owned(),
    }
}
