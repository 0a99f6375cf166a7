//! What the core is told of a call, as it passes, by the clocks of the host.

use std::time::Duration;

use logger_core::passing::{Head, Moment, Passing};

use crate::LOGGER;
use crate::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use crate::fields::Field;

/// A call under way.
pub struct Record(Passing);

impl Record {
    /// A request has come.
    pub fn new() -> Self {
        Self(Passing::new(moment().at))
    }

    /// A part of the request's body has passed.
    pub fn request(&mut self, part: &[u8]) {
        self.0.request(part);
    }

    /// The request has passed.
    pub fn begin(&mut self, head: Head<'_>) {
        LOGGER.with_borrow_mut(|logger| self.0.begin(logger, now(), head));
    }

    /// The response's head has come.
    pub fn head(&self, status: u16, fields: &[Field]) {
        let fields = borrowed(fields);
        LOGGER.with_borrow_mut(|logger| self.0.head(logger, moment().at, status, &fields));
    }

    /// A part of the response's body has passed.
    pub fn response(&mut self, part: &[u8]) {
        LOGGER.with_borrow_mut(|logger| self.0.response(logger, moment().at, part));
    }

    /// The response has ended as it should.
    pub fn finish(&self) {
        LOGGER.with_borrow_mut(|logger| self.0.finish(logger, moment()));
    }

    /// The call failed: of which kind, and in words.
    pub fn fail(&self, failure: (&str, &str)) {
        LOGGER.with_borrow_mut(|logger| self.0.fail(logger, moment(), failure));
    }
}

/// Since an unspecified point, never going back.
pub fn now() -> Duration {
    Duration::from_nanos(monotonic_clock::now())
}

fn moment() -> Moment {
    let wall = wall_clock::now();
    Moment {
        now: now(),
        at: wall.seconds * 1_000_000_000 + u64::from(wall.nanoseconds),
    }
}

/// Fields as the core takes them.
pub fn borrowed(fields: &[Field]) -> Vec<(&str, &[u8])> {
    let fields = fields.iter();
    fields
        .map(|(name, value)| (name.as_str(), value.as_slice()))
        .collect()
}
