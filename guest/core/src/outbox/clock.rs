//! Time that never goes back, though the host's clock may.
//!
//! Waiting times are kept as the time they end. Where a host has no steady clock, one that is set back by
//! an hour would make them an hour longer.

use std::time::Duration;

/// Makes up for steps back.
#[derive(Debug, Default)]
pub(super) struct Clock {
    latest: Duration,
    set_back: Duration,
}

impl Clock {
    /// The time, noted.
    pub fn tick(&mut self, now: Duration) -> Duration {
        self.set_back += self.latest.saturating_sub(now + self.set_back);
        self.latest = now + self.set_back;
        self.latest
    }

    /// The time.
    pub fn time(&self, now: Duration) -> Duration {
        self.latest.max(now + self.set_back)
    }
}
