//! The core's requests over WASI HTTP.

use logger_core::transport::{self, Request, Response, TransportError};
use waki::header::{HeaderName, HeaderValue};
use waki::{Client, ErrorCode};

/// The longest answer that is read.
const ANSWER_MAX: usize = 64 * 1024;

/// Sends a request and waits for the answer. The host bounds the time that takes: of the timeouts,
/// waki passes on only that of the connection.
pub fn send(request: Request) -> Result<Response, TransportError> {
    let client = Client::new();
    let builder = match request.method {
        transport::Method::Get => client.get(&request.url),
        transport::Method::Post => client.post(&request.url),
    };
    let own = request.headers.into_iter();
    let own = own.map(|(name, value)| (name.to_owned(), value));
    // Without it the body goes out in chunks, which MLflow's REST API does not read.
    let length = ("content-length".to_owned(), request.body.len().to_string());
    let headers = own.chain(request.extra_headers).chain([length]);
    let builder = builder
        .connect_timeout(request.timeout)
        .headers(headers.filter_map(field))
        .body(request.body);
    let response = builder.send().map_err(|error| failure(&error))?;
    let field = |name| response.header(name).and_then(|value| value.to_str().ok());
    let retry_after = field("retry-after");
    let retry_after = retry_after.and_then(|value| transport::retry_after(value, field("date")));
    let mut body = Vec::new();
    while body.len() < ANSWER_MAX {
        match response.chunk((ANSWER_MAX - body.len()) as u64) {
            Ok(Some(bytes)) => body.extend_from_slice(&bytes),
            Ok(None) => break,
            Err(error) => return Err(failure(&error)),
        }
    }
    Ok(Response {
        status: response.status_code(),
        retry_after,
        body,
    })
}

/// The settings were checked for names and values that HTTP allows.
fn field((name, value): (String, String)) -> Option<(HeaderName, HeaderValue)> {
    let value = HeaderValue::from_bytes(value.as_bytes());
    Some((name.parse().ok()?, value.ok()?))
}

/// What went wrong, in words for people.
fn failure(error: &anyhow::Error) -> TransportError {
    let words = match error.downcast_ref::<ErrorCode>() {
        Some(ErrorCode::ConnectionRefused) => "the connection was refused",
        Some(ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete) => {
            "the connection broke"
        }
        Some(ErrorCode::DnsError(_)) => "the host's name is unknown",
        Some(ErrorCode::DnsTimeout) => "the host's name was not resolved in time",
        Some(ErrorCode::DestinationNotFound | ErrorCode::DestinationIpUnroutable) => {
            "there is no way to the host"
        }
        Some(ErrorCode::DestinationIpProhibited | ErrorCode::HttpRequestDenied) => {
            "the host of this plugin does not allow it"
        }
        Some(ErrorCode::TlsCertificateError | ErrorCode::TlsAlertReceived(_)) => {
            "the server's TLS certificate was not accepted"
        }
        Some(ErrorCode::TlsProtocolError) => "TLS failed: does the server speak https?",
        Some(
            ErrorCode::ConnectionTimeout
            | ErrorCode::ConnectionReadTimeout
            | ErrorCode::ConnectionWriteTimeout
            | ErrorCode::HttpResponseTimeout,
        ) => "there was no answer in time",
        Some(ErrorCode::InternalError(Some(reason))) => {
            return TransportError::Other(reason.clone());
        }
        _ => return TransportError::Other(error.to_string()),
    };
    TransportError::Connect(words.to_owned())
}
