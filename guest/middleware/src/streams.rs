//! Bytes in and out: nothing is held back, and nothing is read faster than it is written.

use crate::bindings::wasi::http::types::{ErrorCode, IncomingBody};
use crate::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};

/// How much is read at a time at most.
const PART: u64 = 64 * 1024;

/// A body that comes in. The stream is the body's and has to go before it.
pub struct Incoming {
    stream: InputStream,
    _body: IncomingBody,
}

impl Incoming {
    /// Of a message's body, where that has not been taken yet.
    pub fn of(body: Result<IncomingBody, ()>) -> Result<Self, ErrorCode> {
        let taken = |()| ErrorCode::InternalError(Some("the body was taken before".to_owned()));
        let body = body.map_err(taken)?;
        Ok(Self {
            stream: body.stream().map_err(taken)?,
            _body: body,
        })
    }

    /// Waits for the next part; none: the body has ended. The error is one of whoever sends.
    pub fn next(&self) -> Result<Option<Vec<u8>>, String> {
        match self.stream.blocking_read(PART) {
            Ok(part) => Ok(Some(part)),
            Err(StreamError::Closed) => Ok(None),
            Err(StreamError::LastOperationFailed(error)) => Err(error.to_debug_string()),
        }
    }
}

/// Writes a part and has it go out at once. The error is one of whoever reads.
pub fn write(stream: &OutputStream, mut part: &[u8]) -> Result<(), StreamError> {
    while !part.is_empty() {
        let room = usize::try_from(stream.check_write()?).unwrap_or(usize::MAX);
        if room == 0 {
            stream.subscribe().block();
            continue;
        }
        let (now, later) = part.split_at(room.min(part.len()));
        stream.write(now)?;
        part = later;
    }
    stream.flush()
}
