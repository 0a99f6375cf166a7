//! What stands between the queue and the server: nobody there, pages, errors, and what is told of them.

mod support;

use std::time::Duration;

use logger_core::FlushMode;
use logger_core::report::Cause;
use logger_core::transport::TransportError;
use serde_json::json;
use support::*;

#[test]
fn a_server_that_contradicts_itself_is_left_alone_for_a_while() {
    let mut logger = logger(json!({"experiment_id": null, "experiment_name": "x"}));
    success(&mut logger, 1, "a");
    let mut asked = 0;
    let report = flush_at(&mut logger, NOW, FlushMode::All, |request| {
        asked += 1;
        if request.url.ends_with("/create") {
            answer(400, r#"{"error_code":"RESOURCE_ALREADY_EXISTS"}"#)
        } else {
            answer(404, r#"{"error_code":"RESOURCE_DOES_NOT_EXIST"}"#)
        }
    });
    assert_eq!(
        (asked, report.deferred.unwrap().cause),
        (3, Cause::Unavailable)
    );
}

#[test]
fn a_deleted_experiment_is_told_with_the_mend() {
    let mut logger = logger(json!({"experiment_id": null, "experiment_name": "x"}));
    success(&mut logger, 1, "a");
    let report = flush_at(&mut logger, NOW, FlushMode::All, |_| {
        answer(
            200,
            r#"{"experiment":{"experiment_id":"7","lifecycle_stage":"deleted"}}"#,
        )
    });
    let deferral = report.deferred.unwrap();
    assert_eq!(deferral.cause, Cause::Misconfigured);
    assert!(
        deferral.reason.contains("mlflow experiments restore -x 7"),
        "{}",
        deferral.reason
    );
}

#[test]
fn an_unreachable_server_is_named_and_tried_again_ever_more_seldom() {
    let mut logger = logger(json!({"retry_max_elapsed_ms": 60_000}));
    success(&mut logger, 1, "a");
    let mut now = NOW;
    let mut waits = Vec::new();
    loop {
        let report = flush_at(&mut logger, now, FlushMode::All, |_| {
            Err(TransportError::Connect(
                "the connection was refused".to_owned(),
            ))
        });
        if !report.returned.is_empty() {
            assert_eq!(report.returned[0].keys, [1]);
            break;
        }
        let deferral = report.deferred.unwrap();
        assert_eq!(deferral.cause, Cause::Unreachable);
        assert!(
            deferral.reason.contains("http://mlflow:5000"),
            "{}",
            deferral.reason
        );
        let quiet = flush_at(&mut logger, now, FlushMode::All, |_| {
            panic!("waits out backoff")
        });
        assert_eq!(quiet.deferred.unwrap().after, deferral.after);
        assert_eq!(logger.next_wake(now), Some(deferral.after));
        waits.push(deferral.after);
        now += deferral.after;
    }
    assert!(waits.len() > 4 && waits.last() > waits.first(), "{waits:?}");
    assert!(now - NOW >= Duration::from_secs(60));
}

#[test]
fn retry_after_is_honoured() {
    let mut logger = logger(json!({}));
    success(&mut logger, 1, "a");
    let report = flush_at(&mut logger, NOW, FlushMode::All, |_| {
        let mut busy = answer(503, "busy");
        busy.as_mut().unwrap().retry_after = Some("17".to_owned());
        busy
    });
    let deferral = report.deferred.unwrap();
    assert_eq!(
        (deferral.cause, deferral.after),
        (Cause::Unavailable, Duration::from_secs(17))
    );
}

#[test]
fn answers_that_need_a_person_say_how_to_mend_it() {
    for (status, body, mend) in [
        (401, "no", "check `token`"),
        (
            403,
            "Invalid Host header - possible DNS rebinding attack detected",
            "--allowed-hosts",
        ),
        (404, "<html>", "is this an MLflow server's address?"),
        (501, "no", "--backend-store-uri"),
        (
            404,
            r#"{"detail":"No Experiment with id=1 exists"}"#,
            "deleted",
        ),
    ] {
        let mut logger = logger(json!({}));
        success(&mut logger, 1, "a");
        let report = flush_at(&mut logger, NOW, FlushMode::All, |_| answer(status, body));
        let deferral = report.deferred.unwrap();
        assert_eq!(deferral.cause, Cause::Misconfigured, "{status}");
        assert!(deferral.reason.contains(mend), "{}", deferral.reason);
        assert_eq!(logger.stats().queued_spans, 1, "kept");
    }
}

#[test]
fn a_page_is_no_delivery_though_its_status_is_200() {
    let page = "\n<!doctype html><title>Sign in</title>";
    for settings in [json!({}), json!({"protocol": "otlp"})] {
        let mut logger = logger(settings);
        success(&mut logger, 1, "a");
        let report = flush_at(&mut logger, NOW, FlushMode::All, |_| answer(200, page));
        assert!(keys(&report).is_empty());
        let deferral = report.deferred.unwrap();
        assert_eq!(deferral.cause, Cause::Misconfigured);
        assert!(
            deferral.reason.contains("Sign in") && deferral.reason.contains("a proxy with a login"),
            "{}",
            deferral.reason
        );
        let later = NOW + deferral.after;
        let report = flush_at(&mut logger, later, FlushMode::All, |_| answer(200, ""));
        assert_eq!(keys(&report), [1]);
    }
}

#[test]
fn a_page_with_a_status_of_400_refuses_no_call_while_others_may_pass() {
    let page = "<html><title>400 The plain HTTP request was sent to HTTPS port</title></html>";
    let mut logger = logger(json!({}));
    success(&mut logger, 1, "a");
    success(&mut logger, 2, "b");
    let report = flush_at(&mut logger, NOW, FlushMode::All, |_| answer(400, page));
    assert!(report.refused.is_empty(), "{:?}", report.refused);
    let deferral = report.deferred.unwrap();
    assert!(
        deferral.reason.contains("plain HTTP request")
            && deferral.reason.contains("check `tracking_uri`"),
        "{}",
        deferral.reason
    );
    // JSON is the server's own word on the calls.
    let refusing = r#"{"error_code":"BAD_REQUEST"}"#;
    let later = NOW + deferral.after;
    let report = flush_at(&mut logger, later, FlushMode::All, |_| {
        answer(400, refusing)
    });
    assert_eq!(report.refused.len(), 2, "{:?}", report.deferred);
}

#[test]
fn a_page_in_the_place_of_an_experiment_refuses_no_event() {
    let mut logger = logger(json!({}));
    let payload = payload("1").to_string();
    let mut event = event(logger_core::event::Hook::Success, 1, &payload);
    event.context.experiment = Some("of the event");
    logger.log(NOW, &event).unwrap();
    let report = flush_at(&mut logger, NOW, FlushMode::All, |request| {
        assert!(request.url.contains("get-by-name"), "{}", request.url);
        answer(200, "<html>Sign in</html>")
    });
    assert!(report.refused.is_empty(), "{:?}", report.refused);
    assert_eq!(report.deferred.unwrap().cause, Cause::Misconfigured);
}

#[test]
fn an_obstacle_of_one_experiment_leaves_the_others_alone() {
    let mut logger = logger(json!({"experiment_id": null, "experiment_name": "good"}));
    for (key, experiment) in [(1, "bad"), (2, "good")] {
        let payload = payload(&key.to_string()).to_string();
        let mut event = event(logger_core::event::Hook::Success, key, &payload);
        event.context.experiment = Some(experiment);
        logger.log(NOW, &event).unwrap();
    }
    let report = flush_at(&mut logger, NOW, FlushMode::All, |request| {
        if request.url.ends_with("experiment_name=bad") {
            answer(400, r#"{"error_code":"INVALID_PARAMETER_VALUE"}"#)
        } else if request.url.contains("get-by-name") {
            answer(200, r#"{"experiment":{"experiment_id":"7"}}"#)
        } else {
            answer(200, "")
        }
    });
    assert_eq!(keys(&report), [2]);
    assert_eq!(report.refused[0].keys, [1]);
    assert!(
        report.refused[0].reason.contains("\"bad\""),
        "{:?}",
        report.refused
    );
    assert_eq!(report.deferred, None);
}

#[test]
fn what_a_server_repeats_of_its_credentials_is_not_told() {
    let said = "bad: Bearer tk-opaque-77 YWRtaW46cHctb3BhcXVl pw-opaque \u{1b}[31m sk-proj-4f6Kq0x9ZpLm2Vt7Ws1Bd8Yh3Rn5Jc6Ga v4lue";
    for settings in [
        json!({"token": "tk-opaque-77", "headers": {"X-Key": "v4lue"}}),
        json!({"username": "admin", "password": "pw-opaque"}),
    ] {
        for status in [401, 422, 500] {
            let mut logger = logger(settings.clone());
            success(&mut logger, 1, "a");
            let report = flush_at(&mut logger, NOW, FlushMode::All, |_| answer(status, said));
            let refused = report.refused.first().map(|refusal| refusal.reason.clone());
            let told = refused
                .or(report.deferred.map(|deferral| deferral.reason))
                .unwrap();
            assert!(told.contains("bad: "), "{told}");
            let mine = match settings["token"].is_string() {
                true => ["tk-opaque-77", "v4lue"],
                false => ["YWRtaW46cHctb3BhcXVl", "pw-opaque"],
            };
            for secret in mine.iter().chain(&["sk-proj-4f6K", "\u{1b}"]) {
                assert!(!told.contains(secret), "{secret}: {told}");
            }
        }
    }
}
