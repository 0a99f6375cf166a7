//! Delivery against generated schedules of faults, held against a model of a server that upserts.
//!
//! A schedule says what is logged and when, what each request meets, in which order answers come, and
//! what the clock does. Whatever it says, each event ends in exactly one way, the server holds exactly
//! what was reported as delivered, and the logger neither hammers a server that fails nor spins. Once
//! the faults are over, everything is settled. `PROPTEST_CASES` runs more schedules than the default.

#[path = "faults/host.rs"]
mod host;
#[path = "faults/schedule.rs"]
mod schedule;
#[path = "faults/server.rs"]
mod server;
mod support;

use std::time::Duration;

use logger_core::FlushMode;
use logger_core::transport::TransportError;
use proptest::prelude::*;
use serde_json::json;
use support::{NOW, answer, flush_at, logger, success};

use host::Host;
use schedule::schedule;

/// Enough that a rare combination comes up, few enough for each run of the tests.
const SCHEDULES: u32 = 3000;

fn config() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok();
    let cases = asked.and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(SCHEDULES),
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_happens_each_event_ends_in_exactly_one_way(schedule in schedule()) {
        let mut host = Host::new(schedule.concurrency);
        for step in schedule.steps {
            host.step(step);
        }
        host.settle();
        host.check_what_is_stored();
    }

    /// The waiting times of failures in a row: never below half of what doubling gives, never above it,
    /// and never above a minute.
    #[test]
    fn backoff_doubles_up_to_a_minute(status in prop::sample::select(vec![0_u16, 429, 500, 503]), seed: u64) {
        let mut logger = logger_core::Logger::new(seed);
        let settings = json!({"tracking_uri": "http://a:1", "experiment_id": "1", "retry_max_elapsed_ms": 86_400_000});
        logger.configure(&settings.to_string()).unwrap();
        success(&mut logger, 1, "a");
        let mut now = NOW;
        for failure in 0..20 {
            let mut requests = 0;
            let report = flush_at(&mut logger, now, FlushMode::All, |_| {
                requests += 1;
                match status {
                    0 => Err(TransportError::Connect("the connection was refused".to_owned())),
                    status => answer(status, "no"),
                }
            });
            prop_assert_eq!(requests, 1);
            let wait = report.deferred.unwrap().after;
            let longest = Duration::from_millis(500 << failure.min(7)).min(Duration::from_secs(60));
            prop_assert!(wait >= longest / 2 && wait <= longest, "{failure}: {wait:?}");
            now += wait;
        }
    }
}

/// The server says how long to wait; zero is no permission to ask in a loop, and an answer that took
/// long to come does not call off what the server asked for meanwhile.
#[test]
fn retry_after_is_kept_to_whatever_else_comes() {
    let mut logger = logger(json!({"batch_max_spans": 1}));
    for (key, call) in [(1, "a"), (2, "b"), (3, "c")] {
        success(&mut logger, key, call);
    }
    logger.prepare(NOW, FlushMode::All);
    let first = logger.poll_request(NOW).unwrap();
    let second = logger.poll_request(NOW).unwrap();
    let busy = |seconds: &str| {
        let mut busy = answer(429, "busy");
        busy.as_mut().unwrap().retry_after = Some(seconds.to_owned());
        busy
    };
    logger.on_response(NOW, first.id, busy("17"));
    logger.on_response(NOW, second.id, answer(200, ""));
    assert!(logger.poll_request(NOW).is_none());
    assert_eq!(logger.next_wake(NOW), Some(Duration::from_secs(17)));

    let later = NOW + Duration::from_secs(17);
    let third = logger.poll_request(later).unwrap();
    logger.on_response(later, third.id, busy("0"));
    assert!(logger.poll_request(later).is_none());
    assert!(logger.next_wake(later).unwrap() >= Duration::from_millis(250));
}

#[test]
fn a_clock_that_steps_back_holds_nothing_up() {
    let mut logger = logger(json!({}));
    success(&mut logger, 1, "a");
    logger.prepare(NOW, FlushMode::All);
    let request = logger.poll_request(NOW).unwrap();
    logger.on_response(NOW, request.id, answer(503, "busy"));
    success(&mut logger, 2, "b");
    let back = NOW - Duration::from_secs(50);
    logger.prepare(back, FlushMode::Due);
    let wait = logger.next_wake(back).unwrap();
    assert!(wait <= Duration::from_secs(1), "{wait:?}");
    let report = flush_at(&mut logger, back + wait, FlushMode::Due, |_| {
        answer(200, "")
    });
    assert_eq!(report.delivered.len(), 1);
    let wait = logger.next_wake(back + wait).unwrap();
    assert!(wait <= Duration::from_secs(1), "{wait:?}");
}
