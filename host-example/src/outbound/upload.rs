//! A request's body that outlives a failed exchange.
//!
//! A guest writes the body first and asks for the answer then. Were the body dropped as soon as the
//! exchange failed, the guest would see a closed stream, and not learn why. So what it still writes
//! is taken and thrown away.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Request;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use wasmtime_wasi_http::{Error, WasiBody};

/// How long a guest may take to finish a body that nobody wants. One that waits for the answer
/// before it goes on writing has to get it.
const DRAIN: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(super) struct Upload(Arc<Mutex<WasiBody>>);

impl Upload {
    /// The request with its body shared.
    pub fn of(request: Request<WasiBody>) -> (Request<Self>, Self) {
        let (head, body) = request.into_parts();
        let upload = Self(Arc::new(Mutex::new(body)));
        (Request::from_parts(head, upload.clone()), upload)
    }

    /// Takes what is still to come, and throws it away.
    pub async fn drain(mut self) {
        let rest = async {
            while let Some(Ok(_)) =
                std::future::poll_fn(|context| Pin::new(&mut self).poll_frame(context)).await
            {
            }
        };
        if tokio::time::timeout(DRAIN, rest).await.is_err() {
            tracing::debug!("a request failed while its body was still being written");
        }
    }

    fn with<R>(&self, use_it: impl FnOnce(Pin<&mut WasiBody>) -> R) -> R {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        use_it(Pin::new(&mut *body))
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.with(|body| body.poll_frame(context))
    }

    fn is_end_stream(&self) -> bool {
        self.with(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.with(|body| body.size_hint())
    }
}
