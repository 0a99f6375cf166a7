//! Requests to MLflow as the plugin makes them: the same way, the same credentials. One connection each.

use std::io;
use std::time::{Duration, SystemTime};

use http::header::{ACCEPT, CONTENT_TYPE, DATE, HOST, HeaderMap, LOCATION};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use logger_core::settings::Server;
use serde_json::Value;

use super::reach::{NoWay, Way};

/// The most of an answer that is read.
const MOST: usize = 1 << 20;
/// The most of an answer that is shown.
const SHOWN: usize = 200;

/// Asks one server.
#[derive(Clone)]
pub(super) struct Client {
    way: Way,
    base: String,
    fields: Vec<(String, String)>,
    patience: Duration,
}

/// What it answered.
pub(super) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
    /// When the request was about to be sent.
    pub asked: SystemTime,
    /// When the head of the answer had come.
    pub answered: SystemTime,
}

/// It did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error(transparent)]
    Way(#[from] NoWay),
    #[error("no answer came within {} ms", .0.as_millis())]
    Late(Duration),
    #[error("what came is no HTTP: {0}")]
    Broken(#[from] hyper::Error),
    #[error("the request cannot be made: {0}")]
    Request(#[from] http::Error),
    #[error("the answer broke off: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
}

impl From<io::Error> for NoAnswer {
    fn from(error: io::Error) -> Self {
        Self::Body(error.into())
    }
}

impl Client {
    pub fn new(way: Way, server: &Server, patience: Duration) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let own = server.entry_fields().map(owned);
        Self {
            way,
            base: server.tracking_uri.clone(),
            fields: own.chain(server.headers.0.iter().cloned()).collect(),
            patience,
        }
    }

    /// The same without credentials.
    pub fn nobody(&self) -> Self {
        let mut nobody = self.clone();
        nobody.fields.retain(|(name, _)| name != "authorization");
        nobody
    }

    /// Asks for a path below the tracking URI.
    pub async fn get(&self, path: &str) -> Result<Answer, NoAnswer> {
        self.ask(Request::get(self.uri(path)?), Bytes::new()).await
    }

    /// Sends an object to one.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer, NoAnswer> {
        let request = Request::post(self.uri(path)?).header(CONTENT_TYPE, "application/json");
        self.ask(request, body.to_string().into()).await
    }

    /// Sends an OTLP request without spans.
    pub async fn export_nothing(&self) -> Result<Answer, NoAnswer> {
        let request = Request::post(self.uri("/v1/traces")?);
        let request = request.header(CONTENT_TYPE, "application/x-protobuf");
        self.ask(request, Bytes::new()).await
    }

    fn uri(&self, path: &str) -> Result<Uri, http::Error> {
        Ok(format!("{}{path}", self.base).parse::<Uri>()?)
    }

    async fn ask(&self, request: http::request::Builder, body: Bytes) -> Result<Answer, NoAnswer> {
        let mut request = request.header(ACCEPT, "application/json, */*");
        for (name, value) in &self.fields {
            request = request.header(name, value);
        }
        let mut request = request.body(Full::new(body))?;
        let uri = std::mem::take(request.uri_mut());
        if let Some(authority) = uri.authority() {
            let host = authority.as_str().parse().map_err(http::Error::from)?;
            request.headers_mut().insert(HOST, host);
        }
        if let Some(path) = uri.path_and_query() {
            *request.uri_mut() = path.clone().into();
        }
        let exchange = tokio::time::timeout(self.patience, self.exchange(request));
        exchange.await.unwrap_or(Err(NoAnswer::Late(self.patience)))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, NoAnswer> {
        let stream = self.way.secure(self.way.connect().await?).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let asked = SystemTime::now();
        let response = sender.send_request(request).await?;
        let answer = Answer::of(response, asked).await;
        connection.abort();
        answer
    }
}

impl Answer {
    async fn of(response: Response<Incoming>, asked: SystemTime) -> Result<Self, NoAnswer> {
        let answered = SystemTime::now();
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MOST).collect().await;
        let body = body.map_err(NoAnswer::Body)?.to_bytes();
        Ok(Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
            asked,
            answered,
        })
    }

    /// The body as JSON, where it is that.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.body).ok()
    }

    /// MLflow's code for what went wrong.
    pub fn error_code(&self) -> String {
        let code = self.json().map(|json| json["error_code"].clone());
        code.as_ref()
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    }

    /// By the server's clock.
    pub fn date(&self) -> Option<&str> {
        self.headers.get(DATE)?.to_str().ok()
    }

    /// Status and words, short enough for a line.
    pub fn words(&self) -> String {
        let words: Vec<_> = self.body.split_whitespace().collect();
        let words: String = words.join(" ").chars().take(SHOWN).collect();
        let status = self.status;
        match self.headers.get(LOCATION).and_then(|to| to.to_str().ok()) {
            Some(to) => format!("answered {status}, which leads to {to}"),
            None if words.is_empty() => format!("answered {status}"),
            None => format!("answered {status}: {words}"),
        }
    }
}
