//! Which experiment a call goes to.

mod support;

use logger_core::FlushMode;
use logger_core::event::{CallStart, Context, Hook};
use serde_json::{Value, json};
use support::*;

/// The experiments that the server is asked for by name.
fn asked(logger: &mut logger_core::Logger) -> Vec<String> {
    let mut names = Vec::new();
    flush_at(logger, NOW, FlushMode::Close, |request| {
        match request.url.split_once("experiment_name=") {
            Some((_, name)) => {
                names.push(name.to_owned());
                answer(200, r#"{"experiment":{"experiment_id":"7"}}"#)
            }
            None => answer(200, ""),
        }
    });
    names
}

fn routes() -> Value {
    json!({"routes": [
        {"by": "team", "is": "search", "experiment": "for-search"},
        {"by": "key_alias", "experiment": "key-{value}"},
        {"by": "tag:tenant", "experiment": "tenant-{value}"},
        {"by": "header:X-Tenant", "experiment": "header-{value}"},
    ]})
}

#[test]
fn rules_send_calls_to_experiments() {
    for (change, name) in [
        (
            json!({"metadata": {"user_api_key_team_alias": "search", "user_api_key_alias": "k"}}),
            "for-search",
        ),
        (
            json!({"metadata": {"user_api_key_team_alias": "other", "user_api_key_alias": "k"}}),
            "key-k",
        ),
        (json!({"request_tags": ["tenant: a"]}), "tenant-a"),
    ] {
        let mut payload = payload("a");
        payload["kwargs"]["standard_logging_object"] = change;
        let mut logger = logger(routes());
        log(&mut logger, Hook::Success, 1, &payload).unwrap();
        assert_eq!(asked(&mut logger), [name]);
    }
    let mut payload = payload("a");
    payload["kwargs"]["litellm_params"] =
        json!({"proxy_server_request": {"headers": {"x-tenant": "b"}}});
    let mut by_header = logger(routes());
    log(&mut by_header, Hook::Success, 1, &payload).unwrap();
    assert_eq!(asked(&mut by_header), ["header-b"]);

    let mut unruled = logger(routes());
    success(&mut unruled, 1, "a");
    assert!(
        asked(&mut unruled).is_empty(),
        "the configured experiment has an id"
    );
}

#[test]
fn what_the_host_says_goes_before() {
    let mut logger = logger(routes());
    let mut payload = payload("a");
    payload["kwargs"]["standard_logging_object"] = json!({"request_tags": ["tenant:a"]});
    let text = payload.to_string();
    let mut event = event(Hook::Success, 1, &text);
    event.context.experiment = Some("mine");
    logger.log(NOW, &event).unwrap();
    assert_eq!(asked(&mut logger), ["mine"]);
}

#[test]
fn captured_calls_are_routed_by_tag_and_header() {
    let mut logger = logger(routes());
    for (call, tags, header) in [
        ("1", vec![("tenant", "t")], "x-none"),
        ("2", vec![], "X-Tenant"),
    ] {
        let start = CallStart {
            key: 1,
            at: START,
            call_id: Some(call),
            method: "POST",
            path: "/v1/chat/completions",
            authority: None,
            provider: None,
            headers: vec![(header, b"h")],
            context: Context {
                tags,
                ..Context::default()
            },
            body: b"{}",
        };
        let number = logger.begin_call(NOW, &start).unwrap();
        logger.finish_call(NOW, number, START + 1).unwrap();
    }
    assert_eq!(asked(&mut logger), ["tenant-t", "header-h"]);
}
