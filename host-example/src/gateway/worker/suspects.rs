//! Calls that may be to blame when an instance traps.
//!
//! An instance that traps while it is given a call may do so because of that call, or of all that it
//! holds, as when it is out of memory. So a suspect is given to a fresh instance before any other: if
//! that traps too, the call is to blame. If suspects turn out to be harmless again and again, instances
//! are given one call at a time until some are delivered.

/// Harmless suspects in a row before calls are given one at a time.
const HARMLESS: u32 = 2;
/// Deliveries before all is as usual again.
const CALM: u32 = 100;

#[derive(Debug, Default)]
pub(super) struct Suspects {
    suspect: Option<u64>,
    harmless: u32,
    /// Deliveries until calls are given more than one at a time.
    careful: u32,
}

impl Suspects {
    /// The call to be given first.
    pub fn first(&self) -> Option<u64> {
        self.suspect
    }

    /// Whether instances are to be given one call at a time.
    pub fn is_careful(&self) -> bool {
        self.careful > 0
    }

    /// An instance has trapped over a call; `alone` where it held no other. True: the call is to
    /// blame.
    pub fn trapped(&mut self, key: u64, alone: bool) -> bool {
        let guilty = alone && self.suspect == Some(key);
        self.suspect = (!guilty).then_some(key);
        if guilty {
            self.harmless = 0;
        }
        guilty
    }

    /// An instance has taken a call.
    pub fn logged(&mut self, key: u64) {
        if self.suspect == Some(key) {
            self.suspect = None;
            self.harmless += 1;
            if self.harmless >= HARMLESS {
                self.careful = CALM;
            }
        }
    }

    /// A call was delivered.
    pub fn delivered(&mut self) {
        self.harmless = 0;
        self.careful = self.careful.saturating_sub(1);
    }

    /// A call is settled.
    pub fn forget(&mut self, key: u64) {
        if self.suspect == Some(key) {
            self.suspect = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_traps_twice_the_second_time_alone_is_to_blame() {
        let mut suspects = Suspects::default();
        assert!(!suspects.trapped(1, false));
        assert_eq!(suspects.first(), Some(1));
        assert!(!suspects.trapped(1, false));
        assert!(suspects.trapped(1, true));
        assert_eq!(suspects.first(), None);
        assert!(!suspects.trapped(2, true), "an instance may trap by chance");
        assert!(suspects.trapped(2, true));
        assert!(!suspects.is_careful());
    }

    #[test]
    fn harmless_suspects_make_careful_until_calls_are_delivered() {
        let mut suspects = Suspects::default();
        for key in 1..=2 {
            assert!(!suspects.is_careful());
            suspects.trapped(key, false);
            suspects.logged(key);
        }
        assert!(suspects.is_careful());
        (0..CALM).for_each(|_| suspects.delivered());
        assert!(!suspects.is_careful());
    }
}
