//! One call under way: what is recorded and counted of it, from its request to its end.
//!
//! Everybody who sees a part of it holds the same [`Exchange`]: the request's body, the response's,
//! and the [`Guard`] that ends it where nobody else does. Nothing here waits.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, StatusCode};
use hyper::body::Bytes;
use logger_core::event::CLIENT_GONE;

use super::backlog::Backlog;
use super::budget::Weight;
use super::headers;
use super::last;
use super::metrics::CallMetrics;
use super::record::{Copied, Failed, Head, PART, Record, Start, bytes_of};
use crate::call::Timestamp;

/// A call under way. Clones are of the same call.
#[derive(Clone)]
pub(super) struct Exchange(Arc<Inner>);

struct Inner {
    began: Instant,
    began_at: Timestamp,
    metrics: CallMetrics,
    /// Where the record goes; none: the call is not logged.
    backlog: Option<Arc<Backlog>>,
    log_body_bytes: usize,
    /// Set where the gateway itself ends calls.
    closing: Arc<AtomicBool>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    record: Option<Record>,
    /// How much of the response had come when the call was written down, as its end was foreseen.
    foreseen: Option<u64>,
    ended: bool,
}

/// What an exchange needs to know of its surroundings.
pub(super) struct Surroundings {
    /// Where the record goes; none: the call is not logged.
    pub backlog: Option<Arc<Backlog>>,
    /// How much of each body is logged.
    pub log_body_bytes: usize,
    /// Set where the gateway itself ends calls.
    pub closing: Arc<AtomicBool>,
    /// Where it is counted.
    pub metrics: CallMetrics,
}

/// Ends a call that nobody else has ended: its client went away.
pub(super) struct Guard(Exchange);

impl Exchange {
    /// A request has come.
    pub fn begin(around: Surroundings, start: impl FnOnce() -> Start) -> Self {
        let began_at = now();
        let record = around
            .backlog
            .as_ref()
            .and_then(|backlog| record(backlog, began_at, start()));
        Self(Arc::new(Inner {
            began: Instant::now(),
            began_at,
            metrics: around.metrics,
            backlog: around.backlog,
            log_body_bytes: around.log_body_bytes,
            closing: around.closing,
            open: Mutex::new(Open {
                record,
                foreseen: None,
                ended: false,
            }),
        }))
    }

    /// A part of the request's body has passed.
    pub fn request_part(&self, part: &Bytes) {
        self.keep(part, |record| &mut record.request);
    }

    /// A part of the response's body is about to pass.
    pub fn response_part(&self, part: &Bytes) {
        self.keep(part, |record| &mut record.response);
        if let Some(backlog) = &self.0.backlog
            && last::announces_end(part)
        {
            let mut open = self.open();
            if let Some(record) = &mut open.record {
                record.ended = self.now();
                open.foreseen = backlog.foresee(record).then_some(record.response.came);
            }
        }
    }

    /// The response's head has come. Where there is no room for its fields, without which a body may not
    /// be read, the call goes unlogged.
    pub fn head(&self, status: StatusCode, fields: &HeaderMap) {
        self.answered(status);
        let at = self.now();
        let mut open = self.open();
        let (Some(record), Some(backlog)) = (&mut open.record, &self.0.backlog) else {
            return;
        };
        let headers = headers::kept(fields);
        if backlog.make_room(&mut record.weight, bytes_of(&headers)) {
            let status = status.as_u16();
            record.head = Some(Head {
                at,
                status,
                headers,
            });
        } else {
            open.record = None;
            backlog.count_lost();
        }
    }

    /// The client is sent this status.
    pub fn answered(&self, status: StatusCode) {
        self.0.metrics.answered(status.as_u16(), self.seconds());
    }

    /// The response has ended as it should.
    pub fn finish(&self) {
        self.end(None);
    }

    /// The call has failed.
    pub fn fail(&self, kind: &'static str, message: impl Into<String>) {
        let message = message.into();
        let kind = kind.into();
        self.end(Some(Failed { kind, message }));
    }

    fn end(&self, failure: Option<Failed>) {
        let (record, foreseen) = {
            let mut open = self.open();
            if std::mem::replace(&mut open.ended, true) {
                return;
            }
            (open.record.take(), open.foreseen)
        };
        let kind = failure.as_ref().map(|failed| failed.kind.as_ref());
        self.0.metrics.ended(kind, self.seconds());
        if let (Some(mut record), Some(backlog)) = (record, &self.0.backlog) {
            if failure.is_none() && foreseen == Some(record.response.came) {
                return backlog.push_as_foreseen(record);
            }
            record.ended = self.now();
            record.failure = failure;
            backlog.push(record);
        }
    }

    fn keep(&self, part: &Bytes, body: impl FnOnce(&mut Record) -> &mut Copied) {
        let Some(backlog) = &self.0.backlog else {
            return;
        };
        let at = self.now();
        let mut open = self.open();
        let Some(record) = &mut open.record else {
            return;
        };
        let mut weight = std::mem::replace(&mut record.weight, Weight::none(backlog.budget()));
        let body = body(record);
        let wanted = self
            .0
            .log_body_bytes
            .saturating_sub(body.kept)
            .min(part.len());
        let asks = wanted > 0 && !body.is_cut();
        let room = asks && backlog.make_room(&mut weight, wanted + PART);
        body.add(at, part, if room { wanted } else { 0 });
        record.weight = weight;
        if asks && !room {
            backlog.count_cut();
        }
    }

    fn seconds(&self) -> f64 {
        self.0.began.elapsed().as_secs_f64()
    }

    /// The wall clock's time at the beginning and a clock that never goes back from there.
    fn now(&self) -> Timestamp {
        let since = u64::try_from(self.0.began.elapsed().as_nanos()).unwrap_or(0);
        self.0.began_at.saturating_add(since)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guard {
    /// For this call.
    pub fn new(exchange: Exchange) -> Self {
        Self(exchange)
    }

    /// The call.
    pub fn exchange(&self) -> &Exchange {
        &self.0
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.0.0.closing.load(Relaxed) {
            let message = "the gateway ended before the response had";
            self.0.fail("gateway-shutdown", message);
        } else {
            let (kind, message) = CLIENT_GONE;
            self.0.fail(kind, message);
        }
    }
}

/// A record, if there is room for one.
fn record(backlog: &Backlog, at: Timestamp, start: Start) -> Option<Record> {
    let size = size_of::<Record>() + start.path.len() + bytes_of(&start.headers) + 128;
    let mut weight = Weight::none(backlog.budget());
    if !backlog.make_room(&mut weight, size) {
        backlog.count_lost();
        return None;
    }
    Some(Record {
        start,
        at,
        request: Copied::default(),
        head: None,
        response: Copied::default(),
        ended: at,
        failure: None,
        weight,
        ticket: None,
        stale: false,
        shed: 0,
    })
}

fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(0))
}

#[cfg(test)]
mod tests;
