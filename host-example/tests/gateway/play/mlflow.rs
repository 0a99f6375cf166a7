//! A server that takes traces as MLflow does, and remembers them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Read;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::eventually;

/// What a batch must not hold.
const POISON: &[u8] = b"p-o-i-s-o-n";

/// The server.
pub struct Mlflow {
    pub url: String,
    spans: Arc<Mutex<Vec<Span>>>,
    raw: Arc<Mutex<Vec<u8>>>,
    open: watch::Sender<bool>,
    pub waiting: Arc<Mutex<usize>>,
}

/// A span with its attributes by name.
#[derive(Debug)]
pub struct Seen {
    pub span: Span,
    pub attributes: BTreeMap<String, String>,
}

impl Mlflow {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (open, _) = watch::channel(true);
        let mlflow = Self {
            url,
            spans: Arc::default(),
            raw: Arc::default(),
            open,
            waiting: Arc::default(),
        };
        let (spans, raw) = (mlflow.spans.clone(), mlflow.raw.clone());
        let (open, waiting) = (mlflow.open.subscribe(), mlflow.waiting.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (spans, raw, open) = (spans.clone(), raw.clone(), open.clone());
                let waiting = waiting.clone();
                let service = service_fn(move |request| {
                    let (spans, raw, mut open) = (spans.clone(), raw.clone(), open.clone());
                    let waiting = waiting.clone();
                    async move {
                        *waiting.lock().unwrap() += 1;
                        open.wait_for(|open| *open).await.unwrap();
                        take(request, &spans, &raw).await
                    }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        mlflow
    }

    /// From here on it answers nobody, or everybody again.
    pub fn open(&self, open: bool) {
        self.open.send_replace(open);
    }

    /// How many spans it has.
    pub fn count(&self) -> usize {
        self.spans.lock().unwrap().len()
    }

    /// All that it was ever sent, unpacked.
    pub fn raw(&self) -> Vec<u8> {
        self.raw.lock().unwrap().clone()
    }

    /// The spans, when there are so many.
    pub async fn spans(&self, count: usize) -> Vec<Seen> {
        eventually("spans", async || (self.count() >= count).then_some(())).await;
        let spans = self.all();
        assert_eq!(spans.len(), count);
        spans
    }

    /// The spans that it has.
    pub fn all(&self) -> Vec<Seen> {
        let spans = self.spans.lock().unwrap().clone();
        spans.into_iter().map(Seen::of).collect()
    }

    /// The only span, when it is there.
    pub async fn span(&self) -> Seen {
        self.spans(1).await.remove(0)
    }
}

async fn take(
    request: Request<Incoming>,
    spans: &Mutex<Vec<Span>>,
    raw: &Mutex<Vec<u8>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let gzip = request.headers().get("content-encoding").is_some();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut bytes = Vec::new();
    if gzip {
        flate2::read::GzDecoder::new(&body[..])
            .read_to_end(&mut bytes)
            .unwrap();
    } else {
        bytes.extend_from_slice(&body);
    }
    if bytes.windows(POISON.len()).any(|window| window == POISON) {
        let refused = Response::builder().status(422);
        return Ok(refused.body(Full::from("played: it is poison")).unwrap());
    }
    raw.lock().unwrap().extend_from_slice(&bytes);
    let export = ExportTraceServiceRequest::decode(&bytes[..]).unwrap();
    let scopes = export
        .resource_spans
        .into_iter()
        .flat_map(|resource| resource.scope_spans);
    spans
        .lock()
        .unwrap()
        .extend(scopes.flat_map(|scope| scope.spans));
    Ok(Response::new(Full::default()))
}

impl Seen {
    fn of(span: Span) -> Self {
        let attributes = span
            .attributes
            .iter()
            .filter_map(|attribute| {
                let value = match attribute.value.as_ref()?.value.as_ref()? {
                    Any::StringValue(text) => text.clone(),
                    Any::IntValue(number) => number.to_string(),
                    Any::DoubleValue(number) => number.to_string(),
                    Any::BoolValue(truth) => truth.to_string(),
                    other => format!("{other:?}"),
                };
                Some((attribute.key.clone(), value))
            })
            .collect();
        Self { span, attributes }
    }

    pub fn attribute(&self, key: &str) -> &str {
        let value = self.attributes.get(key);
        value.unwrap_or_else(|| panic!("no {key} in {:#?}", self.attributes))
    }

    /// Says why, where it does not.
    pub fn assert_ok(&self) {
        assert!(!self.is_error(), "{:?}", self.exception());
    }

    pub fn is_error(&self) -> bool {
        self.span
            .status
            .as_ref()
            .is_some_and(|status| status.code == 2)
    }

    /// Type and message of its exception.
    pub fn exception(&self) -> (String, String) {
        let event = self
            .span
            .events
            .iter()
            .find(|event| event.name == "exception");
        let event = event.unwrap_or_else(|| panic!("no exception in {:#?}", self.span));
        let said = |key: &str| {
            let attribute = event
                .attributes
                .iter()
                .find(|attribute| attribute.key == key);
            match attribute
                .and_then(|a| a.value.clone())
                .and_then(|value| value.value)
            {
                Some(Any::StringValue(text)) => text,
                _ => String::new(),
            }
        };
        (said("exception.type"), said("exception.message"))
    }
}
