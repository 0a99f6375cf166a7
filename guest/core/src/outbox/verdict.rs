//! What an answer to a batch means.
//!
//! Statuses worth another try follow the OTLP specification, "OTLP/HTTP Response"; the rest follows what
//! MLflow 3.17.2 was measured to answer. Any status but 2xx stores nothing of the batch.

use std::time::Duration;

use crate::otlp::response::{PartialSuccess, partial_success};
use crate::report::Cause;
use crate::settings::{Protocol, Server, Settings};
use crate::transport::{Response, TransportError, one_line};

/// What stands in the way.
#[derive(Clone, Debug)]
pub(super) struct Obstacle {
    pub cause: Cause,
    /// What went wrong and how to mend it.
    pub reason: String,
    /// How long the server wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl Obstacle {
    pub fn new(cause: Cause, reason: String) -> Self {
        Self {
            cause,
            reason,
            retry_after: None,
        }
    }

    /// No answer came.
    pub fn unreachable(error: &TransportError, server: &Server) -> Self {
        let uri = &server.tracking_uri;
        let mend = match server.protocol {
            Protocol::Mlflow => "is an MLflow server running there? `tracking_uri` says where",
            Protocol::Otlp => "is a collector running there? `tracking_uri` says where",
        };
        Self::new(
            Cause::Unreachable,
            format!("{uri} cannot be reached: {error}; {mend}"),
        )
    }
}

/// What an answer means for the batch.
pub(super) enum Verdict {
    /// All of it is stored.
    Delivered,
    /// Something in it is unacceptable, and will be again.
    Refused(String),
    /// Part of it is stored and another refused; nobody knows which, and none may be sent again.
    PartlyRefused(String),
    /// It was not taken, and where others pass the reason may be in it.
    InVain(Obstacle, Blame),
    /// No answer came in time.
    Slow,
    /// Nothing is wrong with it.
    Later(Obstacle),
    /// The experiment is not there.
    NoExperiment(Obstacle),
}

/// Where the reason may lie for which a batch was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// In the batch: the server failed over it.
    Batch,
    /// In the settings, or in the batch: something on the way does not let it pass.
    Way,
    /// In either: no answer came to one call in time.
    Time,
    /// In the server, which is busy; in the batch only where that is said of it again and again, as by a proxy whose
    /// server crashes over it.
    Server,
}

pub(super) fn verdict(answer: &Result<Response, TransportError>, server: &Server) -> Verdict {
    let response = match answer {
        Ok(response) => response,
        Err(TransportError::Timeout(_)) => return Verdict::Slow,
        Err(error @ TransportError::Connect(_)) => {
            return Verdict::Later(Obstacle::unreachable(error, server));
        }
        Err(error) => return Verdict::InVain(Obstacle::unreachable(error, server), Blame::Batch),
    };
    match response.status {
        // A login page, or whatever else stands where the server should: nothing is stored.
        200..=299 if is_page(response) => {
            Verdict::InVain(misconfigured(response, server), Blame::Way)
        }
        200..=299 => match partial_success(&response.body) {
            Some(partial) if partial.rejected_spans > 0 => {
                Verdict::PartlyRefused(refused_part(&partial, server))
            }
            _ => Verdict::Delivered,
        },
        404 if server.protocol == Protocol::Mlflow && names_experiment(response) => {
            Verdict::NoExperiment(Obstacle::new(
                Cause::Misconfigured,
                format!("{}; it may have been deleted", told(response, server)),
            ))
        }
        429 => Verdict::Later(unavailable(response, server)),
        408 | 503 => Verdict::InVain(unavailable(response, server), Blame::Server),
        501 => Verdict::Later(Obstacle::new(
            Cause::Misconfigured,
            format!(
                "{}; the server's store takes no OTLP: start MLflow with a database \
                 (--backend-store-uri sqlite:///mlflow.db)",
                told(response, server)
            ),
        )),
        300..=399 | 401 | 403 | 404 | 405 | 407 => {
            Verdict::InVain(misconfigured(response, server), Blame::Way)
        }
        // A page says nothing of the call: it is of something that stands before the server. Still one call may be
        // what it does not let pass.
        400..=499 if !matches!(response.status, 413 | 422) && is_page(response) => {
            Verdict::InVain(misconfigured(response, server), Blame::Batch)
        }
        400..=499 => Verdict::Refused(told(response, server)),
        // What is no status of HTTP comes from something broken on the way.
        _ => Verdict::InVain(unavailable(response, server), Blame::Batch),
    }
}

fn refused_part(partial: &PartialSuccess, server: &Server) -> String {
    let said = beginning(&server.without_secrets(&partial.error_message));
    format!(
        "{} refused {} spans of the batch that this one was in, and does not say which: {said}",
        server.tracking_uri, partial.rejected_spans
    )
}

fn names_experiment(response: &Response) -> bool {
    let body = String::from_utf8_lossy(&response.body).to_lowercase();
    body.contains("experiment")
}

/// Whether an answer is a page for people. OTLP's answers are protobuf or JSON, the REST API's are JSON: none
/// begins so.
pub(super) fn is_page(response: &Response) -> bool {
    let text = response.body.trim_ascii_start();
    text.strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(text)
        .starts_with(b"<")
}

/// The server cannot take anything now.
pub(super) fn unavailable(response: &Response, server: &Server) -> Obstacle {
    Obstacle {
        cause: Cause::Unavailable,
        reason: told(response, server),
        retry_after: response.retry_after.as_deref().and_then(retry_after),
    }
}

/// The server takes its time with a batch of so many calls.
pub(super) fn too_slow(settings: &Settings, calls: usize) -> Obstacle {
    let (uri, timeout) = (&settings.server.tracking_uri, settings.delivery.timeout);
    let what = match calls {
        1 => "a call".to_owned(),
        calls => format!("{calls} calls, so fewer are sent at a time (`batch_max_spans`)"),
    };
    let reason = format!(
        "{uri} gave no answer in time (`timeout_ms`: {}) to {what}; is it overloaded?",
        timeout.as_millis()
    );
    Obstacle::new(Cause::Unavailable, reason)
}

/// The server takes nothing as things are set.
pub(super) fn misconfigured(response: &Response, server: &Server) -> Obstacle {
    let body = String::from_utf8_lossy(&response.body);
    let mend = match response.status {
        401 | 407 => "check `token`, or `username` and `password`",
        403 if body.contains("Invalid Host header") => {
            "the server does not trust the name it is called by: start it with \
             --allowed-hosts, or call it by another name in `tracking_uri`"
        }
        403 => "the credentials do not allow it: check `token`, or `username` and `password`",
        200..=299 => {
            "that is a page, and no answer of an MLflow server: does a proxy with a login stand before it? check \
             `tracking_uri`, its path and the credentials"
        }
        300..=399 => "the server redirects: set `tracking_uri` to where it really is",
        _ => "is this an MLflow server's address? check `tracking_uri` and its path",
    };
    Obstacle::new(
        Cause::Misconfigured,
        format!("{}; {mend}", told(response, server)),
    )
}

/// What the server said, in one line and without what it was sent to be let in.
pub(super) fn told(response: &Response, server: &Server) -> String {
    let said = server.without_secrets(&String::from_utf8_lossy(&response.body));
    let said = beginning(&said);
    format!(
        "{} answered {}: {said}",
        server.tracking_uri, response.status
    )
}

fn beginning(text: &str) -> String {
    const MOST: usize = 300;
    let mut line: String = one_line(text).chars().take(MOST).collect();
    if line.is_empty() {
        line.push_str("nothing more");
    }
    line
}

/// `Retry-After` in seconds; see [`crate::transport::retry_after`]. Capped at ten minutes.
fn retry_after(value: &str) -> Option<Duration> {
    let seconds: u64 = value.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(600)))
}
