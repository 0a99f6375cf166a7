//! How much of a worker thread's time logging takes: a share, in short slices.

use std::time::Duration;

/// The longest slice. Requests that come meanwhile wait so long.
const SLICE: i64 = 2_000_000;

/// Time that may be spent. It grows with the time that passes, and what was spent beyond it is owed.
#[derive(Debug)]
pub struct Pace {
    share: f64,
    /// Nanoseconds.
    credit: i64,
    last: Duration,
}

impl Pace {
    /// A share from 0 to 1, from `now` on.
    pub fn new(share: f64, now: Duration) -> Self {
        Self {
            share,
            credit: SLICE,
            last: now,
        }
    }

    /// When the slice that begins now has to end; none: there is none yet.
    pub fn begin(&mut self, now: Duration) -> Option<Duration> {
        let passed = now.saturating_sub(self.last).as_nanos() as f64;
        self.last = now;
        let earned = (passed * self.share) as i64;
        self.credit = self.credit.saturating_add(earned).min(SLICE);
        let credit = u64::try_from(self.credit).ok().filter(|credit| *credit > 0);
        credit.map(|credit| now + Duration::from_nanos(credit))
    }

    /// So much time was spent.
    pub fn spent(&mut self, time: Duration) {
        let time = i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        self.credit = self.credit.saturating_sub(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn no_more_than_the_share_is_spent() {
        let mut pace = Pace::new(0.1, MS);
        let mut now = MS;
        let mut spent = Duration::ZERO;
        for _ in 0..1000 {
            now += 5 * MS;
            if let Some(end) = pace.begin(now) {
                // Each slice overruns.
                let slice = end - now + MS;
                assert!(slice <= 3 * MS);
                now += slice;
                spent += slice;
                pace.spent(slice);
            }
        }
        let share = spent.as_secs_f64() / now.as_secs_f64();
        assert!((0.09..0.11).contains(&share), "{share}");
    }

    #[test]
    fn what_is_not_spent_does_not_add_up() {
        let mut pace = Pace::new(1.0, Duration::ZERO);
        assert_eq!(pace.begin(1000 * MS), Some(1002 * MS));
        pace.spent(2 * MS);
        assert_eq!(pace.begin(1000 * MS), None);
    }
}
