//! Reloading and ending, without a call being cut off.

use http_body_util::BodyExt;
use rustix::process::Signal;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};

use crate::play::{Answer, Gateway, Mlflow, Upstream, eventually, get, post};

const CHAT: &str = "/up/v1/chat/completions";
const FIRST: &str = r#"{"choices":[{"index":0,"delta":{"content":"first "}}]}"#;
const LAST: &str = r#"{"choices":[{"index":0,"delta":{"content":"last"},"finish_reason":"stop"}]}"#;

/// An upstream whose streams go on when it is told.
async fn stream_on_demand() -> (Upstream, mpsc::Sender<()>) {
    let (go, on_go) = mpsc::channel::<()>(1);
    let on_go = std::sync::Arc::new(Mutex::new(on_go));
    let upstream = Upstream::start(move |mut conversation| {
        let on_go = on_go.clone();
        async move {
            conversation.begin_events().await;
            conversation.event(FIRST).await;
            on_go.lock().await.recv().await.unwrap();
            conversation.event(LAST).await;
            conversation.event("[DONE]").await;
            conversation.end_events().await;
        }
    })
    .await;
    (upstream, go)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_leaves_calls_under_way_alone() {
    let (slow, go) = stream_on_demand().await;
    let other = Upstream::json(r#"{"from":"other"}"#).await;
    let mlflow = Mlflow::start().await;
    let gateway = Gateway::before(&slow, &mlflow).await;
    let mut response = post(&gateway.address, CHAT, "{}").await;
    response.body_mut().frame().await.unwrap().unwrap();

    let elsewhere = Mlflow::start().await;
    gateway.write(&Gateway::config(&other.url, &elsewhere, "", ""));
    gateway.signal(Signal::HUP);
    gateway.said("the configuration was reloaded").await;
    let answer = Answer::of(post(&gateway.address, CHAT, "{}").await).await;
    assert_eq!(answer.json()["from"], "other");
    assert!(
        elsewhere
            .span()
            .await
            .attribute("mlflow.spanOutputs")
            .contains("other")
    );

    go.send(()).await.unwrap();
    let rest = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(rest, format!("data: {LAST}\n\ndata: [DONE]\n\n"));
    elsewhere.spans(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_configuration_is_refused_and_the_old_one_goes_on() {
    let upstream = Upstream::json("{}").await;
    let mlflow = Mlflow::start().await;
    let gateway = Gateway::before(&upstream, &mlflow).await;
    for (bad, words) in [
        ("listen = 1\n".to_owned(), "`listen`"),
        (
            Gateway::config(&upstream.url, &mlflow, "ca_file = \"/no/file\"", ""),
            "`upstream.0.ca_file`",
        ),
        (
            Gateway::config(&upstream.url, &mlflow, "", "") + "sample_ratio = 7\n",
            "`sample_ratio`",
        ),
    ] {
        gateway.write(&bad);
        gateway.signal(Signal::HUP);
        gateway.said(words).await;
        assert_eq!(post(&gateway.address, CHAT, "{}").await.status(), 200);
    }
    assert!(gateway.log().contains("the old one goes on"));
    let metrics = get(&gateway.metrics, "/metrics").await;
    assert!(
        metrics
            .text()
            .contains("gateway_reloads_total{taken=\"false\"} 3"),
        "{}",
        metrics.text()
    );
    mlflow.spans(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_enough() {
    let one = Upstream::json(r#"{"from":"one"}"#).await;
    let other = Upstream::json(r#"{"from":"other"}"#).await;
    let mlflow = Mlflow::start().await;
    let gateway = Gateway::before(&one, &mlflow).await;
    gateway.write(&Gateway::config(&other.url, &mlflow, "", ""));
    eventually("the new upstream", async || {
        let answer = Answer::of(post(&gateway.address, CHAT, "{}").await).await;
        (answer.json()["from"] == "other").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ending_waits_for_calls_and_delivers_them() {
    let (upstream, go) = stream_on_demand().await;
    let mlflow = Mlflow::start().await;
    let config = Gateway::config(&upstream.url, &mlflow, "", "")
        .replace("flush_interval_ms = 10", "flush_interval_ms = 60000");
    let mut gateway = Gateway::start(&config).await;
    let mut response = post(&gateway.address, CHAT, "{}").await;
    response.body_mut().frame().await.unwrap().unwrap();
    gateway.signal(Signal::TERM);
    eventually("a closed door", async || {
        TcpStream::connect(&gateway.address).await.err().map(|_| ())
    })
    .await;
    assert_eq!(get(&gateway.metrics, "/readyz").await.status(), 503);
    go.send(()).await.unwrap();
    let rest = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(rest, format!("data: {LAST}\n\ndata: [DONE]\n\n"));
    assert_eq!(gateway.ended().await, 0);
    mlflow.span().await.assert_ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_do_not_end_are_cut_off_and_logged_as_such() {
    let (upstream, _go) = stream_on_demand().await;
    let mlflow = Mlflow::start().await;
    let config = Gateway::config(&upstream.url, &mlflow, "", "drain_timeout_ms = 100\n");
    let mut gateway = Gateway::start(&config).await;
    let mut response = post(&gateway.address, CHAT, "{}").await;
    response.body_mut().frame().await.unwrap().unwrap();
    gateway.signal(Signal::INT);
    assert!(response.into_body().collect().await.is_err());
    // MLflow may be too slow for 100 ms on a busy machine.
    if gateway.ended().await == 0 {
        assert_eq!(mlflow.span().await.exception().0, "gateway-shutdown");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    let (upstream, _go) = stream_on_demand().await;
    let mlflow = Mlflow::start().await;
    let mut gateway = Gateway::before(&upstream, &mlflow).await;
    let mut response = post(&gateway.address, CHAT, "{}").await;
    response.body_mut().frame().await.unwrap().unwrap();
    gateway.signal(Signal::TERM);
    gateway.said("calls under way end first").await;
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.ended().await, 1);
}
