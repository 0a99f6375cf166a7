//! What the core wants sent, and what becomes of it.
//!
//! The instance ends with its request, and what it has not delivered by then is lost: so it tries for a while, the client
//! having long got its response, and says so where that did not help.

use std::time::Duration;

use logger_core::FlushMode;
use logger_core::report::Report;
use logger_core::transport::{self, Request, Response, TransportError};

use crate::LOGGER;
use crate::bindings::wasi::cli::stderr::get_stderr;
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions,
    Scheme,
};
use crate::record::{Record, now};
use crate::streams::{self, Incoming};

/// How long a call's log is tried to be delivered.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read.
const ANSWER_MAX: usize = 64 * 1024;

/// Sends a call's log.
pub fn deliver(record: Record) {
    drop(record);
    let until = now() + PATIENCE;
    loop {
        let report = flush();
        for refusal in report.refused.iter().chain(&report.returned) {
            say(&refusal.reason);
        }
        let Some(deferral) = report.deferred else {
            return;
        };
        if now() + deferral.after > until {
            return say(&deferral.reason);
        }
        let wait = u64::try_from(deferral.after.as_nanos()).unwrap_or(u64::MAX);
        monotonic_clock::subscribe_duration(wait).block();
    }
}

fn flush() -> Report {
    LOGGER.with_borrow_mut(|logger| {
        logger.prepare(now(), FlushMode::All);
        while let Some(request) = logger.poll_request(now()) {
            let (id, timeout) = (request.id, request.timeout);
            let answer = send(request);
            let answer =
                answer.map_err(|error| TransportError::named(&format!("{error:?}"), timeout));
            logger.on_response(now(), id, answer);
        }
        logger.take_report(now())
    })
}

fn send(request: Request) -> Result<Response, ErrorCode> {
    let invalid = |()| ErrorCode::HttpRequestUriInvalid;
    let fields = Fields::new();
    let length = request.body.len().to_string();
    for (name, value) in request.fields().chain([("content-length", &*length)]) {
        let _ = fields.append(name, value.as_bytes());
    }
    let outgoing = OutgoingRequest::new(fields);
    let method = match request.method {
        transport::Method::Get => Method::Get,
        transport::Method::Post => Method::Post,
    };
    let target = request.target();
    let scheme = if target.is_https {
        Scheme::Https
    } else {
        Scheme::Http
    };
    outgoing.set_method(&method).map_err(invalid)?;
    outgoing.set_scheme(Some(&scheme)).map_err(invalid)?;
    outgoing
        .set_authority(Some(target.authority))
        .map_err(invalid)?;
    outgoing
        .set_path_with_query(Some(target.path))
        .map_err(invalid)?;
    let body = outgoing
        .body()
        .map_err(|()| ErrorCode::InternalError(None))?;
    let answer = outgoing_handler::handle(outgoing, Some(within(request.timeout)))?;
    let out = body.write().map_err(|()| ErrorCode::InternalError(None))?;
    // A server that does not read says why in its answer.
    let _ = streams::write(&out, &request.body);
    drop(out);
    let _ = OutgoingBody::finish(body, None);
    answer.subscribe().block();
    match answer.get() {
        Some(Ok(answer)) => Ok(read(answer?)),
        _ => Err(ErrorCode::InternalError(None)),
    }
}

fn within(timeout: Duration) -> RequestOptions {
    let timeout = u64::try_from(timeout.as_nanos()).ok();
    let options = RequestOptions::new();
    // A host that knows no timeouts has its own.
    let _ = options.set_connect_timeout(timeout);
    let _ = options.set_first_byte_timeout(timeout);
    let _ = options.set_between_bytes_timeout(timeout);
    options
}

fn read(answer: IncomingResponse) -> Response {
    let (status, fields) = (answer.status(), answer.headers().entries());
    let mut body = Vec::new();
    if let Ok(incoming) = Incoming::of(answer.consume()) {
        while body.len() < ANSWER_MAX
            && let Ok(Some(part)) = incoming.next()
        {
            body.extend_from_slice(&part);
        }
    }
    Response::of(status, &fields, body)
}

/// Tells whoever reads the host's log.
fn say(reason: &str) {
    let line = format!("a call was not logged: {reason}\n");
    let _ = get_stderr().blocking_write_and_flush(line.as_bytes());
}
