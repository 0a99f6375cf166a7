//! A call as a proxy sees it pass: its request in parts, then its response in parts.
//!
//! What the logger does not take goes unlogged, and the call goes on; bodies are logged up to a bound and pass whole.

use std::time::Duration;

use crate::Logger;
use crate::event::{CallStart, Context, TRUNCATED, Timestamp, truncation};

/// How much of a body is logged.
const BODY_MAX: usize = 16 << 20;

/// A point in time, by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Since any fixed point, never going back.
    pub now: Duration,
    /// Since the Unix epoch.
    pub at: Timestamp,
}

/// What is known of a request beside its body.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    /// The request's method.
    pub method: &'a str,
    /// The request's path with its query.
    pub path: &'a str,
    /// Host and port the request goes to.
    pub authority: Option<&'a str>,
    /// The provider, such as `openai`.
    pub provider: Option<&'a str>,
    /// Header fields.
    pub fields: Vec<(&'a str, &'a [u8])>,
}

/// A call under way.
#[derive(Debug)]
pub struct Passing {
    at: Timestamp,
    request: Vec<u8>,
    request_bytes: u64,
    response_bytes: usize,
    /// The call's number in the logger, once its request is whole.
    call: Option<u64>,
}

impl Passing {
    /// A request has come.
    pub fn new(at: Timestamp) -> Self {
        Self {
            at,
            request: Vec::new(),
            request_bytes: 0,
            response_bytes: 0,
            call: None,
        }
    }

    /// A part of the request's body has passed.
    pub fn request(&mut self, part: &[u8]) {
        let room = BODY_MAX.saturating_sub(self.request.len());
        self.request_bytes += part.len() as u64;
        self.request.extend(part.iter().take(room));
    }

    /// The request has passed.
    pub fn begin(&mut self, logger: &mut Logger, now: Duration, head: Head<'_>) {
        let kept = self.request.len() as u64;
        let cut = truncation([("request", kept, self.request_bytes), ("response", 0, 0)]);
        let start = CallStart {
            key: 0,
            at: self.at,
            call_id: None,
            method: head.method,
            path: head.path,
            authority: head.authority,
            provider: head.provider,
            headers: head.fields,
            context: Context {
                tags: cut.iter().map(|cut| (TRUNCATED, cut.as_str())).collect(),
                ..Context::default()
            },
            body: &self.request,
        };
        self.call = logger.begin_call(now, &start).ok();
        self.request = Vec::new();
    }

    /// The response's head has come.
    pub fn head(&self, logger: &mut Logger, at: Timestamp, status: u16, fields: &[(&str, &[u8])]) {
        if let Some(call) = self.call {
            let _ = logger.response_head(call, at, status, fields);
        }
    }

    /// A part of the response's body has passed.
    pub fn response(&mut self, logger: &mut Logger, at: Timestamp, part: &[u8]) {
        let Some(call) = self.call else { return };
        let room = BODY_MAX.saturating_sub(self.response_bytes);
        let (kept, rest) = part.split_at(part.len().min(room));
        self.response_bytes += kept.len();
        let _ = logger.response_chunk(call, at, kept);
        if !rest.is_empty() {
            let _ = logger.response_gap(call, at, rest.len() as u64);
        }
    }

    /// The response has ended as it should.
    pub fn finish(&self, logger: &mut Logger, moment: Moment) {
        if let Some(call) = self.call {
            let _ = logger.finish_call(moment.now, call, moment.at);
        }
    }

    /// The call failed: of which kind, and in words.
    pub fn fail(&self, logger: &mut Logger, moment: Moment, (kind, message): (&str, &str)) {
        if let Some(call) = self.call {
            let _ = logger.fail_call(moment.now, call, moment.at, kind, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_logged_up_to_a_bound_and_its_trace_says_so() {
        let mut logger = Logger::new(7);
        let settings =
            r#"{"tracking_uri":"http://127.0.0.1:5000","experiment_id":"0","compression":"none"}"#;
        logger.configure(settings).unwrap();
        let moment = Moment {
            now: Duration::ZERO,
            at: 1_764_020_000_000_000_000,
        };
        let mut passing = Passing::new(moment.at);
        let part = vec![b'x'; BODY_MAX - 1];
        passing.request(&part);
        passing.request(b"yyy");
        let head = Head {
            method: "POST",
            path: "/v1/chat/completions",
            authority: None,
            provider: None,
            fields: Vec::new(),
        };
        passing.begin(&mut logger, moment.now, head);
        passing.head(&mut logger, moment.at, 200, &[]);
        passing.response(&mut logger, moment.at, &part);
        passing.response(&mut logger, moment.at, b"zzz");
        passing.finish(&mut logger, moment);
        logger.prepare(moment.now, crate::FlushMode::All);
        let request = logger.poll_request(moment.now).unwrap();
        let text = String::from_utf8_lossy(&request.body);
        assert!(text.contains("request: 16777216 of 16777218 bytes"));
        assert!(text.contains("xz") && !text.contains("zz"));
    }
}
