//! What outlives the gateway's process.

use std::path::Path;

use http_body_util::BodyExt;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::common::program;
use crate::play::{Answer, Gateway, Mlflow, Upstream, get, post};

const CHAT: &str = "/up/v1/chat/completions";

fn config(upstream: &Upstream, mlflow: &Mlflow, dir: &Path, whole: &str) -> String {
    let spool = format!(
        "drain_timeout_ms = 300\n{whole}\n[spool]\ndir = {:?}\nmax_bytes = 67108864\n",
        dir.join("spool")
    );
    Gateway::config(&upstream.url, mlflow, "", &spool)
}

async fn call(gateway: &Gateway, number: usize) {
    let request = format!(r#"{{"model":"m","number":"call-{number}-"}}"#);
    let answer = Answer::of(post(&gateway.address, CHAT, request).await).await;
    assert_eq!(answer.status(), 200);
}

/// Each of these calls is there exactly once.
async fn assert_all(mlflow: &Mlflow, calls: usize) {
    let spans = mlflow.spans(calls).await;
    for number in 0..calls {
        let marker = format!("call-{number}-");
        let having = spans
            .iter()
            .filter(|span| span.attribute("mlflow.spanInputs").contains(&marker));
        assert_eq!(having.count(), 1, "{marker}");
    }
}

async fn start() -> (Upstream, Mlflow, TempDir) {
    let upstream = Upstream::json(r#"{"ok":true}"#).await;
    let mlflow = Mlflow::start().await;
    mlflow.open(false);
    (upstream, mlflow, tempfile::tempdir().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_survive_a_gateway_that_is_killed() {
    let (upstream, mlflow, dir) = start().await;
    for round in 0..4 {
        let mut gateway = Gateway::start(&config(&upstream, &mlflow, dir.path(), "")).await;
        for number in 0..5 {
            call(&gateway, round * 5 + number).await;
        }
        gateway.kill();
    }
    mlflow.open(true);
    let gateway = Gateway::start(&config(&upstream, &mlflow, dir.path(), "")).await;
    assert_all(&mlflow, 20).await;
    gateway.said("holds calls to deliver").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_kept_once_it_has_said_that_it_ends() {
    let upstream = Upstream::start(|mut conversation| async move {
        conversation.begin_events().await;
        conversation
            .event(r#"{"choices":[{"index":0,"delta":{"content":"all"},"finish_reason":"stop"}]}"#)
            .await;
        conversation.event("[DONE]").await;
        // The end itself never comes.
        conversation.closed().await;
    })
    .await;
    let (_, mlflow, dir) = start().await;
    let config = config(&upstream, &mlflow, dir.path(), "");
    let mut gateway = Gateway::start(&config).await;
    let mut response = post(
        &gateway.address,
        CHAT,
        r#"{"model":"m","number":"call-0-"}"#,
    )
    .await;
    let mut seen = Vec::new();
    while !seen.ends_with(b"[DONE]\n\n") {
        let frame = response.body_mut().frame().await.unwrap().unwrap();
        seen.extend_from_slice(frame.data_ref().unwrap());
    }
    gateway.kill();
    mlflow.open(true);
    let _gateway = Gateway::start(&config).await;
    assert_all(&mlflow, 1).await;
    mlflow.span().await.assert_ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_runs_out_of_time_leaves_calls_in_the_spool() {
    let (upstream, mlflow, dir) = start().await;
    let config = config(&upstream, &mlflow, dir.path(), "");
    let mut gateway = Gateway::start(&config).await;
    for number in 0..3 {
        call(&gateway, number).await;
    }
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.ended().await, 0);
    gateway.said("the next start delivers them calls=3").await;
    mlflow.open(true);
    let mut gateway = Gateway::start(&config).await;
    assert_all(&mlflow, 3).await;
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.ended().await, 0);
    assert!(!gateway.log().contains("stay in the spool"));
    // Nothing is left of what is done.
    let left: Vec<_> = std::fs::read_dir(dir.path().join("spool"))
        .unwrap()
        .collect();
    let names: Vec<_> = left
        .into_iter()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert!(
        names
            .iter()
            .all(|name| name == "lock" || name == "dead-letters.jsonl"),
        "{names:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_memory_has_room_for_waits_on_the_disk() {
    let (upstream, mlflow, dir) = start().await;
    let body = "x".repeat(4000);
    let queue = "[queue]\nmax_bytes = 1048576\nworkers = 1\n";
    let config = config(&upstream, &mlflow, dir.path(), queue);
    let gateway = Gateway::start(&config).await;
    for number in 0..400 {
        let request = format!(r#"{{"model":"m","number":"call-{number}-","text":"{body}"}}"#);
        let answer = Answer::of(post(&gateway.address, CHAT, request).await).await;
        assert_eq!(answer.status(), 200);
    }
    let metrics = get(&gateway.metrics, "/metrics").await;
    let held = metrics
        .text()
        .lines()
        .find_map(|line| line.strip_prefix("gateway_log_held_bytes "));
    assert!(
        held.unwrap().parse::<f64>().unwrap() <= 1_048_576.0,
        "{held:?}"
    );
    mlflow.open(true);
    assert_all(&mlflow, 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_is_in_the_file_of_dead_letters() {
    let (upstream, mlflow, dir) = start().await;
    mlflow.open(true);
    let gateway = Gateway::start(&config(&upstream, &mlflow, dir.path(), "")).await;
    for number in 0..10 {
        call(&gateway, number).await;
    }
    post(&gateway.address, CHAT, r#"{"model":"p-o-i-s-o-n"}"#).await;
    gateway.said("cannot be logged and are in").await;
    assert_all(&mlflow, 10).await;
    let letters = std::fs::read_to_string(dir.path().join("spool/dead-letters.jsonl")).unwrap();
    let letters: Vec<serde_json::Value> = letters
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(letters.len(), 1);
    assert!(
        letters[0]["reason"]
            .as_str()
            .unwrap()
            .contains("played: it is poison")
    );
    assert_eq!(
        letters[0]["event"]["request"]["text"],
        r#"{"model":"p-o-i-s-o-n"}"#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_cannot_share_a_spool() {
    let (upstream, mlflow, dir) = start().await;
    let config = config(&upstream, &mlflow, dir.path(), "");
    let _gateway = Gateway::start(&config).await;
    let file = dir.path().join("second.toml");
    std::fs::write(&file, config).unwrap();
    let file = file.to_str().unwrap();
    let (code, _, told) = program::run(program::gateway(&["serve", "--config", file]));
    assert_ne!(code, 0);
    assert!(
        told.contains("`spool.dir`") && told.contains("in use by another gateway"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_fails_is_told_and_clients_do_not_see_it() {
    let (upstream, mlflow, dir) = start().await;
    let gateway = Gateway::start(&config(&upstream, &mlflow, dir.path(), "")).await;
    std::fs::remove_dir_all(dir.path().join("spool")).unwrap();
    for number in 0..3 {
        call(&gateway, number).await;
    }
    gateway.said("calls are kept in memory alone").await;
    let ready = get(&gateway.metrics, "/readyz").await;
    assert_eq!(ready.status(), 200);
    assert!(
        ready.text().starts_with("ready, degraded"),
        "{}",
        ready.text()
    );
    mlflow.open(true);
    assert_all(&mlflow, 3).await;
}
