//! A request to its upstream, and the response to the client, each part as it comes.

use logger_core::event::{CLIENT_GONE, UPSTREAM_GONE};
use logger_core::passing::Head;
use serde_json::json;

use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, IncomingRequest, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    OutgoingResponse, ResponseOutparam, Scheme,
};
use crate::fields::{self, Field};
use crate::record::{Record, borrowed};
use crate::settings::Upstream;
use crate::streams::{self, Incoming};

/// Forwards a request, and answers what is to be logged of it.
pub fn run(
    upstreams: &[Upstream],
    request: IncomingRequest,
    client: ResponseOutparam,
) -> Option<Record> {
    let path = request.path_with_query().unwrap_or_default();
    let Some(upstream) = Upstream::of(upstreams, &path) else {
        let known: Vec<_> = upstreams
            .iter()
            .map(|upstream| format!("{}/", upstream.prefix))
            .collect();
        let reason = format!(
            "no upstream has a prefix of {path}; there are {}",
            known.join(", ")
        );
        refuse(client, 404, "not_found", &reason);
        return None;
    };
    let path = upstream.path(&path);
    let (method, sent) = (request.method(), request.headers().entries());
    let mut record = Record::new();
    let answer = send(upstream, &path, &method, request, &sent, &mut record);
    record.begin(Head {
        method: &name(&method),
        path: &path,
        authority: Some(&upstream.authority),
        provider: upstream.provider.as_deref(),
        fields: borrowed(&sent),
    });
    match answer {
        Ok(response) => pass(response, &method, client, &mut record),
        Err(error) => {
            let (status, kind) = failure(&error);
            let reason = format!("the upstream {} {}", upstream.authority, words(&error));
            refuse(client, status, kind, &reason);
            record.fail((kind, &reason));
        }
    }
    Some(record)
}

/// Sends the request, its body as it comes, and waits for the response's head.
fn send(
    upstream: &Upstream,
    path: &str,
    method: &Method,
    request: IncomingRequest,
    sent: &[Field],
    record: &mut Record,
) -> Result<IncomingResponse, ErrorCode> {
    let outgoing = OutgoingRequest::new(fields::passed(sent));
    let scheme = if upstream.tls {
        Scheme::Https
    } else {
        Scheme::Http
    };
    let invalid = |()| ErrorCode::HttpRequestUriInvalid;
    outgoing
        .set_method(method)
        .map_err(|()| ErrorCode::HttpRequestMethodInvalid)?;
    outgoing.set_scheme(Some(&scheme)).map_err(invalid)?;
    outgoing
        .set_authority(Some(&upstream.authority))
        .map_err(invalid)?;
    outgoing.set_path_with_query(Some(path)).map_err(invalid)?;

    let incoming = Incoming::of(request.consume())?;
    let client_gone = |reason| ErrorCode::InternalError(Some(reason));
    let mut part = incoming.next().map_err(client_gone)?;
    // A request without a body has to go out as one, and not as one with an empty body.
    let body = match part {
        Some(_) => Some(
            outgoing
                .body()
                .map_err(|()| ErrorCode::InternalError(None))?,
        ),
        None => None,
    };
    let answer = outgoing_handler::handle(outgoing, None)?;
    if let Some(body) = body {
        let out = body.write().map_err(|()| ErrorCode::InternalError(None))?;
        while let Some(bytes) = part {
            record.request(&bytes);
            // An upstream that has answered need not have read all of the request.
            if streams::write(&out, &bytes).is_err() {
                break;
            }
            part = incoming.next().map_err(client_gone)?;
        }
        drop(out);
        let _ = OutgoingBody::finish(body, None);
    }
    answer.subscribe().block();
    match answer.get() {
        Some(Ok(answer)) => answer,
        _ => Err(ErrorCode::InternalError(None)),
    }
}

/// Passes a response on.
fn pass(
    response: IncomingResponse,
    method: &Method,
    client: ResponseOutparam,
    record: &mut Record,
) {
    let (status, mut got) = (response.status(), response.headers().entries());
    record.head(status, &got);
    if matches!(method, Method::Head) {
        // It speaks of a body that does not come.
        got.retain(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
    }
    let outgoing = OutgoingResponse::new(fields::passed(&got));
    let body = match (outgoing.set_status_code(status), outgoing.body()) {
        (Ok(()), Ok(body)) => body,
        _ => {
            return refuse(
                client,
                502,
                "bad_gateway",
                "the upstream's answer cannot be passed on",
            );
        }
    };
    // From here on the client has the head, and each part as soon as it is there.
    ResponseOutparam::set(client, Ok(outgoing));
    let Ok(out) = body.write() else { return };
    let Ok(incoming) = Incoming::of(response.consume()) else {
        return;
    };
    let (mut came, length) = (0, fields::length(&got));
    loop {
        match incoming.next() {
            Ok(Some(part)) => {
                came += part.len() as u64;
                let passed = streams::write(&out, &part);
                record.response(&part);
                if passed.is_err() {
                    // A client that has as many bytes as it was promised may leave at once.
                    return match length {
                        Some(length) if came >= length => record.finish(),
                        _ => record.fail(CLIENT_GONE),
                    };
                }
            }
            Ok(None) if length.is_some_and(|length| came < length) => {
                return record.fail(UPSTREAM_GONE);
            }
            Ok(None) => break,
            // The body is dropped unfinished, so that the client hears of it too.
            Err(reason) => return record.fail((UPSTREAM_GONE.0, &reason)),
        }
    }
    drop(out);
    // All of it has been passed on, whether the client is still there or not.
    let _ = OutgoingBody::finish(body, None);
    record.finish();
}

/// Answers a request that goes nowhere.
pub fn refuse(client: ResponseOutparam, status: u16, kind: &str, reason: &str) {
    let text = json!({"error": {"message": reason, "type": kind}}).to_string();
    let fields = Fields::new();
    let _ = fields.append("content-type", b"application/json");
    let response = OutgoingResponse::new(fields);
    let _ = response.set_status_code(status);
    let Ok(body) = response.body() else { return };
    ResponseOutparam::set(client, Ok(response));
    if let Ok(out) = body.write() {
        let _ = streams::write(&out, text.as_bytes());
    }
    let _ = OutgoingBody::finish(body, None);
}

/// What the upstream did instead of answering.
fn words(error: &ErrorCode) -> String {
    let words = match error {
        ErrorCode::ConnectionRefused => "refused the connection",
        ErrorCode::ConnectionTimeout => "could not be connected to in time",
        ErrorCode::DnsError(_) | ErrorCode::DnsTimeout => "has a name that could not be resolved",
        ErrorCode::DestinationIpUnroutable => "cannot be reached from here",
        ErrorCode::ConnectionTerminated => "closed the connection before it answered",
        // Hosts do not tell the one from the other.
        ErrorCode::HttpProtocolError => {
            "closed the connection before it answered, or what it answered is no HTTP"
        }
        other => return format!("failed: {other:?}").replace("ErrorCode::", ""),
    };
    words.to_owned()
}

/// The status and the kind that a failure has for the client and for MLflow.
fn failure(error: &ErrorCode) -> (u16, &'static str) {
    match error {
        ErrorCode::DnsTimeout
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => (504, "timeout"),
        ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => {
            (502, UPSTREAM_GONE.0)
        }
        _ => (502, "connection-error"),
    }
}

fn name(method: &Method) -> String {
    let name = match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(other) => other,
    };
    name.to_owned()
}
