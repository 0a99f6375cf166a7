//! What a call under way takes of the budget.

use http::HeaderValue;

use super::*;
use crate::gateway::backlog::tests::{backlog, record as a_record};
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
