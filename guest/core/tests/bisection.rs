//! Batches that fail for what is in them, without the server's saying so: those that are to blame are told from the others,
//! which arrive meanwhile.

mod support;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use logger_core::event::{EventError, Hook};
use logger_core::transport::TransportError;
use logger_core::{FlushMode, Logger};
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

/// Calls on their way to a server, from a host that logs again what it is given back.
struct Play {
    logger: Logger,
    now: Duration,
    delivered: BTreeSet<u64>,
    returned: BTreeSet<u64>,
    refused: BTreeMap<u64, (Duration, String)>,
    requests: usize,
    /// Whether what is given back is logged again at once.
    relogs: bool,
}

/// A linear congruential generator (Knuth).
struct Random(u64);

impl Random {
    /// The fault in so many of a hundred cases.
    fn answer(&mut self, in_vain: u64, fault: &Answer) -> Answer {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        if (self.0 >> 33) % 100 < in_vain {
            fault.clone()
        } else {
            answer(200, "")
        }
    }
}

impl Play {
    fn new(settings: serde_json::Value) -> Self {
        Self {
            logger: logger(settings),
            now: NOW,
            delivered: BTreeSet::new(),
            returned: BTreeSet::new(),
            refused: BTreeMap::new(),
            requests: 0,
            relogs: true,
        }
    }

    fn log(&mut self, key: u64) {
        assert!(self.takes(key));
    }

    /// Logs a call, unless the queue is full.
    fn takes(&mut self, key: u64) -> bool {
        let payload = payload(&key.to_string()).to_string();
        let event = event(Hook::Success, key, &payload);
        match self.logger.log(self.now, &event) {
            Ok(()) => true,
            Err(EventError::QueueFull) => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// Sends what is due to a server that is asked of the calls of each request, and waits until there is more.
    fn go_on(&mut self, mut server: impl FnMut(&[u64]) -> Answer) {
        self.go_on_timed(|calls, _| server(calls));
    }

    /// The same; the server knows how long it may take.
    fn go_on_timed(&mut self, mut server: impl FnMut(&[u64], Duration) -> Answer) {
        let requests = &mut self.requests;
        let report = flush_at(&mut self.logger, self.now, FlushMode::All, |request| {
            let ids = spans_of(request).into_iter().map(|span| {
                let id = attribute(&span, "litellm_call_id").unwrap();
                id.as_str().unwrap().parse().unwrap()
            });
            *requests += 1;
            server(&ids.collect::<Vec<u64>>(), request.timeout)
        });
        self.delivered.extend(keys(&report));
        for refusal in &report.refused {
            let told = (self.now - NOW, refusal.reason.clone());
            let keys = refusal.keys.iter();
            self.refused.extend(keys.map(|key| (*key, told.clone())));
        }
        for given_back in &report.returned {
            self.returned.extend(&given_back.keys);
            if self.relogs {
                given_back.keys.iter().for_each(|key| self.log(*key));
            }
        }
        let wake = self.logger.next_wake(self.now).unwrap_or_default();
        self.now += wake.max(Duration::from_millis(20));
    }
}

/// Logs so many calls, each so manieth of which meets the fault, and nothing more, until all good ones are delivered.
fn play(fault: &Answer, calls: u64, every: u64, settings: serde_json::Value) -> Play {
    let mut play = Play::new(settings);
    let is_bad = |key: u64| key % every == every - 1;
    (0..calls).for_each(|key| play.log(key));
    let good = (0..calls).filter(|key| !is_bad(*key)).count();
    while play.delivered.len() < good && play.now < NOW + Duration::from_secs(3600) {
        play.go_on(|keys| {
            if keys.iter().any(|key| is_bad(*key)) {
                fault.clone()
            } else {
                answer(200, "")
            }
        });
    }
    assert_eq!(play.delivered.len(), good);
    let innocent = play.refused.keys().find(|key| !is_bad(**key));
    assert_eq!(innocent, None);
    play
}

#[test]
fn the_innocent_arrive_and_none_of_them_is_given_back() {
    for (name, fault) in faults() {
        for every in [10, 100, 300] {
            let played = play(&fault, 300, every, json!({}));
            let took = played.now - NOW;
            assert!(
                took < Duration::from_secs(240),
                "{name} 1:{every}: {took:?}"
            );
            let innocent = played.returned.iter();
            let innocent = innocent.filter(|key| *key % every != every - 1);
            assert_eq!(innocent.count(), 0, "{name} 1:{every}");
        }
    }
}

/// As after an outage, when much waits and hardly a batch is free of calls that the server fails over.
#[test]
fn a_backlog_arrives_though_each_of_its_batches_fails() {
    for (name, fault) in faults() {
        for patience in [300_000, 6000, 2000] {
            let settings = json!({"retry_max_elapsed_ms": patience});
            let played = play(&fault, 5000, 100, settings);
            let took = played.now - NOW;

            assert!(
                took < Duration::from_secs(600),
                "{name} {patience}: {took:?}"
            );
        }
    }
}

#[test]
fn a_call_that_fails_alone_is_refused_as_others_pass() {
    for (name, fault) in faults() {
        for (patience, longest) in [(300_000, 900), (5000, 60)] {
            let mut play = Play::new(json!({"retry_max_elapsed_ms": patience}));
            let mut keys = 0..;
            while play.refused.is_empty() && play.now < NOW + Duration::from_secs(3600) {
                keys.by_ref().take(10).for_each(|key| play.log(key));
                play.go_on(|keys| {
                    if keys.contains(&25) {
                        fault.clone()
                    } else {
                        answer(200, "")
                    }
                });
                play.now += Duration::from_millis(500);
            }
            let refused: Vec<_> = play.refused.into_iter().collect();
            let [(25, (took, reason))] = refused.as_slice() else {
                panic!("{name} {patience}: {refused:?}");
            };
            assert!(reason.contains("while others were taken"), "{reason}");
            let patience = Duration::from_millis(patience);
            let longest = Duration::from_secs(longest);
            assert!(
                (patience..longest).contains(took),
                "{name} {patience:?}: {took:?}"
            );
        }
    }
}

/// A server fails over half of what it gets, and then over all, while hardly anything comes.
#[test]
fn a_server_that_takes_nothing_has_no_call_refused_and_is_not_asked_often() {
    for (name, fault) in faults() {
        for patience in [2000, 10_000, 300_000] {
            let mut play = Play::new(json!({"retry_max_elapsed_ms": patience}));
            let mut random = Random(7);
            for key in 0..40 {
                play.log(key);
                play.go_on(|_| random.answer(50, &fault));
            }
            (play.requests, play.now) = (0, play.now + Duration::from_secs(1));
            let began = play.now;
            let mut key = 40;
            while play.now < began + Duration::from_secs(3600) {
                if play.now >= began + Duration::from_secs(300 * (key - 40)) {
                    play.log(key);
                    key += 1;
                }
                play.go_on(|_| fault.clone());
            }
            assert_eq!(play.refused, BTreeMap::new(), "{name} {patience}");
            assert!(
                play.requests < 60 * 60,
                "{name} {patience}: {} requests an hour",
                play.requests
            );
            while play.delivered.len() < key as usize
                && play.now < began + Duration::from_secs(7200)
            {
                play.go_on(|_| answer(200, ""));
            }
            assert_eq!(play.delivered.len(), key as usize, "{name} {patience}");
        }
    }
}

/// Most of what the queue holds are calls that the server fails over.
#[test]
fn calls_that_fail_leave_room_for_those_that_pass() {
    // Of a server that says it is busy nothing is known for long.
    for (name, fault) in faults().into_iter().filter(|(name, _)| *name != "503") {
        let mut play = Play::new(json!({"queue_max_bytes": 150_000}));
        play.relogs = false;
        let mut waiting: VecDeque<u64> = (0..400).collect();
        let is_bad = |key: u64| key < 100;
        while play.delivered.len() < 300 && play.now < NOW + Duration::from_secs(1800) {
            while let Some(key) = waiting.front() {
                if !play.takes(*key) {
                    break;
                }
                waiting.pop_front();
            }
            play.go_on(|keys| {
                if keys.iter().any(|key| is_bad(*key)) {
                    fault.clone()
                } else {
                    answer(200, "")
                }
            });
            // As a host does that leaves them alone for a while.
            waiting.extend(std::mem::take(&mut play.returned));
        }
        assert_eq!(play.delivered.len(), 300, "{name}");
        assert!(play.refused.keys().all(|key| is_bad(*key)), "{name}");
    }
}

/// What the server answers says nothing of the calls: whatever fails is tried again until it passes.
#[test]
fn a_server_that_fails_most_of_the_time_has_no_call_refused() {
    for (name, fault) in faults() {
        for (in_vain, patience) in [(50, 2000), (85, 2000), (85, 300_000)] {
            let mut play = Play::new(json!({"retry_max_elapsed_ms": patience}));
            let mut random = Random(7);
            let mut key = 0;
            while play.delivered.len() < 400 && play.now < NOW + Duration::from_secs(7200) {
                for _ in 0..4 {
                    if key < 400 {
                        play.log(key);
                        key += 1;
                    }
                }
                play.go_on(|_| random.answer(in_vain, &fault));
            }
            assert_eq!(play.refused, BTreeMap::new(), "{name} {in_vain} %");
            assert_eq!(play.delivered.len(), 400, "{name} {in_vain} %");
        }
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

/// Each of them costs time, in which nothing else is sent.
#[test]
fn calls_that_get_no_answer_are_found_in_little_time() {
    let mut play = Play::new(json!({"timeout_ms": 30_000}));
    let is_bad = |key: u64| key % 100 == 70;
    let mut lost = Duration::ZERO;
    (0..50).for_each(|key| play.log(key));
    // Of a server that has answered nothing yet nothing is known.
    play.go_on(|_| answer(200, ""));
    (50..400).for_each(|key| play.log(key));
    while play.delivered.len() < 396 && play.now < NOW + Duration::from_secs(3600) {
        play.go_on_timed(|keys, timeout| {
            if keys.iter().any(|key| is_bad(*key)) {
                lost += timeout;
                Err(TransportError::Timeout(timeout))
            } else {
                answer(200, "")
            }
        });
    }
    assert_eq!(play.delivered.len(), 396);
    assert_eq!(play.refused, BTreeMap::new());
    assert!(lost < 4 * Duration::from_secs(90), "{lost:?}");
}

/// As after a restart: most others were delivered before, and nothing new comes.
#[test]
fn what_waits_before_or_after_calls_that_fail_arrives_though_nothing_else_is_sent() {
    let good: [(u64, u64); 2] = [(45, 60), (0, 15)];
    for (name, fault) in faults() {
        for (first, end) in good {
            let good = first..end;
            let count = (end - first) as usize;
            let mut play = Play::new(json!({}));
            (0..60).for_each(|key| play.log(key));
            while play.delivered.len() < count && play.now < NOW + Duration::from_secs(3600) {
                play.go_on(|keys| {
                    if keys.iter().all(|key| good.contains(key)) {
                        answer(200, "")
                    } else {
                        fault.clone()
                    }
                });
            }
            let took = play.now - NOW;
            assert_eq!(play.delivered.len(), count, "{name} {good:?}");
            assert!(took < Duration::from_secs(300), "{name} {good:?}: {took:?}");
        }
    }
}
