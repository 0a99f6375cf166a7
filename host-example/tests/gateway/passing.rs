//! What passes, passes unchanged and at once.

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::play::{Answer, Gateway, Mlflow, Upstream, post, send};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_responses_pass_unchanged() {
    let (heard, mut hear) = mpsc::unbounded_channel();
    let binary: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let mut response = b"HTTP/1.1 207 Multi-Status\r\nX-Odd-Case: Yes\r\nset-cookie: a=1\r\n\
        set-cookie: b=2\r\nconnection: x-hop\r\nx-hop: gone\r\ncontent-encoding: odd\r\n\
        content-length: 5000\r\n\r\n"
        .to_vec();
    response.extend_from_slice(&binary);
    let upstream = Upstream::start(move |mut conversation| {
        let (heard, response) = (heard.clone(), response.clone());
        async move {
            heard
                .send((conversation.head.clone(), conversation.body.clone()))
                .unwrap();
            conversation.say(&response).await;
        }
    })
    .await;
    let mlflow = Mlflow::start().await;
    let gateway = Gateway::before(&upstream, &mlflow).await;
    let body: Vec<u8> = binary.iter().rev().copied().collect();
    let request = Request::put("/up/v1/%7Bodd%7D//path;x?q=%20&empty=&plus=a+b")
        .header("host", "gateway.example")
        .header("X-Custom", "kept")
        .header("authorization", "Bearer canary")
        .header("connection", "keep-alive, x-mine")
        .header("x-mine", "gone")
        .header("traceparent", PARENT)
        .header("tracestate", "vendor=1")
        .body(Full::new(Bytes::from(body.clone())))
        .unwrap();
    let answer = Answer::of(send(&gateway.address, request).await.unwrap()).await;

    let (head, sent) = hear.recv().await.unwrap();
    assert_eq!(sent, body);
    let mut lines = head.lines();
    let first = "PUT /v1/%7Bodd%7D//path;x?q=%20&empty=&plus=a+b HTTP/1.1";
    assert_eq!(lines.next(), Some(first));
    let fields: Vec<_> = lines.filter_map(|line| line.split_once(": ")).collect();
    let field = |name: &str| {
        let mut values = fields
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| *value)
    };
    assert_eq!(field("x-custom"), Some("kept"));
    assert_eq!(field("authorization"), Some("Bearer canary"));
    assert_eq!(field("host"), Some(&upstream.url["http://".len()..]));
    assert_eq!(field("content-length"), Some("5000"));
    assert_eq!(field("tracestate"), Some("vendor=1"));
    assert_eq!((field("x-mine"), field("connection")), (None, None));
    // The same trace, another span.
    let onward = field("traceparent").unwrap();
    assert_eq!(onward[..36], PARENT[..36]);
    assert_ne!(onward, PARENT);

    assert_eq!((answer.status(), &answer.body[..]), (207, &binary[..]));
    let cookies = answer.head.headers.get_all("set-cookie");
    assert_eq!(cookies.iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
    assert_eq!(answer.head.headers["x-odd-case"], "Yes");
    assert_eq!(answer.head.headers["content-encoding"], "odd");
    assert!(!answer.head.headers.contains_key("x-hop"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_a_trace_gets_one_upstream() {
    let (heard, mut hear) = mpsc::unbounded_channel();
    let upstream = Upstream::start(move |mut conversation| {
        heard.send(conversation.head.clone()).unwrap();
        async move { conversation.say("HTTP/1.1 204 No Content\r\n\r\n").await }
    })
    .await;
    let mlflow = Mlflow::start().await;
    let gateway = Gateway::before(&upstream, &mlflow).await;
    let answer = Answer::of(post(&gateway.address, "/up/v1/embeddings", "{}").await).await;
    assert_eq!((answer.status(), answer.body.len()), (204, 0));
    let head = hear.recv().await.unwrap();
    assert!(head.contains("traceparent: 00-"), "{head}");
    mlflow.span().await.assert_ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_has_each_event_before_the_next_is_sent() {
    let events = [
        r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"one "}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"two "}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"three"},"finish_reason":"stop"}]}"#,
        "[DONE]",
    ];
    let (seen, on_seen) = mpsc::channel::<()>(1);
    let on_seen = std::sync::Arc::new(tokio::sync::Mutex::new(on_seen));
    let upstream = Upstream::start(move |mut conversation| {
        let on_seen = on_seen.clone();
        async move {
            let mut on_seen = on_seen.lock().await;
            conversation.begin_events().await;
            for event in events {
                conversation.event(event).await;
                // Goes on only once the client has had it.
                on_seen.recv().await.unwrap();
            }
            conversation.end_events().await;
        }
    })
    .await;
    let mlflow = Mlflow::start().await;
    let gateway = Gateway::before(&upstream, &mlflow).await;
    let request = r#"{"model":"m","stream":true}"#;
    let response = post(&gateway.address, "/up/v1/chat/completions", request).await;
    let mut body = response.into_body();
    for event in events {
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), format!("data: {event}\n\n"));
        seen.send(()).await.unwrap();
    }
    assert!(body.frame().await.is_none());
    let span = mlflow.span().await;
    span.assert_ok();
    assert!(span.attribute("mlflow.spanOutputs").contains("three"));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_the_upstream_are_used_again() {
    let provider =
        mock_provider::Provider::start(([127, 0, 0, 1], 0).into(), std::time::Duration::ZERO);
    let provider = provider.await.unwrap();
    let mlflow = Mlflow::start().await;
    let gateway = Gateway::start(&Gateway::config(&provider.url(), &mlflow, "", "")).await;
    for path in [
        "/up/v1/embeddings",
        "/up/v1/chat/completions",
        "/up/v1/messages",
    ] {
        let request = r#"{"model":"m","input":"x","messages":[{"role":"user","content":"hello"}]}"#;
        let answer = Answer::of(post(&gateway.address, path, request).await).await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
    }
    mlflow.spans(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_upstream_or_no_business_there_is_told_so() {
    let upstream = Upstream::json("{}").await;
    let mlflow = Mlflow::start().await;
    let gateway = Gateway::before(&upstream, &mlflow).await;
    for (path, status, words) in [
        ("/other", 404, "/up"),
        ("/upper", 404, "/up"),
        ("/up/../secret", 400, ".."),
        ("/up/%2E%2e/secret", 400, ".."),
    ] {
        let answer = Answer::of(post(&gateway.address, path, "{}").await).await;
        assert_eq!(answer.status(), status, "{path}");
        let message = answer.json()["error"]["message"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(message.contains(words), "{message}");
    }
    let request = Request::get("/up/v1/realtime")
        .header("host", "x")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .body(Full::default())
        .unwrap();
    let answer = Answer::of(send(&gateway.address, request).await.unwrap()).await;
    assert_eq!(
        (answer.status(), answer.json()["error"]["type"].as_str()),
        (501, Some("upgrade-unsupported"))
    );
    assert_eq!(
        upstream
            .connections
            .load(std::sync::atomic::Ordering::SeqCst),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_and_long_header_fields_pass_both_ways() {
    let (heard, mut hear) = mpsc::unbounded_channel();
    let fields = |prefix: &str| {
        let fields = (0..300).map(|n| format!("{prefix}-{n}: v\r\n"));
        fields.collect::<String>() + &format!("{prefix}-long: {}\r\n", "a".repeat(60_000))
    };
    let back = fields("x-back");
    let upstream = Upstream::start(move |mut conversation| {
        heard.send(conversation.head.clone()).unwrap();
        let head = format!("HTTP/1.1 200 OK\r\n{back}content-length: 2\r\n\r\n{{}}");
        async move { conversation.say(head).await }
    })
    .await;
    let mlflow = Mlflow::start().await;
    let gateway = Gateway::before(&upstream, &mlflow).await;
    let mut stream = TcpStream::connect(&gateway.address).await.unwrap();
    let head = format!(
        "GET /up/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{}\r\n",
        fields("x-there")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let there = hear.recv().await.unwrap();
    for (text, prefix) in [(there, "x-there"), (answer, "x-back")] {
        let lines = text.lines().filter(|line| line.starts_with(prefix));
        assert_eq!(lines.clone().count(), 301, "{prefix}");
        assert!(lines.clone().any(|line| line.len() > 60_000), "{prefix}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_a_tunnel() {
    let upstream = Upstream::json("{}").await;
    let mlflow = Mlflow::start().await;
    let config = Gateway::config(&upstream.url, &mlflow, "", "");
    let config = config.replace("prefix = \"/up\"", "prefix = \"/\"");
    let gateway = Gateway::start(&config).await;
    let mut stream = TcpStream::connect(&gateway.address).await.unwrap();
    let head = "CONNECT example.org:443 HTTP/1.1\r\nhost: example.org\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert!(answer.contains("connect-unsupported"), "{answer}");
    let connections = upstream
        .connections
        .load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(connections, 0);
}
