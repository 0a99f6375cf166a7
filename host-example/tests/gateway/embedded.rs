//! The gateway's delivery in a service that sees its calls itself.

use std::path::Path;
use std::time::Duration;

use host_example::Limits;
use host_example::delivery::{Delivery, Drained, EndedCall, Options};
use http::{HeaderMap, HeaderValue};

use crate::common;
use crate::play::Mlflow;

const BEGAN: u64 = 1_767_323_045_000_000_000;
const LONG: Duration = Duration::from_secs(60);

async fn delivery(mlflow: &Mlflow, dir: &Path) -> Delivery {
    let plugin = common::plugin(Limits::default()).await;
    let settings = common::settings(&mlflow.url, &[]);
    let options = Options::with_spool(dir.join("spool"));
    Delivery::start(&plugin, &options, settings).await.unwrap()
}

fn call(number: usize) -> EndedCall {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("Bearer canary"));
    EndedCall {
        call_id: format!("call-{number}"),
        path: "/v1/chat/completions?key=canary".to_owned(),
        authority: "api.openai.com".to_owned(),
        headers,
        request: r#"{"model":"m","messages":[]}"#.into(),
        status: Some(200),
        response: vec![(BEGAN + 1, r#"{"choices":[]}"#.into())],
        ..EndedCall::at(BEGAN, BEGAN + 2)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_delivered_or_wait_for_the_next_process() {
    let mlflow = Mlflow::start().await;
    mlflow.open(false);
    let directory = tempfile::tempdir().unwrap();
    let first = delivery(&mlflow, directory.path()).await;
    (0..3).for_each(|number| first.log(call(number)));
    let left = first.drain(Duration::from_millis(100)).await;
    assert_eq!((left.undelivered, left.spooled), (0, 3));

    mlflow.open(true);
    let second = delivery(&mlflow, directory.path()).await;
    (2..5).for_each(|number| second.log(call(number)));
    // A clock that was set back between a call's beginning and its end.
    second.log(EndedCall {
        ended: BEGAN - 1,
        ..call(5)
    });
    let metrics = second.metrics();
    assert!(
        metrics.contains("gateway_spool_recovered_total 3"),
        "{metrics}"
    );
    let left = second.drain(LONG).await;
    let (undelivered, spooled) = (0, 0);
    assert_eq!(
        left,
        Drained {
            undelivered,
            spooled
        }
    );
    // One of them came twice, under one id, and so did those that the first process had under way when its time was
    // up, where the server took them all the same.
    let spans = mlflow.all();
    assert!(spans.len() >= 7, "{spans:?}");
    let ids = spans.iter().map(|span| span.span.span_id.clone());
    assert_eq!(ids.collect::<std::collections::BTreeSet<_>>().len(), 6);
    for seen in &spans {
        assert!(seen.span.end_time_unix_nano >= seen.span.start_time_unix_nano);
    }
    assert!(!mlflow.raw().windows(6).any(|window| window == b"canary"));
}
