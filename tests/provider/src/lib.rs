//! LLM providers as they answer on the wire, without a model behind them: for demos and tests.
//!
//! Requests and responses have the shapes of the public APIs: OpenAI's chat completions and embeddings,
//! Anthropic's messages, Gemini's `generateContent`, each streamed where the request wants that. What
//! is answered depends on the request alone. Models with certain names fail: see [`failure`]. Any other API
//! is played from a transcript that a header names.

#![forbid(unsafe_code)]

mod anthropic;
pub mod failure;
mod gemini;
mod openai;
mod play;
mod record;
mod reply;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use record::Recorder;
use reply::{Body, Reply};

/// A running provider. It serves for as long as the runtime it was started on.
pub struct Provider {
    address: SocketAddr,
}

impl Provider {
    /// Listens, and pauses that long between the parts of streamed responses.
    pub async fn start(listen: SocketAddr, pause: Duration) -> std::io::Result<Self> {
        Self::start_recording(listen, pause, None).await
    }

    /// The same, and keeps each response's body in a file of this directory, named by the response's
    /// header `x-request-id`.
    pub async fn start_recording(
        listen: SocketAddr,
        pause: Duration,
        directory: Option<PathBuf>,
    ) -> std::io::Result<Self> {
        let recorder = Arc::new(Recorder::new(directory));
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Events go out as they come. What cannot be sped up is served all the same.
                let _ = stream.set_nodelay(true);
                let recorder = recorder.clone();
                let service = service_fn(move |request| {
                    let recorder = recorder.clone();
                    async move { recorder.take(respond(request, pause).await) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Ok(Self { address })
    }

    /// Its address as a base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn respond(request: Request<Incoming>, pause: Duration) -> Response<Body> {
    let (head, body) = request.into_parts();
    let reply = match body.collect().await {
        Ok(body) => {
            let request = serde_json::from_slice(&body.to_bytes()).unwrap_or(Value::Null);
            play::named(&head.headers)
                .unwrap_or_else(|| reply(&head.method, head.uri.path(), head.uri.query(), &request))
        }
        Err(_) => bad("the request broke off"),
    };
    reply.response(pause)
}

/// What is answered to a request.
fn reply(method: &Method, path: &str, query: Option<&str>, request: &Value) -> Reply {
    if method != Method::POST {
        return Reply::Json(405, json!({"error": {"message": "only POST is answered"}}));
    }
    let gemini = path
        .rsplit_once("/models/")
        .and_then(|(_, model)| model.split_once(':'));
    if let Some((model, action)) = gemini {
        return gemini::reply(model, action, query.unwrap_or_default(), request);
    }
    let known = ["/chat/completions", "/embeddings", "/messages"];
    let answered = known.iter().any(|end| path.ends_with(end));
    if let Some(reply) = play::of_path(path, request).filter(|_| !answered) {
        return reply;
    }
    if !request.is_object() {
        return bad("the body is no JSON object");
    }
    match path.trim_start_matches("/v1") {
        "/chat/completions" => openai::chat(request),
        "/embeddings" => openai::embeddings(request),
        "/messages" => anthropic::messages(request),
        _ => Reply::Json(
            404,
            json!({"error": {"message": "unknown path", "type": "not_found"}}),
        ),
    }
}

fn bad(message: &str) -> Reply {
    Reply::Json(
        400,
        json!({"error": {"message": message, "type": "invalid_request_error"}}),
    )
}

/// The text of the last message, whatever the API calls its parts.
fn said(messages: &Value) -> String {
    let last = messages.as_array().and_then(|messages| messages.last());
    let Some(last) = last else {
        return String::new();
    };
    let content = if last["parts"].is_array() {
        &last["parts"]
    } else {
        &last["content"]
    };
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part["text"].as_str());
            texts.collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}

/// The answer to what was said.
fn answer(said: &str) -> String {
    format!("You said: {said}")
}

/// Tokens, at one a word.
fn tokens(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

/// Text in the pieces that a stream has it in: words, each with the space before it.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}

#[cfg(test)]
mod tests;
