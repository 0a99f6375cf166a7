//! What settings take away: paths, users, samples, and what clients ask for.

mod support;

use logger_core::event::{Context, Event, Hook};
use logger_core::{FlushMode, Logger};
use serde_json::{Value, json};
use support::streamed::{start, stream};
use support::*;

/// The URLs that are asked for, and the spans' text.
fn sent(logger: &mut Logger) -> (Vec<String>, String) {
    let (mut urls, mut text) = (Vec::new(), String::new());
    flush_at(logger, NOW, FlushMode::Close, |request| {
        urls.push(request.url.clone());
        if request.url.ends_with("/v1/traces") {
            text.push_str(&format!("{:?}", spans_of(request)));
            return answer(200, "");
        }
        answer(200, r#"{"experiment":{"experiment_id":"7"}}"#)
    });
    (urls, text)
}

#[test]
fn paths_hide_what_they_lead_to_and_chunks_with_it() {
    let settings =
        json!({"redact": {"paths": ["/messages/*/content", "/outputs/choices/0/message"]}});
    let mut hooked = logger(settings.clone());
    success(&mut hooked, 1, "a");
    let text = format!("{:?}", span(&mut hooked));
    assert!(!text.contains("2+2") && text.contains("REDACTED"), "{text}");
    assert!(!text.contains("assistant"), "{text}");
    let mut wired = logger(settings);
    stream(&mut wired, &["Hello ", "World"]);
    let text = format!("{:?}", span(&mut wired));
    assert!(!text.contains("Hello") && !text.contains("World"), "{text}");
}

#[test]
fn users_are_named_nowhere() {
    let user = "alice@example.com";
    let settings = json!({"user_hash_key": "correct horse battery", "capture": {"headers": true}});
    let mut payload = payload("a");
    payload["kwargs"]["optional_params"]["user"] = json!(user);
    payload["kwargs"]["exception"] = json!(format!("{user} is over quota"));
    payload["kwargs"]["standard_logging_object"] = json!({
        "end_user": user, "request_tags": [format!("user:{user}"), format!("note:for {user}")],
        "metadata": {"user_api_key_user_id": user},
    });
    let mut hooked = logger(settings.clone());
    log(&mut hooked, Hook::Failure, 1, &payload).unwrap();
    let body = json!({
        "model": "m", "user": user, "safety_identifier": user, "metadata": {"user_id": user},
        "messages": [{"role": "user", "content": format!("I am {user}")}],
    });
    let mut wired = logger(settings);
    let body = body.to_string();
    let fields: Vec<(&str, &[u8])> = vec![
        ("x-mlflow-user", user.as_bytes()),
        ("baggage", b"user.id=alice%40example.com"),
    ];
    let start = start(fields, body.as_bytes());
    let call = wired.begin_call(NOW, &start).unwrap();
    wired.finish_call(NOW, call, START + 2).unwrap();
    let mut hashes = Vec::new();
    for logger in [&mut hooked, &mut wired] {
        let span = span(logger);
        assert!(!format!("{span:?}").contains("alice"), "{span:?}");
        hashes.push(attribute(&span, "user.id").unwrap());
    }
    assert_eq!(hashes[0], hashes[1], "the same user is the same hash");
    assert!(hashes[0].as_str().unwrap().starts_with("hmac-"));
}

#[test]
fn media_are_described_whatever_the_redaction() {
    let mut payload = payload("a");
    payload["kwargs"]["messages"][0]["content"] =
        json!([{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}}]);
    for (settings, carried) in [
        (json!({"redact": false}), false),
        (json!({"media": "keep"}), true),
    ] {
        let mut logger = logger(settings);
        log(&mut logger, Hook::Success, 1, &payload).unwrap();
        let text = format!("{:?}", span(&mut logger));
        assert_eq!(text.contains("aGVsbG8"), carried, "{text}");
        assert_eq!(
            text.contains("[image/png, 5 bytes, sha256 2cf24dba"),
            !carried,
            "{text}"
        );
    }
}

#[test]
fn samples_follow_the_caller_and_failures_are_kept_if_set() {
    let parent = |trace: u64, flags| format!("00-{trace:032x}-00f067aa0ba902b7-{flags}");
    let mut logger = logger(json!({"sample_ratio": 0.5, "sample_errors": true}));
    let payload = payload("a");
    let (mut expected, mut key) = (Vec::new(), 0);
    for trace in 1..200 {
        for (flags, hook) in [
            ("01", Hook::Success),
            ("00", Hook::Success),
            ("00", Hook::Failure),
        ] {
            key += 1;
            let mut payload = payload.clone();
            payload["kwargs"]["litellm_call_id"] = json!(format!("call-{key}"));
            let (text, parent) = (payload.to_string(), parent(trace, flags));
            let mut event = event(hook, key, &text);
            event.context.traceparent = Some(&parent);
            logger.log(NOW, &event).unwrap();
            if flags == "01" || hook == Hook::Failure {
                expected.push(key);
            }
        }
    }
    let report = flush_at(&mut logger, NOW, FlushMode::All, |_| answer(200, ""));
    let mut kept: Vec<_> = report
        .delivered
        .into_iter()
        .flat_map(|delivery| delivery.keys)
        .collect();
    kept.sort_unstable();
    assert_eq!(kept, expected);
}

#[test]
fn failures_are_sampled_unless_they_are_to_be_kept() {
    for (keep, kept) in [(false, 0), (true, 50)] {
        let mut logger = logger(json!({"sample_ratio": 0, "sample_errors": keep}));
        for key in 0..50 {
            log(&mut logger, Hook::Failure, key, &payload(&key.to_string())).unwrap();
            log(
                &mut logger,
                Hook::Success,
                100 + key,
                &payload(&key.to_string()),
            )
            .unwrap();
        }
        assert_eq!(spans(&mut logger).len(), kept);
    }
}

#[test]
fn clients_choose_no_experiment_unless_they_may() {
    let fields: Vec<(&str, &[u8])> = vec![
        ("X-MLflow-Experiment", b"other"),
        ("x-mlflow-tags", b"tenant:theirs"),
    ];
    let routes = json!([{"by": "tag:tenant", "experiment": "tenant-{value}"}]);
    for (settings, asked) in [
        (json!({}), None),
        (json!({"client_experiments": false}), None),
        (json!({"client_experiments": ["mine"]}), None),
        (
            json!({"client_experiments": ["mine", "other"]}),
            Some("other"),
        ),
        (json!({"client_experiments": true}), Some("other")),
        (json!({"routes": routes}), None),
    ] {
        let mut logger = logger(settings.clone());
        let call = logger
            .begin_call(NOW, &start(fields.clone(), b"{}"))
            .unwrap();
        logger.finish_call(NOW, call, START + 1).unwrap();
        let (urls, _) = sent(&mut logger);
        let found = urls
            .iter()
            .find_map(|url| url.split_once("experiment_name="))
            .map(|(_, name)| name);
        assert_eq!(found, asked, "{settings}");
    }
    let mut trusting = logger(json!({"client_experiments": true, "routes": routes}));
    let fields: Vec<(&str, &[u8])> = vec![("x-mlflow-tags", b"tenant:theirs")];
    let call = trusting.begin_call(NOW, &start(fields, b"{}")).unwrap();
    trusting.finish_call(NOW, call, START + 1).unwrap();
    assert!(sent(&mut trusting).0[0].ends_with("experiment_name=tenant-theirs"));
}

#[test]
fn nothing_in_a_name_or_a_field_leads_elsewhere() {
    let long = "x".repeat(100_000);
    for hostile in [
        "a\r\nHost: evil.example",
        "../../../admin?x=1#y",
        "http://169.254.169.254/latest",
        "@evil.example/",
        "%0d%0aX-Evil: 1",
        "\u{0}\u{7f}",
        "{{7*7}}${jndi:ldap://evil.example}",
        &long,
    ] {
        let mut logger = logger(json!({"client_experiments": true, "capture": {"headers": true}}));
        let payload = payload(hostile).to_string();
        let mut event: Event<'_> = event(Hook::Success, 1, &payload);
        event.context = Context {
            traceparent: Some(hostile),
            session: Some(hostile),
            user: Some(hostile),
            tags: vec![
                (hostile, "v"),
                ("k", hostile),
                ("mlflow.trace.spansLocation", hostile),
            ],
            experiment: Some(hostile),
        };
        logger.log(NOW, &event).unwrap();
        let value = hostile.as_bytes();
        let mut start = start(
            vec![
                ("x-mlflow-tags", value),
                ("baggage", value),
                ("x-mlflow-experiment", value),
                (hostile, value),
            ],
            value,
        );
        start.path = hostile;
        start.authority = Some(hostile);
        start.provider = Some(hostile);
        start.method = hostile;
        let call = logger.begin_call(NOW, &start).unwrap();
        logger.finish_call(NOW, call, START + 1).unwrap();
        let mut spans = Vec::new();
        flush_at(&mut logger, NOW, FlushMode::Close, |request| {
            assert!(
                request.url.starts_with("http://mlflow:5000/"),
                "{}",
                request.url
            );
            assert!(
                request.url.bytes().all(|byte| byte > b' ' && byte < 0x7f),
                "{}",
                request.url
            );
            assert!(
                !request.url["http://mlflow:5000/".len()..].contains("//"),
                "{}",
                request.url
            );
            for (_, value) in &request.headers {
                assert!(!value.contains(['\r', '\n']), "{value}");
            }
            if request.url.ends_with("/v1/traces") {
                spans.extend(spans_of(request));
                return answer(200, "");
            }
            answer(200, r#"{"experiment":{"experiment_id":"7"}}"#)
        });
        for span in spans {
            for pair in &span.attributes {
                let key = pair
                    .key
                    .strip_prefix("mlflow.traceTag.")
                    .unwrap_or(&pair.key);
                assert!(
                    key.len() <= 250 && !key.contains(['\r', '\n', '\0']),
                    "{key}"
                );
                assert_ne!(key, "mlflow.trace.spansLocation");
            }
            let session = attribute(&span, "session.id");
            assert!(session.is_none_or(|session| session.to_string().len() <= 520));
        }
    }
}

#[test]
fn answers_of_the_server_lead_nowhere() {
    // An id that would break out of a header or a path.
    let mut logger = logger(json!({"experiment_id": null, "experiment_name": "e"}));
    success(&mut logger, 1, "a");
    let hostile = json!({"experiment": {"experiment_id": "7\r\nX-Evil: 1"}}).to_string();
    let mut asked = 0;
    flush_at(&mut logger, NOW, FlushMode::All, |request| {
        asked += 1;
        assert!(asked < 20);
        assert!(request.url.starts_with("http://mlflow:5000/"));
        for (_, value) in &request.headers {
            assert!(!value.contains(['\r', '\n']), "{value}");
        }
        answer(200, &hostile)
    });
}

#[test]
fn settings_lead_to_one_server() {
    for bad in [
        "file:///etc/passwd",
        "gopher://mlflow:70",
        "http://mlflow:5000\r\nHost: evil",
        "http://mlflow:5000/?q=1",
        "http://",
        "javascript:alert(1)",
    ] {
        let mut logger = Logger::new(1);
        let settings = json!({"tracking_uri": bad, "experiment_id": "1"}).to_string();
        let error = logger.configure(&settings).unwrap_err();
        assert_eq!(error.key, "tracking_uri", "{bad}");
    }
    let values: [(&str, Value); 5] = [
        ("headers", json!({"x-a": "b\r\nX-Evil: 1"})),
        ("headers", json!({"x a": "b"})),
        ("token", json!("a\nb")),
        ("workspace", json!("a\r\nb")),
        ("run_id", json!("a\r\nb")),
    ];
    for (key, value) in values {
        let mut logger = Logger::new(1);
        let settings = json!({"tracking_uri": "http://mlflow:5000", key: value}).to_string();
        assert_eq!(logger.configure(&settings).unwrap_err().key, key);
    }
}
