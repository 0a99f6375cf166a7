//! Calls through Envoy, as MLflow then has them.

use std::time::Duration;

use serde_json::json;

use super::stage::{call, chat, envoy, post, streamed, traces};

#[test]
fn a_chat_call_and_a_stream_are_traces() {
    let experiment = "envoy-first";
    for request in [chat("one two"), streamed("three four")] {
        let request = call(experiment, &request)
            .header("x-mlflow-session", "s-1")
            .header("authorization", "Bearer canary");
        let answer = post(envoy(), request);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.is_whole);
    }
    let traces = traces(experiment, 2);
    for (trace, said) in traces.iter().zip(["one two", "three four"]) {
        assert_eq!(trace.info.state, "OK");
        let answered = format!("You said: {said}");
        assert_eq!(trace.info.request_preview.as_deref(), Some(said));
        assert_eq!(trace.info.response_preview, Some(answered));
        assert_eq!(trace.info.metadata["mlflow.trace.session"], "s-1");
        let usage = trace.info.token_usage.as_ref().unwrap();
        assert_eq!(usage["total_tokens"], 6);
        let root = trace.root().unwrap();
        assert_eq!(root.text("url.path"), Some("/v1/chat/completions"));
        assert_eq!(root.text("mlflow.llm.provider"), Some("openai"));
        assert!(!format!("{trace:?}").contains("canary"));
    }
    let chunks = traces[1].root().unwrap().events.iter();
    let chunks = chunks.filter(|event| event.name == "streaming_chunk");
    assert!(chunks.count() > 3);
}

#[test]
fn a_stream_passes_as_it_comes() {
    let request = streamed(&"word ".repeat(60));
    let answer = post(envoy(), call("envoy-passing", &request));
    let (first, last) = (answer.parts[0], answer.parts[answer.parts.len() - 1]);
    // The provider pauses 5 ms after each word.
    assert!(last - first > Duration::from_millis(150), "{answer:?}");
}

#[test]
fn http2_and_clients_that_leave_are_logged_too() {
    let experiment = "envoy-ends";
    let long = streamed(&"word ".repeat(200));
    for (http2, marker) in [(false, "leaves-1"), (true, "leaves-2")] {
        let mut request = call(experiment, &long).header("x-mlflow-user", marker);
        request.http2 = http2;
        request.leave_after = Some(3);
        assert!(!post(envoy(), request).is_whole);
    }
    let mut whole = call(experiment, &chat("hello")).header("x-mlflow-user", "whole");
    whole.http2 = true;
    assert_eq!(post(envoy(), whole).status, 200);
    let midway = json!({"model": "fail-midway", "stream": true, "messages": []});
    let broken = post(
        envoy(),
        call(experiment, &midway).header("x-mlflow-user", "midway"),
    );
    assert!(!broken.is_whole);
    let limited = json!({"model": "fail-429", "messages": []});
    let limited = post(
        envoy(),
        call(experiment, &limited).header("x-mlflow-user", "limited"),
    );
    assert_eq!(limited.status, 429);

    let traces = traces(experiment, 5);
    let of = |user: &str| {
        let mut found = traces
            .iter()
            .filter(|trace| trace.info.metadata["mlflow.trace.user"] == user);
        found.next().unwrap()
    };
    assert_eq!(of("whole").info.state, "OK");
    for (user, kind) in [
        ("leaves-1", "client-disconnected"),
        ("leaves-2", "client-disconnected"),
        ("midway", "connection-reset"),
        ("limited", "requests"),
    ] {
        let trace = of(user);
        assert_eq!(trace.info.state, "ERROR", "{user}");
        let root = trace.root().unwrap();
        assert_eq!(root.text("error.type"), Some(kind), "{user}: {root:#?}");
    }
    let partial = of("leaves-1").root().unwrap().outputs.to_string();
    assert!(partial.contains("You said"), "{partial}");
}

#[test]
fn a_body_that_is_too_long_passes_whole_and_is_logged_cut() {
    let experiment = "envoy-long";
    let mut request = chat("");
    request["messages"][0]["content"] = json!("lorem ipsum ".repeat(50_000_000 / 12));
    let answer = post(envoy(), call(experiment, &request));
    assert_eq!(answer.status, 200);
    assert!(answer.body.len() > 50_000_000, "{}", answer.body.len());
    let traces = traces(experiment, 1);
    let told = &traces[0].info.tags["truncated"];
    assert!(
        told.contains("request: ") && told.contains("response: ") && told.contains(" of 50"),
        "{told}"
    );
}
