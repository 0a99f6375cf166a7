//! The clocks of the host, for what the core is told.

use std::time::Duration;

use logger_core::passing::Moment;

use crate::bindings::wasi::clocks::{monotonic_clock, system_clock};

/// Since an unspecified point, never going back.
pub fn now() -> Duration {
    Duration::from_nanos(monotonic_clock::now())
}

/// This moment.
pub fn moment() -> Moment {
    let wall = system_clock::now();
    let seconds = u64::try_from(wall.seconds).unwrap_or_default();
    Moment {
        now: now(),
        at: seconds * 1_000_000_000 + u64::from(wall.nanoseconds),
    }
}

/// Name and value.
pub type Field = (String, Vec<u8>);

/// Fields as the core takes them.
pub fn borrowed(fields: &[Field]) -> Vec<(&str, &[u8])> {
    let fields = fields.iter();
    fields
        .map(|(name, value)| (name.as_str(), value.as_slice()))
        .collect()
}
