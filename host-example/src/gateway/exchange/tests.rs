//! What a call under way takes of the budget.

use http::HeaderValue;

use super::*;
use crate::gateway::backlog::tests::{backlog, record as a_record, spooled};
use crate::gateway::metrics::Metrics;

fn begin(backlog: &Arc<Backlog>) -> Exchange {
    let around = Surroundings {
        backlog: Some(backlog.clone()),
        log_body_bytes: 1 << 20,
        closing: Arc::default(),
        metrics: Metrics::new().call("/openai"),
    };
    Exchange::begin(around, || a_record(backlog, 1, 0).unwrap().start)
}

/// A head with so many bytes in a field.
fn fields(bytes: usize) -> HeaderMap {
    let value = HeaderValue::try_from("x".repeat(bytes)).unwrap();
    HeaderMap::from_iter([(http::header::SERVER, value)])
}

#[test]
fn the_fields_of_a_response_take_their_share() {
    let backlog = backlog(1 << 20);
    let exchange = begin(&backlog);
    let before = backlog.budget().held();
    exchange.head(StatusCode::OK, &fields(10_000));
    assert!(backlog.budget().held() >= before + 10_000);
    exchange.response_part(&Bytes::from_static(b"{}"));
    assert!(backlog.budget().held() >= before + 10_002 + PART);
}

#[tokio::test]
async fn a_call_whose_head_finds_no_room_goes_unlogged_and_holds_nothing() {
    let backlog = backlog(5000);
    let exchange = begin(&backlog);
    exchange.head(StatusCode::OK, &fields(10_000));
    exchange.finish();
    assert_eq!(backlog.budget().held(), 0);
    backlog.close();
    assert!(backlog.take().await.is_none());
    assert_eq!(backlog.dropped(), 1);
}

#[tokio::test]
async fn an_end_that_was_foreseen_is_written_once_unless_it_is_another() {
    type Way = fn(&Exchange);
    let ways: [(&str, Way, bool); 3] = [
        ("as foreseen", |call| call.finish(), false),
        ("fails", |call| call.fail("reset", "it broke off"), true),
        (
            "more came",
            |call| {
                call.response_part(&Bytes::from_static(b": one more\n\n"));
                call.finish();
            },
            true,
        ),
    ];
    for (name, way, written_again) in ways {
        let directory = tempfile::tempdir().unwrap();
        let backlog = Arc::new(spooled(&directory, 1 << 20, 1 << 20));
        let size = || {
            let calls = directory.path().join("spool/0000000001.calls");
            calls.metadata().map_or(0, |calls| calls.len())
        };
        let exchange = begin(&backlog);
        exchange.response_part(&Bytes::from_static(b"data: [DONE]\n\n"));
        let foreseen = size();
        assert!(foreseen > 100, "{name}: {foreseen}");
        way(&exchange);
        assert_eq!(size() > foreseen, written_again, "{name}");
        let record = backlog.take().await.unwrap();
        assert_eq!(record.failure.is_some(), name == "fails");
        assert_eq!(backlog.left(), (1, 0), "{name}");
    }
}

#[test]
fn a_body_that_finds_no_room_is_counted_once() {
    let backlog = backlog(5000);
    let exchange = begin(&backlog);
    for _ in 0..3 {
        exchange.request_part(&Bytes::from(vec![b'x'; 3000]));
    }
    assert_eq!(backlog.metric("gateway_log_cut_total"), 1);
}

#[tokio::test]
async fn an_end_that_the_disk_does_not_take_is_written_when_it_does() {
    let directory = tempfile::tempdir().unwrap();
    let (dir, gone) = (
        directory.path().join("spool"),
        directory.path().join("gone"),
    );
    let backlog = Arc::new(spooled(&directory, 1 << 20, 1 << 20));
    let exchange = begin(&backlog);
    exchange.response_part(&Bytes::from_static(b"data: [DONE]\n\n"));
    // The mark was none, and what comes then needs another file.
    std::fs::rename(&dir, &gone).unwrap();
    exchange.response_part(&Bytes::from(vec![b'x'; 70_000]));
    exchange.finish();
    std::fs::rename(&gone, &dir).unwrap();
    let mut record = backlog.take().await.unwrap();
    assert!(record.ticket.is_some() && record.written().is_none());
    while !backlog.save([&mut record]) {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(record.written().is_some());
    drop((record, exchange));
    assert_eq!(backlog.left(), (1, 0));
}
