//! What was sent, kept byte by byte: each response has a number, which its header `x-request-id` tells,
//! and a file of that name.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Bytes, Frame};
use hyper::header::HeaderValue;

use crate::reply::{Body, BrokenOff};

/// Numbers responses, and keeps them where there is a directory for them.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    directory: Option<PathBuf>,
    number: AtomicU64,
}

impl Recorder {
    pub fn new(directory: Option<PathBuf>) -> Self {
        Self {
            directory,
            number: AtomicU64::new(1),
        }
    }

    /// The response with its number, which is kept as it is sent.
    pub fn take(&self, response: Response<Body>) -> io::Result<Response<Body>> {
        let id = format!("mock-{}", self.number.fetch_add(1, Relaxed));
        let (mut head, mut body) = response.into_parts();
        if let Ok(value) = HeaderValue::from_str(&id) {
            head.headers.insert("x-request-id", value);
        }
        if let Some(directory) = &self.directory {
            let file = File::create(directory.join(&id))?;
            body = Kept { body, file }.boxed();
        }
        Ok(Response::from_parts(head, body))
    }
}

/// A body that is written to a file as it goes.
struct Kept {
    body: Body,
    file: File,
}

impl hyper::body::Body for Kept {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let part = frame
            .as_ref()
            .and_then(|frame| frame.as_ref().ok()?.data_ref());
        if let Some(part) = part
            && self.file.write_all(part).is_err()
        {
            return Poll::Ready(Some(Err(BrokenOff)));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}
