//! A response in the making: JSON at once, or events one after the other.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::Response;
use hyper::body::{Bytes, Frame};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use serde_json::Value;
use tokio::sync::mpsc;

pub(crate) type Body = BoxBody<Bytes, BrokenOff>;

/// What is answered.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A status and a body.
    Json(u16, Value),
    /// A transcript's response.
    Played {
        status: u16,
        headers: transcripts::Fields,
        parts: Vec<Vec<u8>>,
        broken: bool,
    },
    /// Server-sent events as they are on the wire; `broken` when the connection ends after them.
    Events { events: Vec<String>, broken: bool },
}

/// The connection ends before the response does.
#[derive(Debug)]
pub(crate) struct BrokenOff;

impl std::fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the response breaks off on purpose")
    }
}

impl std::error::Error for BrokenOff {}

impl Reply {
    /// Events without names, ended by `[DONE]`, as OpenAI has them.
    pub fn done(chunks: impl IntoIterator<Item = Value>) -> Self {
        let mut events: Vec<_> = chunks.into_iter().map(|chunk| data(&chunk)).collect();
        events.push("data: [DONE]\n\n".to_owned());
        Self::Events {
            events,
            broken: false,
        }
    }

    /// The same without its last parts, and without an end.
    pub fn broken(self, after: usize) -> Self {
        match self {
            Self::Events { mut events, .. } => {
                events.truncate(after);
                Self::Events {
                    events,
                    broken: true,
                }
            }
            other => other,
        }
    }

    /// As hyper sends it, with a pause after each event.
    pub fn response(self, pause: Duration) -> Response<Body> {
        match self {
            Self::Json(status, value) => {
                let body = Full::from(value.to_string()).map_err(never).boxed();
                let mut response = with_type(Response::new(body), "application/json");
                *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
                if status == 429 {
                    let seconds = HeaderValue::from_static("7");
                    response.headers_mut().insert(RETRY_AFTER, seconds);
                }
                response
            }
            Self::Played {
                status,
                headers,
                parts,
                broken,
            } => {
                let whole = parts.len() <= 1 && !broken;
                let body = if whole {
                    let body = Full::from(parts.concat());
                    body.map_err(never).boxed()
                } else {
                    BoxBody::new(Parts::send(parts, broken, pause))
                };
                let mut response = Response::new(body);
                *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
                for (name, value) in headers {
                    let name = HeaderName::try_from(name);
                    if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
                        response.headers_mut().insert(name, value);
                    }
                }
                response
            }
            Self::Events { events, broken } => {
                let body = BoxBody::new(Parts::send(events, broken, pause));
                with_type(Response::new(body), "text/event-stream; charset=utf-8")
            }
        }
    }
}

/// An event without a name.
pub(crate) fn data(value: &Value) -> String {
    format!("data: {value}\n\n")
}

/// An event named by its `type`, as Anthropic has them.
pub(crate) fn named(value: &Value) -> String {
    let name = value["type"].as_str().unwrap_or_default();
    format!("event: {name}\ndata: {value}\n\n")
}

fn with_type(mut response: Response<Body>, media_type: &'static str) -> Response<Body> {
    let value = HeaderValue::from_static(media_type);
    response.headers_mut().insert(CONTENT_TYPE, value);
    response
}

fn never(error: Infallible) -> BrokenOff {
    match error {}
}

/// A body whose parts come through a channel.
struct Parts(mpsc::Receiver<Result<Bytes, BrokenOff>>);

impl Parts {
    fn send<P>(parts: Vec<P>, broken: bool, pause: Duration) -> Self
    where
        P: Into<Bytes> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            for part in parts {
                if sender.send(Ok(part.into())).await.is_err() {
                    return;
                }
                // The shortest sleep is a millisecond.
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            }
            if broken {
                // Whoever reads has gone: then there is nothing to break off.
                let _ = sender.send(Err(BrokenOff)).await;
            }
        });
        Self(receiver)
    }
}

impl hyper::body::Body for Parts {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let part = self.0.poll_recv(context);
        part.map(|part| part.map(|part| part.map(Frame::data)))
    }
}
