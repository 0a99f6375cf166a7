//! The core's requests through a cluster of the proxy.

use logger_core::transport::{self, Method, Request, Response, TransportError};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType, Status};

use crate::head::{self, Fields};

/// The longest answer that is read.
const ANSWER_MAX: usize = 64 * 1024;

/// What Envoy's own answers begin with, where the cluster's server gave none.
const NO_ANSWER: [&[u8]; 4] = [
    b"upstream connect error",
    b"no healthy upstream",
    b"no_healthy_upstream",
    b"upstream request timeout",
];

/// Sends a request. The answer comes to the root context, under this number.
pub fn send(request: &Request, cluster: &str) -> Result<u32, TransportError> {
    let target = request.target();
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let mut headers = vec![
        (":method", method),
        (":path", target.path),
        (":authority", target.authority),
    ];
    headers.extend(request.fields());
    let body = (!request.body.is_empty()).then_some(request.body.as_slice());
    hostcalls::dispatch_http_call(cluster, headers, body, Vec::new(), request.timeout).map_err(
        |status| {
            TransportError::Connect(match status {
                Status::BadArgument => format!(
                    "the proxy has no cluster \"{cluster}\": name one that reaches `tracking_uri` (`cluster`)"
                ),
                _ => format!("the cluster \"{cluster}\" (`cluster`) takes no requests"),
            })
        },
    )
}

/// The answer that has come. Without header fields, none did.
pub fn answer(fields: usize, body: usize, cluster: &str) -> Result<Response, TransportError> {
    let fields = match fields {
        0 => Fields::new(),
        _ => hostcalls::get_map_bytes(MapType::HttpCallResponseHeaders).unwrap_or_default(),
    };
    let value = |name: &str| fields.iter().find(|(field, _)| field == name);
    let Some(status) = value(":status").and_then(|(_, value)| head::status(value)) else {
        return Err(TransportError::Other(format!(
            "the connection broke (cluster \"{cluster}\")"
        )));
    };
    let length = body.min(ANSWER_MAX);
    let body = match length {
        0 => None,
        _ => hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, length).unwrap_or(None),
    };
    let body = body.unwrap_or_default();
    if status >= 503 && NO_ANSWER.iter().any(|words| body.starts_with(words)) {
        let said = String::from_utf8_lossy(&body);
        let said = said.trim();
        return Err(TransportError::Connect(format!(
            "{said} (cluster \"{cluster}\")"
        )));
    }
    let text = |name| value(name).and_then(|(_, value)| std::str::from_utf8(value).ok());
    let retry_after = text("retry-after");
    Ok(Response {
        status,
        retry_after: retry_after.and_then(|value| transport::retry_after(value, text("date"))),
        body,
    })
}
