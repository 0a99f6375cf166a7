//! Bodies that are looked at as they pass.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use logger_core::event::UPSTREAM_GONE;
use tokio::time::Instant;

use super::exchange::{Exchange, Guard};
use crate::timed::{Timed, TimedError};

/// How long is waited for what is left of a request whose upstream is not there.
const REST: Duration = Duration::from_millis(250);

/// A request's body on its way to the upstream. Clones are of the same body: what the upstream did not ask
/// for can be read by another.
#[derive(Clone)]
pub(super) struct Request(Arc<Mutex<Sending>>);

struct Sending {
    body: Incoming,
    exchange: Exchange,
    upload: Arc<Upload>,
    passed: u64,
    most: u64,
}

/// What is known of a request's body from outside.
pub(super) struct Upload {
    last: Mutex<Instant>,
    sent: AtomicBool,
    too_large: AtomicBool,
    broken: AtomicBool,
}

/// A request's body that cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// It is longer than allowed.
    #[error("the request is too large")]
    TooLarge,
    /// The client went away.
    #[error(transparent)]
    Client(hyper::Error),
}

impl Request {
    /// A body that may be `most` bytes long.
    pub fn new(body: Incoming, exchange: Exchange, most: u64) -> (Self, Arc<Upload>) {
        let upload = Arc::new(Upload {
            last: Mutex::new(Instant::now()),
            sent: AtomicBool::new(body.is_end_stream()),
            too_large: AtomicBool::new(false),
            broken: AtomicBool::new(false),
        });
        let sending = Sending {
            body,
            exchange,
            upload: upload.clone(),
            passed: 0,
            most,
        };
        (Self(Arc::new(Mutex::new(sending))), upload)
    }

    /// Records what nobody has asked for, up to so many bytes, as far as the client sends it soon.
    pub async fn record_rest(mut self, most: usize) {
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        let rest = async {
            while self.sending().passed < most && matches!(self.frame().await, Some(Ok(_))) {}
        };
        // What has not come by then is not logged.
        let _ = tokio::time::timeout(REST, rest).await;
    }

    fn sending(&self) -> MutexGuard<'_, Sending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upload {
    /// When something of it passed last.
    pub fn last(&self) -> Instant {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether all of it has passed.
    pub fn is_sent(&self) -> bool {
        self.sent.load(Relaxed)
    }

    /// Whether it was longer than allowed.
    pub fn is_too_large(&self) -> bool {
        self.too_large.load(Relaxed)
    }

    /// Whether the client went away before its end.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Relaxed)
    }

    fn touch(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

impl Body for Request {
    type Data = Bytes;
    type Error = RequestError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestError>>> {
        let this = &mut *self.sending();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(context));
        this.upload.touch();
        if let Some(Ok(frame)) = &frame
            && let Some(part) = frame.data_ref()
        {
            this.passed += part.len() as u64;
            if this.passed > this.most {
                this.upload.too_large.store(true, Relaxed);
                return Poll::Ready(Some(Err(RequestError::TooLarge)));
            }
            this.exchange.request_part(part);
        }
        if frame.is_none() || this.body.is_end_stream() {
            this.upload.sent.store(true, Relaxed);
        }
        Poll::Ready(frame.map(|frame| {
            frame.map_err(|error| {
                this.upload.broken.store(true, Relaxed);
                RequestError::Client(error)
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.sending().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.sending().body.size_hint()
    }
}

/// A response's body on its way to the client. Dropped before its end, the client went away.
pub(super) struct Response {
    body: Timed<Incoming>,
    guard: Guard,
    failed: Option<TimedError<hyper::Error>>,
}

impl Response {
    /// A body that ends the guard's call.
    pub fn new(body: Timed<Incoming>, guard: Guard) -> Self {
        if body.is_end_stream() {
            guard.exchange().finish();
        }
        Self {
            body,
            guard,
            failed: None,
        }
    }
}

impl Body for Response {
    type Data = Bytes;
    type Error = TimedError<hyper::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let exchange = self.guard.exchange();
        match &frame {
            Some(Ok(frame)) => {
                if let Some(part) = frame.data_ref() {
                    exchange.response_part(part);
                }
                // One whose length is known is not asked for more than that, and its client looks for
                // no more, though over HTTP/2 the upstream may still have to say that it has ended.
                if self.body.is_end_stream() || self.body.size_hint().exact() == Some(0) {
                    exchange.finish();
                }
            }
            Some(Err(error @ TimedError::TooSlow(_))) => {
                exchange.fail("timeout", format!("the upstream stopped sending: {error}"));
            }
            Some(Err(TimedError::Body(error))) => {
                exchange.fail(UPSTREAM_GONE.0, super::fault::reset(error));
            }
            None => exchange.finish(),
        }
        match frame {
            // The connection ends with the error, and what it has not sent by then is lost. So what came
            // before goes out first: that is done when there is nothing more for now.
            Some(Err(error)) => {
                self.failed = Some(error);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            frame => Poll::Ready(frame),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
