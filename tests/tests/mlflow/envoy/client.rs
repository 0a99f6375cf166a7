//! A client of the gateway that sees when each part of a response comes.

use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// How long an answer may take, on a machine that is busy otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    /// When each part of the body came, since the request.
    pub parts: Vec<Duration>,
    /// Whether the body came to its end.
    pub is_whole: bool,
}

/// A request.
#[derive(Clone, Debug, Default)]
pub struct Post {
    /// POST where it is empty.
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub http2: bool,
    /// The client goes away after so many parts of the response.
    pub leave_after: Option<usize>,
}

impl Post {
    /// JSON to a path.
    pub fn json(path: &str, body: &serde_json::Value) -> Self {
        Self {
            path: path.to_owned(),
            body: body.to_string().into_bytes(),
            ..Self::default()
        }
        .header("content-type", "application/json")
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends it on a connection of its own.
    pub async fn send(self, to: std::net::SocketAddr) -> Answer {
        let begun = Instant::now();
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new())
            .http2_only(self.http2)
            .build_http();
        let method = if self.method.is_empty() {
            "POST"
        } else {
            &self.method
        };
        let url = format!("http://{to}{}", self.path);
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::from(self.body)).unwrap();
        let answer = async {
            let response = client.request(request).await.unwrap();
            read(response, begun, self.leave_after).await
        };
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        answer.unwrap_or_else(|_| panic!("no answer from {} within {PATIENCE:?}", self.path))
    }
}

async fn read(response: Response<Incoming>, begun: Instant, most: Option<usize>) -> Answer {
    let (head, mut incoming) = response.into_parts();
    let mut answer = Answer {
        status: head.status.as_u16(),
        body: Vec::new(),
        parts: Vec::new(),
        is_whole: false,
    };
    while most.is_none_or(|most| answer.parts.len() < most) {
        match incoming.frame().await {
            None => {
                answer.is_whole = true;
                break;
            }
            Some(Err(_)) => break,
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    answer.parts.push(begun.elapsed());
                    answer.body.extend_from_slice(&data);
                }
            }
        }
    }
    answer
}
