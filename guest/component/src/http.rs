//! The core's requests over WASI HTTP.
//!
//! Of waki the bindings are used and not its client. That passes on only the timeout of the connection, so a server that takes a
//! request and never answers would hold the plugin for as long as the host's own patience, which is ten minutes in wasmtime. And it takes
//! for a failure that the host is done with a body the moment its last byte is written, though the answer is there: what was stored would be
//! sent again.

use std::time::Duration;

use logger_core::transport::{self, Request, Response, TransportError};
use waki::bindings::wasi::http::outgoing_handler;
use waki::bindings::wasi::http::types::{
    ErrorCode, Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions,
    Scheme,
};
use waki::bindings::wasi::io::streams::StreamError;

/// The longest answer that is read.
const ANSWER_MAX: usize = 64 * 1024;

/// Sends a request and waits for the answer, at most `timeout` for each step of the way.
pub fn send(request: Request) -> Result<Response, TransportError> {
    let timeout = request.timeout;
    exchange(request).map_err(|code| failure(&code, timeout))
}

fn exchange(request: Request) -> Result<Response, ErrorCode> {
    let options = RequestOptions::new();
    let timeout = u64::try_from(request.timeout.as_nanos()).ok();
    // A host that cannot set one says so, and has its own.
    let _ = options.set_connect_timeout(timeout);
    let _ = options.set_first_byte_timeout(timeout);
    let _ = options.set_between_bytes_timeout(timeout);

    let outgoing = head(&request)?;
    let body = outgoing.body().map_err(|()| internal("a body"))?;
    let answer = outgoing_handler::handle(outgoing, Some(options))?;
    if write(&body, &request.body).is_ok() {
        // Where it is not whole for the host, the answer tells.
        let _ = OutgoingBody::finish(body, None);
    }
    loop {
        match answer.get() {
            Some(Ok(response)) => return read(&response?),
            Some(Err(())) => return Err(internal("an answer")),
            None => answer.subscribe().block(),
        }
    }
}

fn head(request: &Request) -> Result<OutgoingRequest, ErrorCode> {
    let fields = Fields::new();
    // Without it the body goes out in chunks, which MLflow's REST API does not read.
    let length = request.body.len().to_string();
    for (name, value) in request.fields().chain([("content-length", &*length)]) {
        // The settings were checked for names and values that HTTP allows.
        let _ = fields.append(&name.to_owned(), &value.as_bytes().to_vec());
    }
    let target = request.target();
    let scheme = if target.is_https {
        Scheme::Https
    } else {
        Scheme::Http
    };
    let method = match request.method {
        transport::Method::Get => Method::Get,
        transport::Method::Post => Method::Post,
    };
    let outgoing = OutgoingRequest::new(fields);
    let set = outgoing
        .set_method(&method)
        .and_then(|()| outgoing.set_scheme(Some(&scheme)))
        .and_then(|()| outgoing.set_authority(Some(target.authority)))
        .and_then(|()| outgoing.set_path_with_query(Some(target.path)));
    set.map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
    Ok(outgoing)
}

/// Writes the body, or as much of it as the host takes: a server may answer before it has read all.
fn write(body: &OutgoingBody, mut bytes: &[u8]) -> Result<(), StreamError> {
    let Ok(stream) = body.write() else {
        return Err(StreamError::Closed);
    };
    let ready = stream.subscribe();
    while !bytes.is_empty() {
        ready.block();
        let room = usize::try_from(stream.check_write()?).unwrap_or(usize::MAX);
        let (now, later) = bytes.split_at(room.min(bytes.len()));
        stream.write(now)?;
        bytes = later;
    }
    // A host that counts the bytes may be done with the stream by now.
    if stream.flush().is_ok() {
        ready.block();
    }
    Ok(())
}

fn read(response: &IncomingResponse) -> Result<Response, ErrorCode> {
    let fields = response.headers();
    let field = |name: &str| {
        let value = fields.get(&name.to_owned()).into_iter().next()?;
        String::from_utf8(value).ok()
    };
    let retry_after = field("retry-after").and_then(|value| {
        let date = field("date");
        transport::retry_after(&value, date.as_deref())
    });
    let incoming = response.consume().map_err(|()| internal("an answer"))?;
    let stream = incoming.stream().map_err(|()| internal("an answer"))?;
    let mut body = Vec::new();
    while body.len() < ANSWER_MAX {
        match stream.blocking_read((ANSWER_MAX - body.len()) as u64) {
            Ok(bytes) => body.extend_from_slice(&bytes),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(_)) => {
                return Err(ErrorCode::HttpResponseIncomplete);
            }
        }
    }
    Ok(Response {
        status: response.status(),
        retry_after,
        body,
    })
}

fn internal(what: &str) -> ErrorCode {
    ErrorCode::InternalError(Some(format!("the host has {what} no more")))
}

/// What went wrong, in words for people.
fn failure(error: &ErrorCode, timeout: Duration) -> TransportError {
    let words = match error {
        ErrorCode::ConnectionRefused => "the connection was refused",
        // The request may have been the reason.
        ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => {
            return TransportError::Other("the connection broke".to_owned());
        }
        ErrorCode::DnsError(_) => "the host's name is unknown",
        ErrorCode::DnsTimeout => "the host's name was not resolved in time",
        ErrorCode::DestinationNotFound | ErrorCode::DestinationIpUnroutable => {
            "there is no way to the host"
        }
        ErrorCode::DestinationIpProhibited | ErrorCode::HttpRequestDenied => {
            "the host of this plugin does not allow it"
        }
        ErrorCode::TlsCertificateError | ErrorCode::TlsAlertReceived(_) => {
            "the server's TLS certificate was not accepted"
        }
        ErrorCode::TlsProtocolError => "TLS failed: does the server speak https?",
        ErrorCode::ConnectionTimeout => "nobody took the connection in time",
        ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => return TransportError::Timeout(timeout),
        ErrorCode::InternalError(Some(reason)) => {
            return TransportError::Other(reason.clone());
        }
        _ => return TransportError::Other(error.to_string()),
    };
    TransportError::Connect(words.to_owned())
}
