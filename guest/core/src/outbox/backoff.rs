//! How long to keep away from a server that cannot take anything.

use std::time::Duration;

use super::Obstacle;
use crate::report::Cause;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);
/// What somebody has to mend is not mended within a second.
const FIRST_MISCONFIGURED: Duration = Duration::from_secs(10);

/// Doubles with each failure in a row, with jitter, or as long as the server asked for.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    until: Duration,
    obstacle: Option<Obstacle>,
}

impl Backoff {
    pub fn fail(&mut self, now: Duration, obstacle: Obstacle, random: &mut u64) {
        let first = match obstacle.cause {
            Cause::Misconfigured => FIRST_MISCONFIGURED,
            Cause::Unreachable | Cause::Unavailable => FIRST,
        };
        let exponential = first
            .saturating_mul(2_u32.saturating_pow(self.failures))
            .min(LONGEST);
        // From half of it to the whole.
        let share = 0.5 + 0.5 * next(random);
        let wait = obstacle
            .retry_after
            .unwrap_or_else(|| exponential.mul_f64(share));
        self.failures = self.failures.saturating_add(1);
        self.until = now + wait;
        self.obstacle = Some(obstacle);
    }

    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// How long to wait from `now`; zero if not at all.
    pub fn wait(&self, now: Duration) -> Duration {
        self.until.saturating_sub(now)
    }

    /// What stands in the way, since the last success.
    pub fn obstacle(&self) -> Option<&Obstacle> {
        self.obstacle.as_ref()
    }
}

/// The next number from 0 to 1 of an xorshift generator (Marsaglia, 2003): good enough for jitter.
fn next(state: &mut u64) -> f64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}
