//! What happens often and is told at most once a second, with how often it happened.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often something is told.
const EVERY: Duration = Duration::from_secs(1);

/// Counts what is not told at once.
#[derive(Debug, Default)]
pub(super) struct Quiet(Mutex<Untold>);

#[derive(Debug, Default)]
struct Untold {
    count: u64,
    words: String,
    told: Option<Instant>,
}

impl Quiet {
    /// It happened so many times more. Answers how often it did since it was last told, if it is
    /// time to tell.
    pub fn count(&self, count: u64, words: impl FnOnce() -> String) -> Option<(u64, String)> {
        let mut untold = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if untold.count == 0 {
            untold.words = words();
        }
        untold.count += count;
        untold.due()
    }

    /// What is untold, if it is time to tell.
    pub fn rest(&self) -> Option<(u64, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).due()
    }
}

impl Untold {
    fn due(&mut self) -> Option<(u64, String)> {
        if self.count == 0 || self.told.is_some_and(|told| told.elapsed() < EVERY) {
            return None;
        }
        self.told = Some(Instant::now());
        Some((
            std::mem::take(&mut self.count),
            std::mem::take(&mut self.words),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_others_together() {
        let quiet = Quiet::default();
        assert_eq!(quiet.rest(), None);
        assert_eq!(quiet.count(1, || "a".to_owned()), Some((1, "a".to_owned())));
        for _ in 0..3 {
            let told = quiet.count(2, || "b".to_owned());
            if let Some((count, _)) = told {
                // The machine was so slow that a second has passed.
                assert!(count >= 2);
                return;
            }
        }
        assert_eq!(quiet.rest(), None);
    }
}
