//! What the core wants sent, and what becomes of it.

use std::cell::Cell;
use std::time::Duration;

use logger_core::FlushMode;
use logger_core::transport::{self, Response as Answer, TransportError};
use wit_bindgen::StreamResult;

use crate::LOGGER;
use crate::bindings::wasi::cli::stderr;
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::http::client;
use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, Method, Request, RequestOptions, Response, Scheme,
};
use crate::bindings::{wit_future, wit_stream};
use crate::clock::now;

/// How long what waits is tried to be delivered after the last call.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read.
const ANSWER_MAX: usize = 64 * 1024;

thread_local! {
    /// Whether somebody sends already: what comes in the meantime goes with the next batch.
    static SENDING: Cell<bool> = const { Cell::new(false) };
}

/// Sends what waits. Calls that end meanwhile are sent with it, in batches.
pub async fn deliver() {
    if SENDING.replace(true) {
        return;
    }
    let mut until = now() + PATIENCE;
    loop {
        flush().await;
        let report = LOGGER.with_borrow_mut(|logger| logger.take_report(now()));
        for refusal in report.refused.iter().chain(&report.returned) {
            say(&refusal.reason).await;
        }
        if !report.delivered.is_empty() {
            until = now() + PATIENCE;
        }
        match report.deferred {
            Some(deferral) if now() + deferral.after > until => {
                say(&deferral.reason).await;
                break;
            }
            Some(deferral) => {
                let wait = u64::try_from(deferral.after.as_nanos()).unwrap_or(u64::MAX);
                monotonic_clock::wait_for(wait).await;
            }
            None if LOGGER.with_borrow(|logger| logger.stats().queued_spans == 0) => break,
            None => {}
        }
    }
    SENDING.set(false);
}

async fn flush() {
    LOGGER.with_borrow_mut(|logger| logger.prepare(now(), FlushMode::All));
    while let Some(request) = LOGGER.with_borrow_mut(|logger| logger.poll_request(now())) {
        let (id, timeout) = (request.id, request.timeout);
        let answer = send(request).await;
        let answer = answer.map_err(|error| TransportError::named(&format!("{error:?}"), timeout));
        LOGGER.with_borrow_mut(|logger| logger.on_response(now(), id, answer));
    }
}

async fn send(request: transport::Request) -> Result<Answer, ErrorCode> {
    let invalid = |()| ErrorCode::HttpRequestUriInvalid;
    let fields = Fields::new();
    let length = request.body.len().to_string();
    for (name, value) in request.fields().chain([("content-length", &*length)]) {
        let _ = fields.append(name, value.as_bytes());
    }
    let (mut body, contents) = wit_stream::new();
    let (no_trailers, trailers) = wit_future::new(|| Ok(None));
    let (outgoing, _sent) = Request::new(
        fields,
        Some(contents),
        trailers,
        Some(within(request.timeout)),
    );
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
    wit_bindgen::spawn_local(async move {
        // A server that does not read says why in its answer.
        body.write_all(request.body).await;
        drop((body, no_trailers));
    });
    Ok(read(client::send(outgoing).await?).await)
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

async fn read(answer: Response) -> Answer {
    let (status, fields) = (answer.get_status_code(), answer.get_headers().copy_all());
    let (read, done) = wit_future::new(|| Ok(()));
    let (mut stream, _trailers) = Response::consume_body(answer, done);
    let mut body = Vec::with_capacity(ANSWER_MAX);
    loop {
        let (result, filled) = stream.read(body).await;
        body = filled;
        if result == StreamResult::Dropped || body.len() >= ANSWER_MAX {
            break;
        }
    }
    drop(read);
    Answer::of(status, &fields, body)
}

/// Tells whoever reads the host's log.
async fn say(reason: &str) {
    let line = format!("a call was not logged: {reason}\n");
    let (mut writer, line_stream) = wit_stream::new();
    let written = stderr::write_via_stream(line_stream);
    writer.write_all(line.into_bytes()).await;
    drop(writer);
    let _ = written.await;
}
