//! Secrets in what comes in pieces, and told again beside it: chunks, tokens, thoughts.

mod support;

use logger_core::event::Hook;
use serde_json::{Value, json};
use support::streamed::{CHAT, answered, start, stream};
use support::*;

#[test]
fn a_secret_in_pieces_is_taken_out_of_each() {
    let pieces = [
        "the key is sk-pr",
        "oj-abcDEF01",
        "23456789xyz",
        ", keep",
        " it",
    ];
    let mut hooked = logger(json!({}));
    for (key, piece) in (1..).zip(pieces) {
        log(&mut hooked, Hook::Stream, key, &chunk("a", piece)).unwrap();
    }
    let mut wired = logger(json!({}));
    stream(&mut wired, &pieces);
    for logger in [&mut hooked, &mut wired] {
        let span = span(logger);
        let deltas: Vec<_> = span
            .events
            .iter()
            .filter(|event| event.name == "streaming_chunk")
            .collect();
        assert_eq!(deltas.len(), 5, "no chunk is lost");
        let text = format!("{span:?}");
        for part in ["sk-pr", "oj-abc", "789xyz"] {
            assert!(!text.contains(part), "{part}: {text}");
        }
        assert_eq!(
            text.matches("REDACTED").count(),
            2,
            "once in the answer, once in the chunks: {text}"
        );
        assert!(text.contains(", keep"));
    }
}

const TOKENS: [&str; 4] = ["the key is ", "sk-proj-abc", "DEF0123456", "789xyz"];

/// The tokens of an answer as OpenAI tells them.
fn logprobs(tokens: &[&str]) -> Value {
    let told = tokens.iter().map(|token| {
        json!({"token": token, "logprob": -0.1, "bytes": token.as_bytes(),
               "top_logprobs": [{"token": token, "logprob": -0.1, "bytes": null}]})
    });
    json!({"content": told.collect::<Vec<_>>(), "refusal": null})
}

fn holds_no_piece(text: &str) {
    for piece in [
        "sk-proj",
        "DEF0123456",
        "789xyz",
        "[68, 69, 70",
        "[68,69,70",
    ] {
        assert!(!text.contains(piece), "{piece}: {text}");
    }
    assert!(text.contains("REDACTED"), "{text}");
}

#[test]
fn tokens_beside_a_text_tell_no_secret() {
    let whole = TOKENS.concat();
    // An answer as a whole, by litellm's hook.
    let mut hooked = logger(json!({}));
    let mut payload = payload("a");
    let choice = &mut payload["response_obj"]["choices"][0];
    choice["message"]["content"] = json!(whole);
    choice["logprobs"] = logprobs(&TOKENS);
    log(&mut hooked, Hook::Success, 1, &payload).unwrap();
    holds_no_piece(&format!("{:?}", span(&mut hooked)));
    // Streams: of chat, whose chunks' tokens are beside the deltas; of completions and of no known format, which show both.
    let chat = |token: &&str| json!({"choices": [{"index": 0, "delta": {"content": token}, "logprobs": logprobs(&[token])}]});
    let text = |token: &&str| json!({"choices": [{"index": 0, "text": token, "logprobs": {"tokens": [token], "top_logprobs": [{*token: -0.1}]}}]});
    let other = |token: &&str| json!({"piece": token, "logprobs": logprobs(&[token])});
    let alone = |token: &&str| json!({"logprobs": [{"token": token}]});
    let streams: [(&str, Vec<Value>); 4] = [
        (CHAT, TOKENS.iter().map(chat).collect()),
        ("/v1/completions", TOKENS.iter().map(text).collect()),
        ("/v1/other", TOKENS.iter().map(other).collect()),
        ("/v1/other", TOKENS.iter().map(alone).collect()),
    ];
    for (path, events) in streams {
        let mut wired = logger(json!({}));
        let mut start = start(vec![], br#"{"model":"m","stream":true}"#);
        start.path = path;
        answered(&mut wired, &start, &events);
        let span = span(&mut wired);
        let chunks = span.events.iter();
        let chunks = chunks.filter(|event| event.name == "streaming_chunk");
        assert_eq!(chunks.count(), 4, "{path}");
        holds_no_piece(&format!("{span:?}"));
    }
}

#[test]
fn tokens_that_tell_nothing_are_kept() {
    let mut wired = logger(json!({}));
    let chunks = ["Hello ", "World"].map(
        |token| json!({"choices": [{"index": 0, "text": token, "logprobs": logprobs(&[token])}]}),
    );
    let mut start = start(vec![], br#"{"model":"m","prompt":"p","stream":true}"#);
    start.path = "/v1/completions";
    answered(&mut wired, &start, &chunks);
    let text = format!("{:?}", span(&mut wired));
    assert!(
        text.contains("top_logprobs") && text.contains("87,111"),
        "{text}"
    );
    assert!(!text.contains("REDACTED"), "{text}");
}

#[test]
fn reasoning_and_unknown_texts_in_pieces_are_put_together() {
    let details = |detail: fn(&str) -> Value| {
        let chunk = |token: &&str| json!({"choices": [{"index": 0, "delta": {"reasoning_details": [detail(token)]}}]});
        TOKENS.iter().map(chunk).collect::<Vec<_>>()
    };
    let mut empty = details(|token| json!({"type": "reasoning.text", "text": token, "index": 0}));
    empty.insert(
        0,
        json!({"choices": [{"index": 0, "delta": {"reasoning_details": []}}]}),
    );
    let pieces = TOKENS.map(|token| json!({"piece": token}));
    for (path, events) in [
        (CHAT, empty),
        (
            CHAT,
            details(|token| json!({"type": "reasoning.text", "text": token, "index": 0})),
        ),
        (
            CHAT,
            details(|token| json!({"type": "reasoning.text", "text": token, "format": "x"})),
        ),
        (
            CHAT,
            details(|token| json!({"type": "reasoning.summary", "summary": token, "id": null})),
        ),
        ("/v1/other", pieces.to_vec()),
        ("/v1/other", TOKENS.map(|token| json!(token)).to_vec()),
    ] {
        let mut wired = logger(json!({}));
        let mut start = start(vec![], br#"{"model":"m","messages":[],"stream":true}"#);
        start.path = path;
        answered(&mut wired, &start, &events);
        let span = span(&mut wired);
        holds_no_piece(&format!("{span:?}"));
        let outputs = attribute(&span, "mlflow.spanOutputs").unwrap().to_string();
        assert_eq!(outputs.matches("the key is ").count(), 1, "{outputs}");
        assert_eq!(outputs.matches("[REDACTED]").count(), 1, "{outputs}");
    }
}

#[test]
fn thoughts_of_different_kinds_stay_apart() {
    let details = [
        json!([{"type": "reasoning.text", "text": "Let me ", "signature": null}]),
        json!([{"type": "reasoning.text", "text": "think", "signature": "s"}]),
        json!([{"type": "reasoning.encrypted", "data": "a", "id": "1"}]),
        json!([{"type": "reasoning.encrypted", "data": "b", "id": "2"}]),
        json!([{"type": "reasoning.text", "text": "Again"}]),
    ];
    let chunks = details
        .map(|details| json!({"choices": [{"index": 0, "delta": {"reasoning_details": details}}]}));
    let mut wired = logger(json!({}));
    let start = start(vec![], br#"{"model":"m","messages":[],"stream":true}"#);
    answered(&mut wired, &start, &chunks);
    let outputs = attribute(&span(&mut wired), "mlflow.spanOutputs").unwrap();
    let told = &outputs["choices"][0]["message"]["reasoning_details"];
    let expected = json!([
        {"type": "reasoning.text", "text": "Let me think", "signature": "s"},
        {"type": "reasoning.encrypted", "data": "a", "id": "1"},
        {"type": "reasoning.encrypted", "data": "b", "id": "2"},
        {"type": "reasoning.text", "text": "Again"},
    ]);
    assert_eq!(told, &expected);
}

#[test]
fn pieces_of_different_answers_are_not_put_together() {
    let mut logger = logger(json!({}));
    for (key, (index, piece)) in
        (1..).zip([(0, "sk-proj-"), (1, "abcDEF0123456789xyz"), (0, "ect")])
    {
        let mut chunk = chunk("a", piece);
        chunk["response_obj"]["choices"][0]["index"] = json!(index);
        log(&mut logger, Hook::Stream, key, &chunk).unwrap();
    }
    let text = format!("{:?}", span(&mut logger));
    assert!(
        text.contains("abcDEF0123456789xyz") && !text.contains("REDACTED"),
        "{text}"
    );
}
