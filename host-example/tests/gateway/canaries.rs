//! A thousand secrets pass the gateway: none is in what it sends, writes down or says.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use canaries::Planter;
use http_body_util::Full;
use hyper::Request;
use serde_json::{Value, json};

use crate::play::{Answer, Gateway, Mlflow, Upstream, get, send};

const SECRETS: usize = 1000;

/// A call's request and what is answered, each with secrets in every text.
fn call(planter: &mut Planter, number: usize) -> (String, String) {
    let mut arguments = json!({"command": "curl", "headers": {"x-api-key": "the key"}});
    planter.plant(&mut arguments);
    let mut request = json!({
        "model": format!("m-{number}"),
        "stream": number % 2 == 1,
        "messages": [
            {"role": "system", "content": "You know \"things\":\n\ttab"},
            {"role": "user", "content": [{"type": "text", "text": "Use this:"}]},
            {"role": "assistant", "tool_calls": [
                {"type": "function", "function": {"name": "run", "arguments": arguments.to_string()}}
            ]},
        ],
        "metadata": {"note": "remember"},
    });
    planter.plant(&mut request["messages"]);
    planter.plant(&mut request["metadata"]);
    let mut delta = json!({"role": "assistant", "content": "It is"});
    planter.plant(&mut delta);
    let answer = if number % 2 == 1 {
        let choice = json!({"choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}]});
        format!("data: {choice}\n\ndata: [DONE]\n\n")
    } else {
        json!({"choices": [{"index": 0, "message": delta, "finish_reason": "stop"}]}).to_string()
    };
    (request.to_string(), answer)
}

/// Answers with what the request's `x-answer` names.
async fn upstream(answers: Vec<String>) -> Upstream {
    Upstream::start(move |mut conversation| {
        let number = conversation.head.split("x-answer: ").nth(1).unwrap();
        let number: usize = number.split("\r\n").next().unwrap().parse().unwrap();
        let answer = answers[number].clone();
        async move {
            let kind = match answer.starts_with("data:") {
                true => "text/event-stream",
                false => "application/json",
            };
            let length = answer.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
            );
            conversation.say(head).await;
            // In two parts, split anywhere.
            let (one, two) = answer.as_bytes().split_at(length / 2);
            conversation.say(one).await;
            conversation.say(two).await;
        }
    })
    .await
}

/// All files of a directory, each its owner's alone.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(directory).unwrap();
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
        (path.display().to_string(), std::fs::read(path).unwrap())
    };
    entries.map(file).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_nothing_that_is_sent_written_down_or_said() {
    let mut planter = Planter::default();
    let (mut requests, mut answers) = (Vec::new(), Vec::new());
    while planter.planted.len() < SECRETS {
        let (request, answer) = call(&mut planter, requests.len());
        requests.push(request);
        answers.push(answer);
    }
    // The server refuses this one for good.
    let (poison, answer) = call(&mut planter, requests.len());
    requests.push(poison.replace("remember", "p-o-i-s-o-n"));
    answers.push(answer);

    let upstream = upstream(answers.clone()).await;
    let mlflow = Mlflow::start().await;
    mlflow.open(false);
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let whole = format!("[spool]\ndir = {spool:?}\n");
    let gateway = Gateway::start(&Gateway::config(&upstream.url, &mlflow, "", &whole)).await;
    for (number, request) in requests.iter().enumerate() {
        // A private key has line breaks, which no header field can have.
        let secrets = std::iter::repeat_with(|| planter.secret().text);
        let header = secrets
            .into_iter()
            .find(|text| !text.contains('\n'))
            .unwrap();
        let request = Request::post("/up/v1/chat/completions")
            .header("host", "x")
            .header("content-type", "application/json")
            .header("x-answer", number)
            .header("x-note", format!("for {header}"))
            .body(Full::from(request.clone()))
            .unwrap();
        let answer = Answer::of(send(&gateway.address, request).await.unwrap()).await;
        // The client has its answer as it came.
        assert_eq!(answer.text(), answers[number]);
    }
    let told = |bytes: &[u8]| planter.told_by(bytes);
    let mut spooled = String::new();
    for (name, file) in files(&spool) {
        assert_eq!(told(&file), [""; 0], "{name}");
        spooled.push_str(&String::from_utf8_lossy(&file));
    }
    for number in 0..requests.len() {
        let model = format!(r#""m-{number}""#);
        assert!(spooled.contains(&model), "the spool holds call {number}");
    }

    mlflow.open(true);
    let calls = requests.len();
    mlflow.spans(calls - 1).await;
    gateway.said("cannot be logged and are in").await;
    assert_eq!(told(&mlflow.raw()), [""; 0], "sent");
    let letters = std::fs::read(spool.join("dead-letters.jsonl")).unwrap();
    let letter: Value = serde_json::from_slice(&letters).unwrap();
    assert!(
        letter["event"]["request"]["text"]
            .as_str()
            .unwrap()
            .contains("[REDACTED]")
    );
    for (name, file) in files(&spool) {
        assert_eq!(told(&file), [""; 0], "{name}");
    }
    assert_eq!(told(gateway.log().as_bytes()), [""; 0], "logs");
    let metrics = get(&gateway.metrics, "/metrics").await;
    assert_eq!(told(metrics.text().as_bytes()), [""; 0], "metrics");
}
