//! docs/wasmtime-serve.md: the middleware under `wasmtime serve`, before a provider that is played.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::OnceLock;

use e2e::http1::Message;
use e2e::{ComponentHost, Mlflow, Trace, mlflow, paths, snippets};
use serde_json::{Value, json};

use crate::envoy::client::{Answer, Post};
use crate::envoy::stage::{chat, provider, runtime, streamed, traces};

const PAGE: &str = "docs/wasmtime-serve.md";
const VARIABLE: &str = "MLFLOW_LOGGER_CONFIG";

/// The page's settings with the upstream played, logging to the real MLflow.
fn settings() -> Value {
    let text = snippets::find(PAGE, "json", "upstream").unwrap();
    let mut settings: Value = serde_json::from_str(&text).unwrap();
    settings["upstream"][0]["base_url"] = json!(format!("http://{}", provider()));
    settings["logger"]["tracking_uri"] = json!(Mlflow::shared().unwrap().uri());
    settings["logger"]["client_experiments"] = json!(true);
    settings
}

fn serve(settings: &Value) -> ComponentHost {
    let component = paths::target().unwrap().join("dist/mlflow_middleware.wasm");
    ComponentHost::wasmtime(&component, VARIABLE, settings).unwrap()
}

/// The one that tests share which need no other settings.
fn shared() -> &'static ComponentHost {
    static SHARED: OnceLock<ComponentHost> = OnceLock::new();
    SHARED.get_or_init(|| {
        let mut settings = settings();
        let closed = mlflow::free_address().unwrap();
        let upstreams = settings["upstream"].as_array_mut().unwrap();
        upstreams.push(json!({"prefix": "/closed", "base_url": format!("http://{closed}")}));
        upstreams
            .push(json!({"prefix": "/gated", "base_url": format!("http://{}/base/", gated())}));
        serve(&settings)
    })
}

fn post(experiment: &str, path: &str, body: &Value) -> Answer {
    let post = Post::json(path, body).header("x-mlflow-experiment", experiment);
    runtime().block_on(post.send(shared().address))
}

fn one(experiment: &str) -> Trace {
    traces(experiment, 1).swap_remove(0)
}

/// An upstream that says a part of a stream, and the next one only when a file of that name is there: tests make it when
/// they have seen the part.
fn gated() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                std::thread::spawn(move || answer_gated(stream.unwrap()));
            }
        });
        address
    })
}

fn answer_gated(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let request = Message::request(&mut reader).unwrap().unwrap();
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let part = |text: &str| {
        let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o",
            "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
        format!("data: {chunk}\n\n")
    };
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    stream
        .write_all(format!("{head}{}", part("first")).as_bytes())
        .unwrap();
    let gate = body["user"].as_str().map(std::path::PathBuf::from);
    let Some(gate) = gate else { return };
    while !gate.exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let _ = stream.write_all(format!("{}data: [DONE]\n\n", part(" second")).as_bytes());
}

#[test]
fn a_call_passes_as_it_is_and_is_held_by_mlflow() {
    let request = chat("through wasmtime");
    let direct = runtime().block_on(Post::json("/v1/chat/completions", &request).send(provider()));
    let answer = post("serve-call", "/openai/v1/chat/completions", &request);
    assert_eq!(answer.status, 200);
    let read = |answer: &Answer| serde_json::from_slice::<Value>(&answer.body).unwrap();
    let said = |value: Value| value["choices"].clone();
    assert_eq!(said(read(&answer)), said(read(&direct)));

    let trace = one("serve-call");
    let root = trace.root().unwrap();
    assert_eq!(trace.info.state, "OK");
    assert_eq!(root.inputs["messages"], request["messages"]);
    assert_eq!(root.outputs, read(&answer));
    assert_eq!(root.attributes["mlflow.llm.provider"], "openai");
    assert!(root.end_ns.unwrap() > root.start_ns);
}

#[test]
fn a_stream_is_held_as_one_call() {
    let answer = post(
        "serve-stream",
        "/openai/v1/chat/completions",
        &streamed("a stream"),
    );
    assert!(answer.is_whole);
    let text = String::from_utf8(answer.body).unwrap();
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    let trace = one("serve-stream");
    let root = trace.root().unwrap();
    assert_eq!(trace.info.state, "OK");
    let said = root.outputs["choices"][0]["message"]["content"]
        .as_str()
        .unwrap();
    assert!(!said.is_empty());
    assert!(root.events.len() > 1, "{:?}", root.events);
}

#[test]
fn the_first_part_of_a_stream_comes_before_the_second_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let gate = directory.path().join("gate");
    let mut body = streamed("gated");
    body["user"] = json!(gate);
    let body = body.to_string();
    let mut stream = TcpStream::connect(shared().address).unwrap();
    write!(
        stream,
        "POST /gated/v1/chat/completions?a=b HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\ncontent-type: application/json\r\n\
         x-mlflow-experiment: serve-gated\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while !line.contains("first") {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "it ended");
    }
    // Held back anywhere, the part would not have come, as nobody has opened the gate yet.
    std::fs::write(&gate, "").unwrap();
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert!(
        rest.contains(" second") && rest.contains("[DONE]"),
        "{rest}"
    );
    let trace = one("serve-gated");
    let root = trace.root().unwrap();
    assert_eq!(
        root.outputs["choices"][0]["message"]["content"],
        "first second"
    );
}

#[test]
fn a_client_that_goes_away_is_logged_as_far_as_the_stream_came() {
    let directory = tempfile::tempdir().unwrap();
    let gate = directory.path().join("gate");
    let mut body = streamed("left");
    body["user"] = json!(gate);
    let mut request =
        Post::json("/gated/v1/chat/completions", &body).header("x-mlflow-experiment", "serve-left");
    request.leave_after = Some(1);
    let answer = runtime().block_on(request.send(shared().address));
    assert!(!answer.is_whole);
    std::fs::write(&gate, "").unwrap();
    let trace = one("serve-left");
    let root = trace.root().unwrap();
    let said = root.outputs["choices"][0]["message"]["content"]
        .as_str()
        .unwrap();
    assert!(said.starts_with("first"), "{said}");
}

#[test]
fn failures_of_the_upstream_are_the_clients_and_are_logged() {
    let mut refused = chat("too much");
    refused["model"] = json!("fail-429");
    let answer = post("serve-429", "/openai/v1/chat/completions", &refused);
    assert_eq!(answer.status, 429);
    assert_eq!(one("serve-429").info.state, "ERROR");

    let answer = post(
        "serve-closed",
        "/closed/v1/chat/completions",
        &chat("nobody there"),
    );
    assert_eq!(answer.status, 502);
    let error: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(error["error"]["type"], "connection-error");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.ends_with("refused the connection"), "{message}");
    let trace = one("serve-closed");
    let exception = &trace.root().unwrap().events[0].attributes;
    assert_eq!(exception["exception.type"], "connection-error");

    let mut midway = streamed("half of it");
    midway["model"] = json!("fail-midway");
    let answer = post("serve-midway", "/openai/v1/chat/completions", &midway);
    assert!(!answer.is_whole);
    assert_eq!(one("serve-midway").info.state, "ERROR");
}

#[test]
fn a_path_without_an_upstream_is_answered_404_with_those_there_are() {
    let answer = post("serve-nowhere", "/openaix/v1", &chat("lost"));
    let text = String::from_utf8(answer.body).unwrap();
    assert_eq!(answer.status, 404);
    assert!(
        text.contains("/openai/") && text.contains("/closed/"),
        "{text}"
    );
}

#[test]
fn settings_that_cannot_be_used_are_the_first_answer() {
    for (change, words) in [
        (json!({"upstreams": []}), "`upstreams`"),
        (json!({"logger": {"sample_ratio": 7}}), "sample_ratio"),
    ] {
        let mut settings = settings();
        for (key, value) in change.as_object().unwrap() {
            settings[key] = value.clone();
        }
        let server = serve(&settings);
        let post = Post::json("/openai/v1/chat/completions", &chat("none"));
        let answer = runtime().block_on(post.send(server.address));
        let text = String::from_utf8(answer.body).unwrap();
        assert_eq!(answer.status, 500);
        assert!(text.contains(words) && text.contains(VARIABLE), "{text}");
    }
}

#[test]
fn an_mlflow_that_is_away_costs_the_client_nothing_and_the_log_says_so() {
    let mut settings = settings();
    let closed = mlflow::free_address().unwrap();
    settings["logger"]["tracking_uri"] = json!(format!("http://{closed}"));
    let server = serve(&settings);
    let post = Post::json("/openai/v1/chat/completions", &chat("unlogged"));
    let answer = runtime().block_on(post.send(server.address));
    assert_eq!((answer.status, answer.is_whole), (200, true));
    for _ in 0..400 {
        if server.log().contains("a call was not logged") {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("{}", server.log());
}
