//! What is held until it is sent, and what the host is told became of it.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::bindings::llm_gateway::hooks::types::{
    Deferral, DeferralCause, Delivery, DeliveryReport, Error, Event, Hook, Stats,
};
use crate::post;
use crate::settings::Settings;

/// How long to leave a server alone that took nothing, in milliseconds.
const PAUSE_MS: u64 = 1000;

#[derive(Default)]
pub struct Queue {
    settings: Option<Settings>,
    lines: Vec<Line>,
    bytes: usize,
    logged: u64,
    invalid: u64,
    delivered: u64,
    requests: u64,
    requests_failed: u64,
    bytes_sent: u64,
}

struct Line {
    key: u64,
    id: String,
    text: String,
}

/// What a line says of an event. The payload stands in it as it came.
#[derive(Serialize)]
struct Entry<'a> {
    hook: &'static str,
    start_time: Option<u64>,
    end_time: Option<u64>,
    traceparent: Option<&'a str>,
    session: Option<&'a str>,
    user: Option<&'a str>,
    payload: &'a RawValue,
}

impl Queue {
    pub fn configure(&mut self, settings: Settings) {
        self.settings = Some(settings);
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub fn log_event(&mut self, hook: Hook, event: &Event) -> Result<(), Error> {
        let payload = payload(&event.payload).inspect_err(|_| self.invalid += 1)?;
        let entry = Entry {
            hook: match hook {
                Hook::Success => "success",
                Hook::Failure => "failure",
                Hook::StreamChunk => "stream",
                Hook::Feedback => "feedback",
            },
            start_time: event.start_time,
            end_time: event.end_time,
            traceparent: event.context.traceparent.as_deref(),
            session: event.context.session.as_deref(),
            user: event.context.user.as_deref(),
            payload,
        };
        self.push(event.key, &entry)
    }

    /// Takes what becomes a line, if there is room.
    pub fn push(&mut self, key: u64, entry: &impl Serialize) -> Result<(), Error> {
        let settings = self.settings.as_ref().ok_or(Error::NotConfigured)?;
        let text = serde_json::to_string(entry).map_err(|e| Error::Other(Some(e.to_string())))?;
        if self.bytes + text.len() > settings.queue_max_bytes {
            return Err(Error::QueueFull);
        }
        // Within a payload they are white space: in a string JSON has them escaped.
        let text = text.replace(['\n', '\r'], " ");
        self.bytes += text.len();
        self.logged += 1;
        let id = fingerprint(&text);
        self.lines.push(Line { key, id, text });
        Ok(())
    }

    /// Posts all lines, and keeps them where that fails.
    pub fn flush(&mut self) -> Result<DeliveryReport, Error> {
        let settings = self.settings.as_ref().ok_or(Error::NotConfigured)?;
        let mut report = DeliveryReport {
            delivered: Vec::new(),
            refused: Vec::new(),
            skipped: Vec::new(),
            returned: Vec::new(),
            deferred: None,
        };
        if self.lines.is_empty() {
            return Ok(report);
        }
        let body: String = self.lines.iter().map(Line::with_its_id).collect();
        let length = body.len();
        self.requests += 1;
        let obstacle = match post::lines(&settings.tracking_uri, body) {
            Ok(200..300) => {
                self.bytes = 0;
                self.bytes_sent += length as u64;
                self.delivered += self.lines.len() as u64;
                let delivered = self.lines.drain(..).map(|line| Delivery {
                    keys: vec![line.key],
                    trace_id: line.id,
                });
                report.delivered = delivered.collect();
                return Ok(report);
            }
            Ok(status @ (429 | 500..)) => (
                DeferralCause::Unavailable,
                format!("the server answered {status}"),
            ),
            Ok(status) => (
                DeferralCause::Misconfigured,
                format!("the server answered {status}: is tracking_uri right?"),
            ),
            Err(error) => (DeferralCause::Unreachable, error.to_string()),
        };
        self.requests_failed += 1;
        let (cause, reason) = obstacle;
        report.deferred = Some(Deferral {
            after_ms: PAUSE_MS,
            reason,
            cause,
        });
        Ok(report)
    }

    pub fn stats(&self) -> Stats {
        Stats {
            events: self.logged,
            events_invalid: self.invalid,
            calls: 0,
            open_calls: 0,
            queued_spans: self.lines.len() as u64,
            queued_bytes: self.bytes as u64,
            spans_delivered: self.delivered,
            spans_refused: 0,
            spans_skipped: 0,
            spans_returned: 0,
            requests: self.requests,
            requests_failed: self.requests_failed,
            bytes_sent: self.bytes_sent,
        }
    }
}

impl Line {
    /// The line as it is sent: an object whose first member is the id that the host is told.
    fn with_its_id(&self) -> String {
        let members = self.text.trim_start_matches('{');
        format!("{{\"id\":\"{}\",{members}\n", self.id)
    }
}

fn payload(text: &str) -> Result<&RawValue, Error> {
    let payload: &RawValue =
        serde_json::from_str(text).map_err(|error| Error::InvalidPayload(error.to_string()))?;
    match payload.get().starts_with('{') {
        true => Ok(payload),
        false => Err(Error::InvalidPayload("it is no JSON object".to_owned())),
    }
}

/// An id in the form that reports have, from the line itself: the same event twice is the same id.
fn fingerprint(text: &str) -> String {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let fnv = |hash: u128, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME);
    format!("tr-{:032x}", text.bytes().fold(BASIS, fnv))
}
