//! What goes wrong on the way: the client is told, and the trace shows it.

use http_body_util::BodyExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::play::{Answer, Gateway, Mlflow, Upstream, post};

const CHAT: &str = "/up/v1/chat/completions";

async fn closed_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_is_seen_upstream_and_logged_with_what_had_come() {
    let (ended, mut on_end) = mpsc::channel(1);
    let upstream = Upstream::start(move |mut conversation| {
        let ended = ended.clone();
        async move {
            conversation.begin_events().await;
            conversation.event(r#"{"part":"first"}"#).await;
            conversation.closed().await;
            ended.send(()).await.unwrap();
        }
    })
    .await;
    let mlflow = Mlflow::start().await;
    let gateway = Gateway::before(&upstream, &mlflow).await;
    let mut response = post(&gateway.address, CHAT, r#"{"model":"m"}"#).await;
    response.body_mut().frame().await.unwrap().unwrap();
    drop(response);
    on_end.recv().await.unwrap();
    let span = mlflow.span().await;
    assert!(span.is_error());
    assert_eq!(span.exception().0, "client-disconnected");
    assert!(span.attribute("mlflow.spanOutputs").contains("first"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_before_the_answer_is_logged_too() {
    let (ended, mut on_end) = mpsc::channel(1);
    let (heard, mut on_heard) = mpsc::channel(1);
    let upstream = Upstream::start(move |conversation| {
        let (ended, heard) = (ended.clone(), heard.clone());
        async move {
            heard.send(()).await.unwrap();
            conversation.closed().await;
            ended.send(()).await.unwrap();
        }
    })
    .await;
    let mlflow = Mlflow::start().await;
    let gateway = Gateway::before(&upstream, &mlflow).await;
    let address = gateway.address.clone();
    let call = tokio::spawn(async move { post(&address, CHAT, r#"{"model":"m"}"#).await });
    on_heard.recv().await.unwrap();
    call.abort();
    on_end.recv().await.unwrap();
    let span = mlflow.span().await;
    assert_eq!(span.exception().0, "client-disconnected");
    assert!(span.attribute("mlflow.spanInputs").contains("\"m\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_breaks_off_is_502_before_its_answer() {
    let upstream = Upstream::start(|conversation| async move { drop(conversation) }).await;
    let mlflow = Mlflow::start().await;
    let gateway = Gateway::before(&upstream, &mlflow).await;
    let answer = Answer::of(post(&gateway.address, CHAT, "{}").await).await;
    assert_eq!(answer.status(), 502);
    let error = &answer.json()["error"];
    assert_eq!(error["type"], "connection-reset");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(&upstream.url), "{message}");
    assert_eq!(mlflow.span().await.exception().0, "connection-reset");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_breaks_off_in_the_middle_breaks_off_for_the_client() {
    let upstream = Upstream::start(|mut conversation| async move {
        conversation.begin_events().await;
        conversation.event(r#"{"part":"first"}"#).await;
    })
    .await;
    let mlflow = Mlflow::start().await;
    let gateway = Gateway::before(&upstream, &mlflow).await;
    let response = post(&gateway.address, CHAT, "{}").await;
    let mut body = response.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    assert!(body.frame().await.unwrap().is_err());
    let span = mlflow.span().await;
    assert_eq!(span.exception().0, "connection-reset");
    assert!(span.attribute("mlflow.spanOutputs").contains("first"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_not_there_is_502() {
    let mlflow = Mlflow::start().await;
    let url = closed_url().await;
    let gateway = Gateway::start(&Gateway::config(&url, &mlflow, "", "")).await;
    let asked = r#"{"model":"m","messages":[{"role":"user","content":"is anybody there?"}]}"#;
    let answer = Answer::of(post(&gateway.address, CHAT, asked).await).await;
    assert_eq!(answer.status(), 502);
    assert_eq!(answer.json()["error"]["type"], "connection-refused");
    let span = mlflow.span().await;
    assert_eq!(span.exception().0, "connection-refused");
    let inputs = span.attribute("mlflow.spanInputs");
    assert!(inputs.contains("is anybody there?"), "{inputs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_does_not_answer_is_504() {
    let upstream = Upstream::start(|conversation| conversation.closed()).await;
    let mlflow = Mlflow::start().await;
    let config = Gateway::config(&upstream.url, &mlflow, "timeout_ms = 50", "");
    let gateway = Gateway::start(&config).await;
    let answer = Answer::of(post(&gateway.address, CHAT, "{}").await).await;
    assert_eq!(answer.status(), 504);
    let error = &answer.json()["error"];
    assert!(error["message"].as_str().unwrap().contains("timeout_ms"));
    assert_eq!(mlflow.span().await.exception().0, "timeout");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_stops_in_the_middle_breaks_off_for_the_client() {
    let upstream = Upstream::start(|mut conversation| async move {
        conversation.begin_events().await;
        conversation.event(r#"{"part":"first"}"#).await;
        conversation.closed().await;
    })
    .await;
    let mlflow = Mlflow::start().await;
    let config = Gateway::config(&upstream.url, &mlflow, "idle_timeout_ms = 50", "");
    let gateway = Gateway::start(&config).await;
    let response = post(&gateway.address, CHAT, "{}").await;
    assert!(response.into_body().collect().await.is_err());
    let span = mlflow.span().await;
    assert_eq!(span.exception().0, "timeout");
    assert!(span.attribute("mlflow.spanOutputs").contains("first"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_provider_passes_as_it_is() {
    let body = r#"{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}"#;
    let upstream = Upstream::saying(format!(
        "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nretry-after: 7\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    ))
    .await;
    let mlflow = Mlflow::start().await;
    let gateway = Gateway::before(&upstream, &mlflow).await;
    let answer = Answer::of(post(&gateway.address, CHAT, r#"{"model":"m"}"#).await).await;
    assert_eq!((answer.status(), answer.text()), (429, body));
    assert_eq!(answer.head.headers["retry-after"], "7");
    let span = mlflow.span().await;
    assert!(span.is_error());
    assert!(span.exception().1.contains("Rate limit reached"));
}
