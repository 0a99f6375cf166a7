//! The network as an instance sees it: the tracking server, and nothing else.
//!
//! `wasi:http` requests come here. One to another origin than the configured one is denied before a
//! name is looked up. The others go out over a client with timeouts, TLS verified against the
//! system's certificates, and no redirects followed.

mod client;
pub(crate) mod failure;
mod upload;

use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::origin::Origin;
use crate::timed::{Timed, TimedError};
use client::Client;
use upload::Upload;

/// How long a connection may take at most, whatever `timeout_ms` says: what answers at all answers
/// sooner.
const CONNECT: Duration = Duration::from_secs(5);

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// From there to the response's head. Includes the time the server works on a batch.
    pub first_byte: Duration,
    /// Between parts of the response's body.
    pub between_bytes: Duration,
}

impl Timeouts {
    /// As `timeout_ms` and `batch_max_spans` have it: 50 ms are added for each span.
    pub fn for_batches(timeout: Duration, spans: u32) -> Self {
        Self {
            connect: timeout.min(CONNECT),
            first_byte: timeout + Duration::from_millis(50) * spans,
            between_bytes: timeout,
        }
    }

    /// The guest may wait less, not more.
    fn shortened(self, asked: Option<RequestOptions>) -> Self {
        let asked = asked.unwrap_or_default();
        let shorter = |own: Duration, asked: Option<Duration>| asked.map_or(own, |a| a.min(own));
        Self {
            connect: shorter(self.connect, asked.connect_timeout),
            first_byte: shorter(self.first_byte, asked.first_byte_timeout),
            between_bytes: shorter(self.between_bytes, asked.between_bytes_timeout),
        }
    }
}

impl Default for Timeouts {
    /// Those of the settings' defaults.
    fn default() -> Self {
        Self::for_batches(Duration::from_secs(30), 256)
    }
}

/// The way out of one instance.
#[derive(Default)]
pub(crate) struct Outbound {
    /// The origins of all settings that the instance was given: what is queued goes to where it
    /// was bound.
    allowed: Vec<Origin>,
    timeouts: Timeouts,
    client: Client,
}

impl Outbound {
    /// Opens the way to one more origin.
    pub fn allow(&mut self, origin: Origin, timeouts: Timeouts) {
        self.timeouts = timeouts;
        if !self.allowed.contains(&origin) {
            self.allowed.push(origin);
        }
    }

    fn admit<B>(&self, request: &Request<B>) -> Result<Origin, Error> {
        let origin = Origin::of(request.uri());
        match origin {
            Some(origin) if self.allowed.contains(&origin) => Ok(origin),
            _ => {
                let to = origin.map_or_else(|| "no valid origin".to_owned(), |o| o.to_string());
                let allowed: Vec<_> = self.allowed.iter().map(ToString::to_string).collect();
                tracing::warn!(
                    to,
                    allowed = allowed.join(", "),
                    "denied a request of the plugin: it may reach the tracking server only"
                );
                Err(Error::HttpRequestDenied)
            }
        }
    }
}

type Sent = Result<(Response<WasiBody>, Rest), Error>;
/// What is still to be done for a connection once the head has come; here the client does that.
type Rest = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Rest,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let timeouts = self.timeouts.shortened(options);
        let (request, upload) = Upload::of(request);
        let exchange = self
            .admit(&request)
            .and_then(|origin| self.client.send(request, &origin, timeouts.connect));
        Box::new(async move {
            let wait = timeouts.connect + timeouts.first_byte;
            let answer = match exchange {
                Ok(exchange) => tokio::time::timeout(wait, exchange)
                    .await
                    .unwrap_or(Err(Error::ConnectionReadTimeout)),
                Err(error) => Err(error),
            };
            let response = match answer {
                Ok(response) => response,
                Err(error) => {
                    upload.drain().await;
                    return Err(error);
                }
            };
            let response = response.map(|body| {
                let body = Timed::new(body, timeouts.between_bytes);
                body.map_err(body_failed).boxed_unsync()
            });
            Ok((response, Box::new(async { Ok(()) }) as Rest))
        })
    }
}

fn body_failed(error: TimedError<hyper::Error>) -> Error {
    match error {
        TimedError::TooSlow(_) => Error::ConnectionReadTimeout,
        TimedError::Body(error) => failure::explain(&error),
    }
}

#[cfg(test)]
mod tests;
