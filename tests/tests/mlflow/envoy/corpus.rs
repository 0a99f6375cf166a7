//! What fuzzing found to cover most of the core, as requests and as responses through the filter: it stays up, and logs
//! every call.

use std::io::BufReader;
use std::net::{SocketAddr, TcpListener, TcpStream};

use e2e::envoy::Config;
use e2e::http1::Message;
use e2e::{Envoy, Mlflow, paths};
use serde_json::json;

use super::client::Post;
use super::stage::{mlflow, post};

/// Answers each request with its own body, as what its `x-answer` says.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || answer(stream.unwrap()));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Ok(Some(request)) = Message::request(&mut reader) {
        let said = |name: &str| request.header(name).unwrap_or_default().to_owned();
        let headers = [
            ("content-type", "x-answer"),
            ("content-encoding", "x-encoding"),
        ];
        let response = Message {
            first: "HTTP/1.1 200 OK".to_owned(),
            headers: headers
                .map(|(name, from)| (name.to_owned(), said(from)))
                .to_vec(),
            body: request.body,
        };
        if response.write(&mut stream).is_err() {
            return;
        }
    }
}

/// All files of the corpus, some of which are larger than others.
fn corpus() -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for target in ["wire", "frames", "json", "hooks"] {
        let folder = paths::root().join("fuzz/corpus").join(target);
        let files =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        inputs.extend(files.map(|file| std::fs::read(file.unwrap().path()).unwrap()));
    }
    inputs
}

#[test]
fn the_corpus_passes_and_every_call_is_logged() {
    let experiment = "envoy-corpus";
    let python = Mlflow::shared().unwrap().python();
    let mut config = Config::example(python, echo(), mlflow()).unwrap();
    let settings = json!({"experiment_name": experiment, "flush_interval_ms": 200});
    config.settings(settings).unwrap();
    let envoy = Envoy::start(&config).unwrap();
    let paths = [
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/messages",
        "/v1beta/models/m:streamGenerateContent",
        "/model/anthropic.claude-3/converse-stream",
        "/v2/chat",
        "/api/chat",
    ];
    let types = [
        "text/event-stream",
        "application/json",
        "application/vnd.amazon.eventstream",
        "application/x-ndjson",
    ];
    let inputs = corpus();
    assert!(inputs.len() > 100, "{} inputs", inputs.len());
    for (at, body) in inputs.iter().enumerate() {
        let request = Post {
            path: format!("/openai{}", paths[at % paths.len()]),
            body: body.clone(),
            ..Post::default()
        };
        let request = request
            .header("content-type", "application/json")
            .header("x-answer", types[at % types.len()])
            .header("x-encoding", ["identity", "gzip", "br"][at % 3]);
        let answer = post(&envoy, request);
        assert_eq!((answer.status, &answer.body), (200, body), "input {at}");
    }
    let count = inputs.len() as u64;
    envoy.reaches("delivered", count).unwrap();
    assert_eq!(envoy.metric("logged").unwrap(), count);
    let stats = envoy.ask("GET", "/stats?filter=vm_reload_success").unwrap();
    assert!(stats.trim().ends_with(": 0"), "{stats}");
}
