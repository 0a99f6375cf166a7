//! Canaries in every place of every recorded call: none is in any byte that is sent.

mod support;

use canaries::Planter;
use logger_core::event::{CallStart, Context, Event, Happening, Hook};
use logger_core::{FlushMode, Logger};
use serde_json::{Value, json};
use support::*;

/// All that a logger sends, as bytes: URLs, header fields apart from its own credentials, bodies.
fn sent(logger: &mut Logger) -> Vec<u8> {
    let mut sent = Vec::new();
    flush_at(logger, NOW, FlushMode::Close, |request| {
        sent.extend_from_slice(request.url.as_bytes());
        for (_, value) in &request.headers {
            sent.extend_from_slice(value.as_bytes());
        }
        let is_traces = request.url.ends_with("/v1/traces");
        let body = if is_traces {
            gunzip(&request.body)
        } else {
            request.body.clone()
        };
        sent.extend_from_slice(&body);
        match request.url.contains("/api/2.0/") {
            true => answer(200, r#"{"experiment":{"experiment_id":"7"}}"#),
            false => answer(200, "{}"),
        }
    });
    sent
}

/// The recorded cases of litellm's logger, as payloads.
fn recorded() -> Vec<(String, Vec<(Hook, Value)>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/parity/cases");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let case = |path: &std::path::PathBuf| {
        let case: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let calls = case["event"]["calls"]
            .as_array()
            .unwrap()
            .iter()
            .map(|call| {
                let method = call["method"].as_str().unwrap();
                let hook = match method {
                    _ if method.contains("failure") => Hook::Failure,
                    _ if method.contains("stream_event") => Hook::Stream,
                    _ => Hook::Success,
                };
                (
                    hook,
                    json!({"kwargs": call["kwargs"], "response_obj": call["response_obj"]}),
                )
            });
        (path.display().to_string(), calls.collect())
    };
    paths.iter().map(case).collect()
}

/// Logs the recorded cases with canaries; gives back what is sent.
fn hooks(settings: &Value, planter: &mut Planter) -> Vec<u8> {
    let mut all = Vec::new();
    for (_, calls) in recorded() {
        let mut logger = logger(settings.clone());
        for (key, (hook, mut payload)) in (1..).zip(calls) {
            planter.plant(&mut payload["kwargs"]);
            planter.plant(&mut payload["response_obj"]);
            // What tells that a call is of a stream has to be the same for all of its chunks.
            let call_id = planter.in_text("call");
            payload["kwargs"]["litellm_call_id"] = json!(call_id);
            payload["kwargs"]["exception"] = json!({
                "type": planter.in_text("E"),
                "message": planter.in_text("failed:"),
                "stacktrace": planter.in_text("Traceback\n  File \"x.py\"\n"),
            });
            let [session, user, key_tag, value_tag, experiment] =
                ["s", "u", "k", "v", "e"].map(|text| planter.in_text(text));
            let text = payload.to_string();
            let event = Event {
                context: Context {
                    session: Some(&session),
                    user: Some(&user),
                    tags: vec![(&key_tag, "v"), ("k", &value_tag), ("api_key", &value_tag)],
                    experiment: Some(&experiment),
                    ..Context::default()
                },
                ..event(hook, key, &text)
            };
            // A payload that is refused is not sent, and its refusal tells nothing either.
            if let Err(error) = logger.log(NOW, &event) {
                all.extend_from_slice(error.to_string().as_bytes());
            }
        }
        all.extend(sent(&mut logger));
    }
    all
}

/// Captures the transcripts of providers with canaries; gives back what is sent.
fn wire(settings: &Value, planter: &mut Planter) -> Vec<u8> {
    let mut all = Vec::new();
    for transcript in transcripts::all().unwrap() {
        let edited = transcript
            .edited(&mut |value| planter.plant(value))
            .unwrap();
        let (mut fields, body) = edited.request();
        fields.push(("x-note".to_owned(), planter.in_text("note")));
        fields.push(("x-mlflow-tags".to_owned(), planter.in_text("k:v")));
        fields.push(("x-mlflow-session".to_owned(), planter.in_text("s")));
        fields.push(("x-mlflow-user".to_owned(), planter.in_text("u")));
        fields.push(("x-mlflow-experiment".to_owned(), planter.in_text("e")));
        let path = format!("{}?key={}", edited.request_path(), planter.secret().core);
        let detail = planter.in_text("went to");
        let mut logger = logger(settings.clone());
        let start = CallStart {
            key: 1,
            at: START,
            call_id: Some("call-1"),
            method: edited.method(),
            path: &path,
            authority: edited.about["request"]["authority"].as_str(),
            provider: edited.about["request"]["provider"].as_str(),
            headers: fields
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_bytes()))
                .collect(),
            context: Context::default(),
            body: &body,
        };
        let call = logger.begin_call(NOW, &start).unwrap();
        let fields = edited.response_headers();
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        logger
            .response_head(call, START + 1, edited.status().max(200), &fields)
            .unwrap();
        logger
            .call_event(call, START + 2, Happening::Fallback, Some(&detail))
            .unwrap();
        for part in &edited.parts {
            logger.response_chunk(call, START + 3, part).unwrap();
        }
        logger.finish_call(NOW, call, START + 4).unwrap();
        all.extend(sent(&mut logger));
    }
    all
}

fn feedback(settings: &Value, planter: &mut Planter) -> Vec<u8> {
    let mut logger = logger(settings.clone());
    success(&mut logger, 1, "a");
    for key in 2..40 {
        let judgement = json!({
            "call_id": "a", "name": planter.in_text("n"), "value": planter.in_text("v"), "rationale": planter.in_text("r"),
            "source": {"type": "HUMAN", "id": planter.in_text("i")},
        });
        log(&mut logger, Hook::Feedback, key, &judgement).unwrap();
    }
    let mut all = sent(&mut logger);
    all.extend(sent(&mut logger));
    let bad = json!({"call_id": "a", "name": "n", "value": 1, "source": {"type": planter.in_text("x"), "id": "i"}});
    let refused = log(&mut logger, Hook::Feedback, 50, &bad).unwrap_err();
    all.extend_from_slice(refused.to_string().as_bytes());
    all
}

type Way = fn(&Value, &mut Planter) -> Vec<u8>;

#[test]
fn no_canary_is_in_any_byte_that_is_sent() {
    let mut count = 0;
    let ways: [(&str, Way); 3] = [("hooks", hooks), ("wire", wire), ("feedback", feedback)];
    for (name, way) in ways {
        for settings in [
            json!({"capture": {"headers": true}, "client_experiments": true}),
            json!({"capture": {"headers": true}, "max_value_bytes": 64}),
        ] {
            let mut planter = Planter::default();
            let bytes = way(&settings, &mut planter);
            count += planter.planted.len();
            let told = planter.told_by(&bytes);
            let (first, all) = (&told[..told.len().min(8)], planter.planted.len());
            assert!(
                told.is_empty(),
                "{name}: {} of {all}: {first:#?}",
                told.len()
            );
        }
        // They are where secrets would be: without redaction most of them are sent.
        let mut planter = Planter::default();
        let bytes = way(
            &json!({"redact": false, "media": "keep", "capture": {"headers": true}}),
            &mut planter,
        );
        let found = planter.found_in(&bytes).len();
        assert!(
            found * 3 > planter.planted.len(),
            "{name}: {found} of {}",
            planter.planted.len()
        );
    }
    assert!(count > 1000, "{count}");
}
