//! Batches that fail for what is in them, without the server's saying so: those that are to blame are told from the others,
//! which arrive meanwhile.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use logger_core::FlushMode;
use logger_core::transport::TransportError;
use serde_json::json;
use support::*;

/// What a server answers where it does not like what is in a batch.
fn faults() -> [(&'static str, Answer); 5] {
    [
        ("500", answer(500, "oops")),
        ("502", answer(502, "bad gateway")),
        ("403", answer(403, "<html>blocked</html>")),
        ("503", answer(503, "busy")),
        (
            "reset",
            Err(TransportError::Other("the connection broke".to_owned())),
        ),
    ]
}

/// Logs so many calls, each so manieth of which meets the fault, as a host does that logs again what it is given back, for so
/// long. What was delivered, what was given back, and how long it took until all good ones were delivered.
fn play(
    fault: &Answer,
    calls: u64,
    every: u64,
    settings: serde_json::Value,
) -> (BTreeSet<u64>, BTreeSet<u64>, Duration) {
    let mut logger = logger(settings);
    let is_bad = |key: u64| key % every == every - 1;
    for key in 0..calls {
        success(&mut logger, key, &key.to_string());
    }
    let good = (0..calls).filter(|key| !is_bad(*key)).count();
    let (mut delivered, mut returned) = (BTreeSet::new(), BTreeSet::new());
    let mut now = NOW;
    while delivered.len() < good && now < NOW + Duration::from_secs(3600) {
        let report = flush_at(&mut logger, now, FlushMode::All, |request| {
            let ids = spans_of(request).into_iter().map(|span| {
                let id = attribute(&span, "litellm_call_id").unwrap();
                id.as_str().unwrap().parse().unwrap()
            });
            let ids: Vec<u64> = ids.collect();
            if ids.iter().any(|key| is_bad(*key)) {
                fault.clone()
            } else {
                answer(200, "")
            }
        });
        delivered.extend(keys(&report));
        for given_back in &report.returned {
            returned.extend(&given_back.keys);
            for key in &given_back.keys {
                success(&mut logger, *key, &key.to_string());
            }
        }
        now += logger
            .next_wake(now)
            .unwrap_or_default()
            .max(Duration::from_millis(20));
    }
    (delivered, returned, now - NOW)
}

#[test]
fn the_innocent_arrive_and_the_guilty_alone_are_given_back() {
    for (name, fault) in faults() {
        for every in [10, 100, 300] {
            let (delivered, returned, took) = play(&fault, 300, every, json!({}));
            assert_eq!(
                delivered.len() as u64,
                300 - 300 / every,
                "{name} 1:{every}"
            );
            assert!(
                took < Duration::from_secs(240),
                "{name} 1:{every}: {took:?}"
            );
            let innocent = returned.iter().filter(|key| *key % every != every - 1);
            assert_eq!(innocent.count(), 0, "{name} 1:{every}");
        }
    }
}

/// As after an outage, when much waits and hardly a batch is free of calls that the server fails over.
#[test]
fn a_backlog_arrives_though_each_of_its_batches_fails() {
    // What the server says of itself, and not of its settings.
    let fails = |name: &str| ["500", "502", "reset"].contains(&name);
    for (name, fault) in faults().into_iter().filter(|(name, _)| fails(name)) {
        let (delivered, returned, took) = play(&fault, 5000, 100, json!({}));
        assert_eq!(delivered.len(), 4950, "{name}");
        assert!(took < Duration::from_secs(600), "{name}: {took:?}");
        let innocent = returned.iter().filter(|key| *key % 100 != 99);
        assert_eq!(innocent.count(), 0, "{name}");
    }
}

#[test]
fn a_server_that_is_too_slow_for_a_batch_gets_smaller_ones() {
    let mut logger = logger(json!({"batch_max_spans": 64, "timeout_ms": 3000}));
    for key in 0..200 {
        success(&mut logger, key, &key.to_string());
    }
    let mut sizes = Vec::new();
    let (mut delivered, mut told, mut now) = (0, String::new(), NOW);
    for _ in 0..200 {
        let report = flush_at(&mut logger, now, FlushMode::All, |request| {
            let spans = spans_of(request).len();
            sizes.push(spans);
            if spans > 8 {
                return Err(TransportError::Timeout(request.timeout));
            }
            answer(200, "")
        });
        delivered += keys(&report).len();
        if let Some(deferral) = report.deferred {
            told = deferral.reason;
        }
        now += logger.next_wake(now).unwrap_or_default();
    }
    assert_eq!(delivered, 200, "{sizes:?}");
    assert!(
        told.contains("timeout_ms") && told.contains("batch_max_spans"),
        "{told}"
    );
    // Larger ones are tried now and then, and not again and again.
    let vain = sizes.iter().filter(|size| **size > 8).count();
    assert!(vain < sizes.len() / 2, "{sizes:?}");
}

#[test]
fn where_nothing_passes_batches_stay_batches() {
    let mut logger = logger(json!({"retry_max_elapsed_ms": 86_400_000}));
    for key in 0..100 {
        success(&mut logger, key, &key.to_string());
    }
    let mut now = NOW;
    while now < NOW + Duration::from_secs(3600) {
        flush_at(&mut logger, now, FlushMode::All, |_| {
            answer(401, "who are you?")
        });
        now += logger.next_wake(now).unwrap_or_default();
    }
    let mut requests = 0;
    now += Duration::from_secs(60);
    for _ in 0..3 {
        flush_at(&mut logger, now, FlushMode::All, |_| {
            requests += 1;
            answer(200, "")
        });
        now += Duration::from_secs(60);
    }
    assert_eq!(logger.stats().queued_spans, 0);
    assert!(requests <= 10, "{requests}");
}
