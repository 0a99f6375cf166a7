//! How long to keep away from a server that cannot take anything.

use std::time::Duration;

use super::Obstacle;
use crate::report::Cause;

const FIRST: Duration = Duration::from_millis(500);
/// The longest wait.
pub(super) const LONGEST: Duration = Duration::from_secs(60);
/// The longest where batches are given back soon, at least: each is to be tried more than once before.
const SHORTEST_LONGEST: Duration = Duration::from_secs(2);
/// What somebody has to mend is not mended within a second.
const FIRST_MISCONFIGURED: Duration = Duration::from_secs(10);
/// The first wait after a failure while others pass.
const MOMENT: Duration = Duration::from_millis(10);

/// The longest wait where a batch is tried for so long.
pub(super) fn longest(patience: Duration) -> Duration {
    (patience / 4).clamp(SHORTEST_LONGEST, LONGEST)
}

/// Doubles with each failure in a row, with jitter, or as long as the server asked for.
///
/// Several requests may be under way when a server begins to fail. While it is left alone, an answer is
/// one to a request from before: another failure is no further one in a row and shortens nothing, and a
/// success does not call off the wait.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    until: Duration,
    obstacle: Option<Obstacle>,
}

impl Backoff {
    pub fn fail(&mut self, now: Duration, obstacle: Obstacle, longest: Duration, random: &mut u64) {
        let first = match obstacle.cause {
            Cause::Misconfigured => FIRST_MISCONFIGURED,
            Cause::Unreachable | Cause::Unavailable => FIRST,
        };
        let share = share(random);
        let waiting = !self.wait(now).is_zero();
        let failures = self.failures - u32::from(waiting && self.failures > 0);
        let exponential = doubled(first, failures).min(longest).mul_f64(share);
        let asked = obstacle.retry_after;
        // Zero is no leave to ask in a loop.
        let wait = asked.map_or(exponential, |asked| {
            asked.max(first.min(longest).mul_f64(share))
        });
        self.failures = failures.saturating_add(1);
        self.until = self.until.max(now + wait);
        self.obstacle = Some(obstacle);
    }

    /// A request failed while others pass, and so many have in a row: it may be the request's own fault. The server
    /// is left alone for a moment.
    pub fn pause(&mut self, now: Duration, obstacle: Obstacle, in_a_row: u32, random: &mut u64) {
        let moment = doubled(MOMENT, in_a_row).min(FIRST).mul_f64(share(random));
        let asked = obstacle.retry_after.unwrap_or_default();
        self.until = self.until.max(now + asked.max(moment));
        self.obstacle = Some(obstacle);
    }

    /// The server took something.
    pub fn reset(&mut self, now: Duration) {
        if self.wait(now).is_zero() {
            *self = Self::default();
        }
    }

    /// Somebody may have mended what has to be mended.
    pub fn mended(&mut self) {
        let obstacle = self.obstacle.as_ref();
        if obstacle.is_some_and(|obstacle| obstacle.cause == Cause::Misconfigured) {
            *self = Self::default();
        }
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

/// How long a batch waits that was sent in vain so often, where others pass: its fault seldom passes soon.
pub(super) fn of_batch(attempts: u32, longest: Duration, random: &mut u64) -> Duration {
    doubled(8 * FIRST, attempts)
        .min(longest)
        .mul_f64(share(random))
}

fn doubled(first: Duration, times: u32) -> Duration {
    let factor = 2_u32.saturating_pow(times);
    first.saturating_mul(factor).min(LONGEST)
}

/// From half of a time to the whole.
fn share(random: &mut u64) -> f64 {
    0.5 + 0.5 * next(random)
}

/// The next number from 0 to 1 of an xorshift generator (Marsaglia, 2003): good enough for jitter.
fn next(state: &mut u64) -> f64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}
