//! `/metrics`, `/healthz` and `/readyz`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, Response};

use super::backlog::Backlog;
use super::metrics::Metrics;

/// What those who watch over the gateway may ask.
pub(super) struct Admin {
    /// What has been counted.
    pub metrics: Arc<Metrics>,
    /// What is held.
    pub backlog: Arc<Backlog>,
    /// Whether the plugin has its settings and requests are taken.
    pub ready: Arc<AtomicBool>,
}

impl Admin {
    /// Answers a request.
    pub fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET is answered here\n",
            );
        }
        match request.uri().path() {
            "/metrics" => self.metrics(),
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" if self.ready.load(Relaxed) => match self.backlog.trouble() {
                None => text(StatusCode::OK, "ready\n"),
                // Requests are served all the same.
                Some(trouble) => text(StatusCode::OK, format!("ready, degraded: {trouble}\n")),
            },
            "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
            _ => text(
                StatusCode::NOT_FOUND,
                "there are /metrics, /healthz and /readyz\n",
            ),
        }
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        match self.metrics.encode(&self.backlog.gauges()) {
            Ok(metrics) => {
                let mut response = text(StatusCode::OK, metrics);
                let kind = HeaderValue::from_static(Metrics::CONTENT_TYPE);
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
                response
            }
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
