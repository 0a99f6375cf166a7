//! The request path: a request in, the upstream's response out, unchanged.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use http::{HeaderMap, Method, StatusCode, Version, header, request};
use http_body_util::{Either, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::{Request, Response};
use logger_core::credentials;
use tokio::sync::watch;

use super::backlog::Backlog;
use super::body::{self, Upload};
use super::exchange::{Exchange, Guard, Surroundings};
use super::fault::Fault;
use super::headers;
use super::metrics::Metrics;
use super::record::Start;
use super::trace::{Trace, random_hex};
use super::upstream::{Routes, Upstream};
use crate::config::Limits;
use crate::timed::Timed;

/// What the client is sent.
pub(super) type Body = Either<body::Response, Full<Bytes>>;

/// What a reload replaces.
pub(super) struct Live {
    /// Where requests go.
    pub routes: Routes,
    /// Within which bounds.
    pub limits: Limits,
}

/// The request path, shared by all connections.
pub(super) struct Proxy {
    /// What holds for requests that come now.
    pub live: watch::Receiver<Arc<Live>>,
    /// Where calls are logged.
    pub backlog: Arc<Backlog>,
    /// Where calls are counted.
    pub metrics: Arc<Metrics>,
    /// Set where the gateway itself ends calls.
    pub closing: Arc<AtomicBool>,
}

impl Proxy {
    /// Answers a request.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let live = self.live.borrow().clone();
        let Some(upstream) = live.routes.find(request.uri().path()) else {
            let message = format!(
                "no upstream has this path; the configured prefixes are {}",
                live.routes.prefixes()
            );
            return own(&Fault::new(StatusCode::NOT_FOUND, "no-upstream", message));
        };
        let trace = Trace::of(request.headers());
        let guard = Guard::new(self.begin(&live, upstream, &request, &trace));
        match forward(&live, upstream, request, &trace, guard.exchange()).await {
            Ok(response) => pass(response, upstream, guard),
            Err(fault) => {
                let exchange = guard.exchange();
                exchange.answered(fault.status);
                exchange.fail(fault.kind, fault.message.as_str());
                own(&fault)
            }
        }
    }

    fn begin(
        &self,
        live: &Live,
        upstream: &Upstream,
        request: &Request<Incoming>,
        trace: &Trace,
    ) -> Exchange {
        let around = Surroundings {
            backlog: upstream.settings.log.then(|| self.backlog.clone()),
            log_body_bytes: live.limits.log_body_bytes,
            closing: self.closing.clone(),
            metrics: self.metrics.call(upstream.label()),
        };
        Exchange::begin(around, || Start {
            key: self.backlog.next_key(),
            call_id: random_hex(16),
            method: request.method().to_string(),
            path: credentials::hidden_in_path(&upstream.path(path_and_query(request))),
            authority: upstream.authority().to_owned(),
            provider: upstream.settings.provider.clone(),
            traceparent: trace.parent.clone(),
            headers: headers::kept(request.headers()),
        })
    }
}

/// The response as it came, its body looked at as it passes.
fn pass(response: Response<Incoming>, upstream: &Upstream, guard: Guard) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    guard.exchange().head(head.status, &head.headers);
    headers::remove_hop_by_hop(&mut head.headers);
    head.version = Version::HTTP_11;
    let body = Timed::new(body, upstream.settings.idle_timeout);
    Response::from_parts(head, Either::Left(body::Response::new(body, guard)))
}

fn own(fault: &Fault) -> Response<Body> {
    fault.answer().map(Either::Right)
}

/// Sends the request on, and waits for the head of the response.
async fn forward(
    live: &Live,
    upstream: &Upstream,
    request: Request<Incoming>,
    trace: &Trace,
    exchange: &Exchange,
) -> Result<Response<Incoming>, Fault> {
    let most = live.limits.max_request_bytes;
    check(&request, most)?;
    let url = upstream.url(&upstream.path(path_and_query(&request)));
    let url = url.ok_or_else(|| bad_path("is none that can be sent on"))?;
    let (mut head, body) = request.into_parts();
    prepare(&mut head, trace);
    head.uri = url;
    let (body, upload) = body::Request::new(body, exchange.clone(), most);
    let request = Request::from_parts(head, body.clone());
    let answer = tokio::select! {
        answer = upstream.client.request(request) => answer,
        fault = too_late(upstream, &upload) => return Err(fault),
    };
    match answer {
        Ok(response) => Ok(response),
        Err(error) => {
            // An upstream that is not there has asked for nothing of the body, and it is to be logged.
            body.record_rest(live.limits.log_body_bytes).await;
            let broken = broken_upload(&upload, most);
            Err(broken.unwrap_or_else(|| Fault::of(&error, &upstream.origin)))
        }
    }
}

/// What the gateway does not pass on at all.
fn check(request: &Request<Incoming>, most: u64) -> Result<(), Fault> {
    if request.body().size_hint().lower() > most {
        return Err(too_large(most));
    }
    if request.method() == Method::CONNECT {
        return Err(Fault::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "connect-unsupported",
            "this gateway forwards requests to its upstreams; it opens no tunnels",
        ));
    }
    if request.headers().contains_key(header::UPGRADE) && is_upgrade(request.headers()) {
        return Err(Fault::new(
            StatusCode::NOT_IMPLEMENTED,
            "upgrade-unsupported",
            "this gateway does not forward WebSocket or other upgraded connections",
        ));
    }
    // An upstream that resolves them would be left by its base URL's path.
    let dots = |segment: &str| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == ".." || plain == "."
    };
    if request.uri().path().split('/').any(dots) {
        return Err(bad_path("has a segment `.` or `..`"));
    }
    Ok(())
}

/// HTTP/2 in clear by upgrade is declined silently, as the RFC wants; the request goes on.
fn is_upgrade(headers: &HeaderMap) -> bool {
    let named = |name: &str| {
        let values = headers.get_all(header::UPGRADE);
        values
            .iter()
            .any(|value| value.as_bytes().eq_ignore_ascii_case(name.as_bytes()))
    };
    !named("h2c")
}

fn prepare(head: &mut request::Parts, trace: &Trace) {
    headers::remove_hop_by_hop(&mut head.headers);
    // Both are said anew for the upstream: its own name, and the body when it is asked for here.
    head.headers.remove(header::HOST);
    head.headers.remove(header::EXPECT);
    trace.pass_on(&mut head.headers);
    head.version = Version::HTTP_11;
}

/// Ends when the upstream has had its time, counted from the last part of the request.
async fn too_late(upstream: &Upstream, upload: &Upload) -> Fault {
    let patience = upstream.settings.timeout;
    loop {
        let deadline = upload.last() + patience;
        tokio::time::sleep_until(deadline).await;
        if upload.last() + patience > deadline {
            continue;
        }
        let ms = patience.as_millis();
        return if upload.is_sent() {
            let origin = &upstream.origin;
            let message =
                format!("the upstream {origin} did not answer for {ms} ms (`timeout_ms`)");
            Fault::new(StatusCode::GATEWAY_TIMEOUT, "timeout", message)
        } else {
            let message = format!("nothing of the request was taken for {ms} ms (`timeout_ms`)");
            Fault::new(StatusCode::GATEWAY_TIMEOUT, "upload-timeout", message)
        };
    }
}

/// The client's own part in a request that failed.
fn broken_upload(upload: &Upload, most: u64) -> Option<Fault> {
    if upload.is_too_large() {
        return Some(too_large(most));
    }
    upload.is_broken().then(|| {
        let message = "the client went away before its request had ended";
        Fault::new(StatusCode::BAD_REQUEST, "client-disconnected", message)
    })
}

fn too_large(most: u64) -> Fault {
    let message = format!("the request is larger than {most} bytes (`limits.max_request_bytes`)");
    Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "request-too-large", message)
}

fn bad_path(what: &str) -> Fault {
    Fault::new(
        StatusCode::BAD_REQUEST,
        "bad-path",
        format!("the path {what}"),
    )
}

fn path_and_query<B>(request: &Request<B>) -> &str {
    request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str())
}
