//! From the queue to the server and back: batches, lookups, answers, reports.

mod support;

use std::time::Duration;

use logger_core::event::Hook;
use logger_core::transport::Method;
use logger_core::{FlushMode, Logger};
use serde_json::json;
use support::*;

#[test]
fn what_is_sent_carries_experiment_run_and_credentials() {
    let mut logger = logger(json!({
        "token": "t0ken", "run_id": "r1", "workspace": "w", "headers": {"X-Team": "a"},
    }));
    success(&mut logger, 1, "a");
    let mut seen = None;
    flush_at(&mut logger, NOW, FlushMode::All, |request| {
        seen = Some(request.clone());
        answer(200, "")
    });
    let request = seen.unwrap();
    assert_eq!(request.url, "http://mlflow:5000/v1/traces");
    assert_eq!(
        request.extra_headers,
        [("x-team".to_owned(), "a".to_owned())]
    );
    for (name, value) in [
        ("content-type", "application/x-protobuf"),
        ("content-encoding", "gzip"),
        ("x-mlflow-experiment-id", "1"),
        ("x-mlflow-run-id", "r1"),
        ("authorization", "Bearer t0ken"),
        ("x-mlflow-workspace", "w"),
    ] {
        assert!(
            request.headers.contains(&(name, value.to_owned())),
            "{name}"
        );
    }
}

#[test]
fn an_experiment_is_looked_up_and_created_once() {
    let mut logger = logger(json!({"experiment_id": null, "experiment_name": "a b/ü"}));
    for key in 0..3 {
        success(&mut logger, key, &key.to_string());
    }
    let mut asked = Vec::new();
    let report = flush_at(&mut logger, NOW, FlushMode::All, |request| {
        asked.push((
            request.method,
            request.url.replace("http://mlflow:5000", ""),
        ));
        match request.url.rsplit('/').next().unwrap() {
            "create" => {
                assert_eq!(request.body, r#"{"name":"a b/ü"}"#.as_bytes());
                answer(200, r#"{"experiment_id":"42"}"#)
            }
            "traces" => {
                assert!(
                    request
                        .headers
                        .contains(&("x-mlflow-experiment-id", "42".to_owned()))
                );
                answer(200, "")
            }
            _ => answer(
                404,
                r#"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"No"}"#,
            ),
        }
    });
    assert_eq!(keys(&report), [0, 1, 2]);
    assert_eq!(
        asked,
        [
            (
                Method::Get,
                "/api/2.0/mlflow/experiments/get-by-name?experiment_name=a%20b%2F%C3%BC".to_owned()
            ),
            (
                Method::Post,
                "/api/2.0/mlflow/experiments/create".to_owned()
            ),
            (Method::Post, "/v1/traces".to_owned()),
        ]
    );
}

#[test]
fn whoever_creates_the_experiment_it_is_used() {
    let mut logger = logger(json!({"experiment_id": null, "experiment_name": "x"}));
    success(&mut logger, 1, "a");
    let mut there = false;
    let mut server = |request: &logger_core::transport::Request| {
        if request.url.ends_with("/create") {
            there = true;
            answer(400, r#"{"error_code":"RESOURCE_ALREADY_EXISTS"}"#)
        } else if request.url.ends_with("/v1/traces") {
            answer(200, "")
        } else if there {
            answer(
                200,
                r#"{"experiment":{"experiment_id":"7","lifecycle_stage":"active"}}"#,
            )
        } else {
            answer(404, r#"{"error_code":"RESOURCE_DOES_NOT_EXIST"}"#)
        }
    };
    let report = flush_at(&mut logger, NOW, FlushMode::All, &mut server);
    assert_eq!(keys(&report), [1]);
}

#[test]
fn batches_keep_their_bounds() {
    let mut logger = logger(json!({"batch_max_spans": 10}));
    for key in 0..25 {
        success(&mut logger, key, &key.to_string());
    }
    let mut sizes = Vec::new();
    let server = |sizes: &mut Vec<usize>, request: &_| {
        sizes.push(spans_of(request).len());
        answer(200, "")
    };
    let report = flush_at(&mut logger, NOW, FlushMode::Due, |request| {
        server(&mut sizes, request)
    });
    assert_eq!(
        (sizes.as_slice(), keys(&report).len()),
        ([10, 10].as_slice(), 20)
    );
    assert_eq!(logger.next_wake(NOW), Some(Duration::from_secs(1)));

    let later = NOW + Duration::from_secs(1);
    assert_eq!(logger.next_wake(later), Some(Duration::ZERO));
    let report = flush_at(&mut logger, later, FlushMode::Due, |request| {
        server(&mut sizes, request)
    });
    assert_eq!(keys(&report), (20..25).collect::<Vec<_>>());
    assert_eq!(logger.next_wake(later), None);
    assert_eq!(logger.stats().queued_bytes, 0);

    let mut logger = support::logger(json!({"batch_max_bytes": 1024}));
    for key in 0..3 {
        success(&mut logger, key, &key.to_string());
    }
    let mut sizes = Vec::new();
    flush_at(&mut logger, NOW, FlushMode::All, |request| {
        server(&mut sizes, request)
    });
    assert_eq!(sizes, [1, 1, 1], "a span over the limit goes alone");
}

#[test]
fn a_refused_batch_is_split_until_the_bad_span_stands_alone() {
    let mut logger = logger(json!({}));
    for key in 0..20 {
        success(&mut logger, key, &key.to_string());
    }
    let is_bad = |span: &_| attribute(span, "litellm_call_id") == Some(json!("13"));
    let report = flush_at(&mut logger, NOW, FlushMode::All, |request| {
        if spans_of(request).iter().any(is_bad) {
            answer(422, r#"{"detail":"no"}"#)
        } else {
            answer(200, "")
        }
    });
    let mut delivered = keys(&report);
    delivered.sort_unstable();
    assert_eq!(
        delivered,
        (0..20).filter(|key| *key != 13).collect::<Vec<_>>()
    );
    assert_eq!(report.refused.len(), 1);
    assert_eq!(report.refused[0].keys, [13]);
    assert!(
        report.refused[0].reason.contains("422"),
        "{}",
        report.refused[0].reason
    );
    assert_eq!(logger.stats().queued_spans, 0);
}

#[test]
fn a_span_that_the_server_fails_over_does_not_hold_up_the_others() {
    let mut logger = logger(json!({}));
    for key in 0..8 {
        success(&mut logger, key, &key.to_string());
    }
    let is_bad = |span: &_| attribute(span, "litellm_call_id") == Some(json!("3"));
    let mut delivered = Vec::new();
    let mut now = NOW;
    for later in 100..1000 {
        let payload = payload(&later.to_string()).to_string();
        logger
            .log(now, &event(Hook::Success, later, &payload))
            .unwrap();
        let report = flush_at(&mut logger, now, FlushMode::All, |request| {
            if spans_of(request).iter().any(is_bad) {
                answer(500, "oops")
            } else {
                answer(200, "")
            }
        });
        delivered.extend(keys(&report));
        assert_eq!(report.returned.len(), 0);
        if let Some(refused) = report.refused.first() {
            assert_eq!(refused.keys, [3]);
            assert!(refused.reason.contains("500"));
            delivered.sort_unstable();
            assert_eq!(delivered[..7], [0, 1, 2, 4, 5, 6, 7]);
            return;
        }
        now += report
            .deferred
            .map_or(Duration::from_secs(1), |deferral| deferral.after);
    }
    panic!("the bad span is never refused");
}

#[test]
fn every_experiment_has_its_turn() {
    let mut logger = logger(json!({"batch_max_spans": 1}));
    let mut key = 0;
    let mut log = |logger: &mut Logger, experiment| {
        key += 1;
        let payload = payload(&key.to_string()).to_string();
        let mut event = event(Hook::Success, key, &payload);
        event.context.experiment = experiment;
        logger.log(NOW, &event).unwrap();
    };
    log(&mut logger, Some("other"));
    log(&mut logger, None);
    let mut others = 0;
    for _ in 0..10 {
        // More comes for the first than one request takes.
        log(&mut logger, None);
        log(&mut logger, None);
        logger.prepare(NOW, FlushMode::Due);
        let request = logger.poll_request(NOW).unwrap();
        let is_lookup = request.url.contains("/api/2.0/");
        let is_configured = request.headers.iter().any(|(_, value)| value == "1");
        others += usize::from(!is_lookup && !is_configured);
        let body = r#"{"experiment":{"experiment_id":"7"}}"#;
        let response = answer(200, if is_lookup { body } else { "" });
        logger.on_response(NOW, request.id, response);
    }
    assert_eq!(
        others, 1,
        "the other experiment's only call is sent among them"
    );
}

#[test]
fn a_full_queue_says_so_and_streams_alone_do_not_block_it() {
    let mut logger = logger(json!({"queue_max_bytes": 65_536}));
    let text = "x".repeat(20_000);
    let mut logged = 0;
    while log(
        &mut logger,
        logger_core::event::Hook::Stream,
        logged,
        &chunk(&logged.to_string(), &text),
    )
    .is_ok()
    {
        logged += 1;
        assert!(logged < 10);
    }
    // The stalest stream was given up; a flush makes room.
    let report = flush_at(&mut logger, NOW, FlushMode::All, |_| answer(200, ""));
    assert_eq!(keys(&report), [0]);
    log(
        &mut logger,
        logger_core::event::Hook::Stream,
        9,
        &chunk("9", &text),
    )
    .unwrap();

    let huge = payload(&"y".repeat(70_000));
    let error = log(&mut logger, logger_core::event::Hook::Success, 10, &huge).unwrap_err();
    assert!(error.to_string().contains("queue_max_bytes"), "{error}");
}

#[test]
fn what_is_queued_goes_to_where_it_was_bound() {
    let mut logger = logger(json!({}));
    success(&mut logger, 1, "a");
    logger
        .configure(r#"{"tracking_uri":"http://other:1","experiment_id":"2"}"#)
        .unwrap();
    success(&mut logger, 2, "b");
    let mut urls = Vec::new();
    flush_at(&mut logger, NOW, FlushMode::All, |request| {
        urls.push(request.url.clone());
        answer(200, "")
    });
    assert_eq!(
        urls,
        ["http://mlflow:5000/v1/traces", "http://other:1/v1/traces"]
    );
}

#[test]
fn who_names_ever_new_experiments_makes_nothing_grow() {
    let mut logger = logger(json!({}));
    let mut lookups = Vec::new();
    let call = |logger: &mut Logger, key: u64, experiment: &str| {
        let payload = payload(&key.to_string()).to_string();
        let mut event = event(Hook::Success, key, &payload);
        event.context.experiment = Some(experiment);
        logger.log(NOW + Duration::from_secs(key), &event).unwrap();
    };
    for key in 0..200 {
        call(&mut logger, key, &key.to_string());
        let report = flush_at(&mut logger, NOW, FlushMode::All, |request| {
            if request.url.contains("get-by-name") {
                lookups.push(key);
                return answer(200, r#"{"experiment":{"experiment_id":"7"}}"#);
            }
            answer(200, "")
        });
        assert_eq!(keys(&report), [key]);
    }
    // The newest are known still, the oldest no more.
    for key in [199, 150, 0] {
        call(&mut logger, 200 + key, &key.to_string());
        flush_at(&mut logger, NOW, FlushMode::All, |request| {
            let lookup = request.url.contains("get-by-name");
            lookups.extend(lookup.then_some(1000 + key));
            answer(200, r#"{"experiment":{"experiment_id":"7"}}"#)
        });
    }
    assert_eq!(lookups.len(), 201);
    assert_eq!(lookups.last(), Some(&1000));
}

#[test]
fn a_batch_that_is_refused_in_part_is_refused_once() {
    let mut logger = logger(json!({"protocol": "otlp"}));
    success(&mut logger, 1, "a");
    success(&mut logger, 2, "b");
    let mut sent = 0;
    let report = flush_at(&mut logger, NOW, FlushMode::All, |_| {
        sent += 1;
        // `partial_success { rejected_spans: 1 error_message: "too long" }`
        answer(200, "\n\u{c}\u{8}\u{1}\u{12}\u{8}too long")
    });
    assert_eq!((sent, keys(&report).len()), (1, 0));
    assert_eq!(report.refused.len(), 2);
    let reason = &report.refused[0].reason;
    assert!(
        reason.contains("refused 1 spans") && reason.ends_with("too long"),
        "{reason}"
    );
}
