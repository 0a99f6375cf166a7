//! Why a request was not answered by its upstream: what the client is told, and what is logged.
//!
//! Words here name the upstream's origin and nothing else of the request: paths and header fields
//! may hold credentials.

use http::{Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::client::legacy;
use logger_core::event::UPSTREAM_GONE;
use wasmtime_wasi_http::Error;

use crate::origin::Origin;
use crate::outbound::failure;

/// A request that the gateway answers itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The status of the answer.
    pub status: StatusCode,
    /// The kind, as it is logged.
    pub kind: &'static str,
    /// What happened and how to mend it.
    pub message: String,
}

impl Fault {
    /// One of a kind.
    pub fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status,
            kind,
            message,
        }
    }

    /// An exchange with the upstream failed.
    pub fn of(error: &legacy::Error, origin: &Origin) -> Self {
        let said = failure::explain(error);
        let at = |words: &str| format!("the upstream {origin} {words}");
        let (status, kind, words) = match &said {
            Error::ConnectionTimeout => (
                StatusCode::GATEWAY_TIMEOUT,
                "connect-timeout",
                at("could not be connected to in time (`connect_timeout_ms`)"),
            ),
            Error::ConnectionRefused => (
                StatusCode::BAD_GATEWAY,
                "connection-refused",
                at("refused the connection"),
            ),
            Error::DnsError { .. } => (
                StatusCode::BAD_GATEWAY,
                "dns-error",
                at("has a name that could not be resolved"),
            ),
            Error::DestinationIpUnroutable => (
                StatusCode::BAD_GATEWAY,
                "unreachable",
                at("cannot be reached from here"),
            ),
            Error::ConnectionTerminated => (
                StatusCode::BAD_GATEWAY,
                "connection-reset",
                at("closed the connection before it answered"),
            ),
            Error::InternalError(Some(words)) if words.starts_with("TLS failed") => (
                StatusCode::BAD_GATEWAY,
                "tls-error",
                format!("{} (`ca_file` names certificates to trust)", at(words)),
            ),
            Error::InternalError(Some(words)) => {
                (StatusCode::BAD_GATEWAY, "upstream-error", at(words))
            }
            other => (
                StatusCode::BAD_GATEWAY,
                "upstream-error",
                at(&format!("failed: {other:?}")),
            ),
        };
        Self::new(status, kind, words)
    }

    /// What the client is sent.
    pub fn answer(&self) -> Response<Full<Bytes>> {
        let body = serde_json::json!({"error": {
            "message": self.message,
            "type": self.kind,
        }});
        let mut response = Response::new(Full::from(body.to_string()));
        *response.status_mut() = self.status;
        let json = http::HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

/// A response's body that ended early.
pub(super) fn reset(error: &(dyn std::error::Error + 'static)) -> String {
    match failure::explain(error) {
        Error::InternalError(Some(words)) => format!("the upstream's response broke off: {words}"),
        _ => UPSTREAM_GONE.1.to_owned(),
    }
}
