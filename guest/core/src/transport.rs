//! What the core wants sent, and what came back: plain data, no client.

use std::time::Duration;

/// Names a request while it is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// The methods the core uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
}

/// An HTTP request for the shell to send.
#[derive(Clone, Debug)]
pub struct Request {
    /// To be handed back with the answer.
    pub id: RequestId,
    /// The method.
    pub method: Method,
    /// The whole URL.
    pub url: String,
    /// Header fields, credentials among them: not for logs.
    pub headers: Vec<(&'static str, String)>,
    /// Header fields that the settings add.
    pub extra_headers: Vec<(String, String)>,
    /// The body; empty for GET.
    pub body: Vec<u8>,
    /// How long the whole exchange may take. Grows with the batch.
    pub timeout: Duration,
}

/// What the server answered.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The value of the `retry-after` header field, as sent.
    pub retry_after: Option<String>,
    /// The body; the shell may cut it at 64 KiB.
    pub body: Vec<u8>,
}

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection: refused, unknown name, TLS failure, not allowed.
    #[error("{0}")]
    Connect(String),
    /// The time ran out.
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The connection broke after the request went out, or anything else.
    #[error("{0}")]
    Other(String),
}
