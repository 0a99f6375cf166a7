//! Gemini's `generateContent` and `streamGenerateContent`.

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::reply::{Reply, data};
use crate::{answer, pieces, said, tokens};

/// `POST /v1beta/models/{model}:{action}`
pub(crate) fn reply(model: &str, action: &str, query: &str, request: &Value) -> Reply {
    let failure = Failure::of(model);
    if let Some(failure) = failure.filter(|failure| *failure != Failure::Midway) {
        return error(failure);
    }
    let said = said(&request["contents"]);
    let text = answer(&said);
    let usage = json!({
        "promptTokenCount": tokens(&said),
        "candidatesTokenCount": tokens(&text),
        "totalTokenCount": tokens(&said) + tokens(&text),
    });
    let part = |text: &str, finish: Option<&str>, usage: Option<&Value>| {
        let content = json!({"parts": [{"text": text}], "role": "model"});
        let mut candidate = json!({"content": content, "index": 0});
        if let Some(finish) = finish {
            candidate["finishReason"] = finish.into();
        }
        let mut part = json!({
            "candidates": [candidate],
            "modelVersion": model,
            "responseId": "mock0001",
        });
        if let Some(usage) = usage {
            part["usageMetadata"] = usage.clone();
        }
        part
    };
    match action {
        "generateContent" => Reply::Json(200, part(&text, Some("STOP"), Some(&usage))),
        "streamGenerateContent" => {
            let pieces: Vec<_> = pieces(&text).collect();
            let last = pieces.len().saturating_sub(1);
            let parts = pieces.iter().enumerate().map(|(index, piece)| {
                let is_last = index == last;
                part(piece, is_last.then_some("STOP"), is_last.then_some(&usage))
            });
            let sse = query.split('&').any(|pair| pair == "alt=sse");
            if !sse {
                return Reply::Json(200, parts.collect());
            }
            let reply = Reply::Events {
                events: parts.map(|part| data(&part)).collect(),
                broken: false,
            };
            match failure {
                Some(_) => reply.broken(1),
                None => reply,
            }
        }
        _ => Reply::Json(404, json!({"error": {"code": 404, "status": "NOT_FOUND"}})),
    }
}

fn error(failure: Failure) -> Reply {
    let (code, status, message) = match failure {
        Failure::Unauthorized => (400, "INVALID_ARGUMENT", "API key not valid."),
        Failure::RateLimited => (
            429,
            "RESOURCE_EXHAUSTED",
            "You exceeded your current quota.",
        ),
        Failure::Overloaded => (503, "UNAVAILABLE", "The model is overloaded."),
        Failure::Broken | Failure::Midway => (500, "INTERNAL", "An internal error has occurred."),
    };
    Reply::Json(
        code,
        json!({"error": {"code": code, "message": message, "status": status}}),
    )
}
