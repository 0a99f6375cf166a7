//! A call that a gateway forwards: what is seen of it becomes one line when it ends.

use std::cell::RefCell;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::QUEUE;
use crate::bindings::exports::llm_gateway::hooks::logger::{Call, GuestCall};
use crate::bindings::llm_gateway::hooks::types::{
    CallEvent, CallStart, Error, Failure, Header, Timestamp,
};

/// How much of a response is kept. What an open call holds is not in the queue and needs a bound of its own.
const RESPONSE_MAX: usize = 1 << 20;

/// Until it ends.
pub struct CapturedCall(RefCell<Option<Open>>);

struct Open {
    start: CallStart,
    request: Vec<u8>,
    status: Option<u16>,
    response: Vec<u8>,
    left_out: u64,
}

/// What a line says of a call. Header fields are left out: credentials are among them.
#[derive(Serialize)]
struct Entry<'a> {
    hook: &'static str,
    start_time: u64,
    end_time: u64,
    method: &'a str,
    path: &'a str,
    status: Option<u16>,
    request: Body<'a>,
    response: Body<'a>,
    left_out_bytes: u64,
    failure: Option<[&'a str; 2]>,
}

/// JSON as it came, and anything else as text.
#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Json(&'a RawValue),
    Text(String),
}

impl<'a> From<&'a [u8]> for Body<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        let text = || String::from_utf8_lossy(bytes).into_owned();
        serde_json::from_slice(bytes).map_or_else(|_| Self::Text(text()), Self::Json)
    }
}

impl GuestCall for CapturedCall {
    fn begin(start: CallStart, body: Vec<u8>) -> Result<Call, Error> {
        let open = Open {
            start,
            request: body,
            status: None,
            response: Vec::new(),
            left_out: 0,
        };
        Ok(Call::new(Self(RefCell::new(Some(open)))))
    }

    fn response_head(&self, _: Timestamp, status: u16, _: Vec<Header>) -> Result<(), Error> {
        self.with(|open| open.status = Some(status))
    }

    fn chunk(&self, _: Timestamp, bytes: Vec<u8>) -> Result<(), Error> {
        self.with(|open| {
            let room = RESPONSE_MAX - open.response.len();
            let (kept, rest) = bytes.split_at(bytes.len().min(room));
            open.response.extend_from_slice(kept);
            open.left_out += rest.len() as u64;
        })
    }

    fn gap(&self, _: Timestamp, bytes: u64) -> Result<(), Error> {
        self.with(|open| open.left_out += bytes)
    }

    fn event(&self, _: CallEvent) -> Result<(), Error> {
        Ok(())
    }

    fn finish(&self, at: Timestamp) -> Result<(), Error> {
        self.end(at, None)
    }

    fn fail(&self, at: Timestamp, failure: Failure) -> Result<(), Error> {
        self.end(at, Some([&failure.kind, &failure.message]))
    }
}

impl CapturedCall {
    fn with(&self, change: impl FnOnce(&mut Open)) -> Result<(), Error> {
        let mut open = self.0.borrow_mut();
        change(open.as_mut().ok_or(Error::CallEnded)?);
        Ok(())
    }

    fn end(&self, at: Timestamp, failure: Option<[&str; 2]>) -> Result<(), Error> {
        let open = self.0.take().ok_or(Error::CallEnded)?;
        let entry = Entry {
            hook: "call",
            start_time: open.start.at,
            end_time: at,
            method: &open.start.method,
            path: &open.start.path,
            status: open.status,
            request: open.request.as_slice().into(),
            response: open.response.as_slice().into(),
            left_out_bytes: open.left_out,
            failure,
        };
        QUEUE.with_borrow_mut(|queue| queue.push(open.start.key, &entry))
    }
}

/// A call that is dropped before its end is logged all the same.
impl Drop for CapturedCall {
    fn drop(&mut self) {
        let begun = self.0.borrow().as_ref().map(|open| open.start.at);
        if let Some(at) = begun {
            let _ = self.end(at, Some(["cancelled", "the host gave the call up"]));
        }
    }
}
