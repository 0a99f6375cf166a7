//! Bodies that are large, and bounds for them.

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::play::{Answer, Gateway, Mlflow, Upstream, post, send};

/// Bytes that no two neighbours share.
fn large(length: usize) -> Vec<u8> {
    (0..length)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect()
}

/// An upstream that sends back what it was sent.
async fn echo() -> Upstream {
    Upstream::start(|mut conversation| async move {
        let length = conversation.body.len();
        conversation
            .say(format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
            ))
            .await;
        let body = std::mem::take(&mut conversation.body);
        conversation.say(&body).await;
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_pass_whole_and_are_logged_cut() {
    let upstream = echo().await;
    let mlflow = Mlflow::start().await;
    let limits = "[limits]\nlog_body_bytes = 100000\n";
    let gateway = Gateway::start(&Gateway::config(&upstream.url, &mlflow, "", limits)).await;
    let body = large(20 << 20);
    let request = Request::post("/up/v1/chat/completions").header("host", "x");
    let request = request.body(Full::new(Bytes::from(body.clone()))).unwrap();
    let answer = Answer::of(send(&gateway.address, request).await.unwrap()).await;
    assert!(answer.body == body, "the body has changed");
    let span = mlflow.span().await;
    let cut = span.attribute("mlflow.traceTag.truncated");
    assert!(cut.contains("request: 100000 of 20971520 bytes"), "{cut}");
    assert!(cut.contains("response: 100000 of 20971520 bytes"), "{cut}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_logged_cut_is_no_failure() {
    let upstream = Upstream::start(|mut conversation| async move {
        conversation.begin_events().await;
        for _ in 0..100 {
            conversation
                .event(r#"{"choices":[{"index":0,"delta":{"content":"word "}}]}"#)
                .await;
        }
        conversation.event("[DONE]").await;
        conversation.end_events().await;
    })
    .await;
    let mlflow = Mlflow::start().await;
    let limits = "[limits]\nlog_body_bytes = 1000\n";
    let gateway = Gateway::start(&Gateway::config(&upstream.url, &mlflow, "", limits)).await;
    let request = r#"{"model":"m","stream":true}"#;
    let answer = post(&gateway.address, "/up/v1/chat/completions", request).await;
    assert!(Answer::of(answer).await.text().ends_with("[DONE]\n\n"));
    let span = mlflow.span().await;
    span.assert_ok();
    assert!(span.attribute("mlflow.spanOutputs").contains("word word"));
    let cut = span.attribute("mlflow.traceTag.truncated");
    assert!(cut.contains("response: 1000 of"), "{cut}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_too_large_is_413() {
    let upstream = echo().await;
    let mlflow = Mlflow::start().await;
    let limits = "[limits]\nmax_request_bytes = 1000\n";
    let gateway = Gateway::start(&Gateway::config(&upstream.url, &mlflow, "", limits)).await;
    let answer = Answer::of(post(&gateway.address, "/up/x", vec![b' '; 1000]).await).await;
    assert_eq!(answer.status(), 200);
    let answer = Answer::of(post(&gateway.address, "/up/x", vec![b' '; 1001]).await).await;
    assert_eq!(answer.status(), 413);
    let message = answer.json()["error"]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(message.contains("limits.max_request_bytes"), "{message}");

    // Where the length is not said beforehand, it is seen on the way.
    let mut stream = TcpStream::connect(&gateway.address).await.unwrap();
    let part = format!("258\r\n{}\r\n", " ".repeat(0x258));
    let head = "POST /up/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    stream
        .write_all(format!("{head}{part}{part}").as_bytes())
        .await
        .unwrap();
    let mut answer = Vec::new();
    while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0);
    }
    assert!(answer.starts_with(b"HTTP/1.1 413"));
    let spans = mlflow.spans(3).await;
    assert_eq!(spans.iter().filter(|span| span.is_error()).count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_a_body_is_one() {
    let upstream = Upstream::saying("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n").await;
    let mlflow = Mlflow::start().await;
    let gateway = Gateway::before(&upstream, &mlflow).await;
    let request = Request::head("/up/v1/models").header("host", "x");
    let request = request.body(Full::default()).unwrap();
    let response = send(&gateway.address, request).await.unwrap();
    assert_eq!(response.headers()["content-length"], "7");
    assert!(
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .is_empty()
    );
    mlflow.span().await.assert_ok();
}
