//! How long to keep trying when the server does not take what it is sent.

use std::time::Duration;

use tokio::time::Instant;

use crate::bindings::llm_gateway::hooks::types::DeferralCause;

/// How long things may go wrong before the replay is given up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// With a server that has never answered: it is most likely not there.
    pub never_reached: Duration,
    /// With one that has answered: it may come back.
    pub no_progress: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            never_reached: Duration::from_secs(5),
            no_progress: Duration::from_secs(60),
        }
    }
}

/// Keeps the time since things last went well.
#[derive(Debug)]
pub struct Patience {
    limits: Limits,
    reached: bool,
    stuck_since: Option<Instant>,
}

impl Patience {
    /// Patience within these limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            reached: false,
            stuck_since: None,
        }
    }

    /// Something was settled; `reached`: by the server, not by the plugin alone.
    pub fn progress(&mut self, reached: bool) {
        self.reached |= reached;
        self.stuck_since = None;
    }

    /// The server could not take anything. Answers how long to wait before the next try, at most
    /// `after`; or nothing, when it is time to give up.
    pub fn defer(&mut self, cause: DeferralCause, after: Duration) -> Option<Duration> {
        let now = Instant::now();
        let since = *self.stuck_since.get_or_insert(now);
        let limit = match cause {
            DeferralCause::Misconfigured => return None,
            DeferralCause::Unreachable if !self.reached => self.limits.never_reached,
            DeferralCause::Unreachable => self.limits.no_progress,
            DeferralCause::Unavailable => {
                self.reached = true;
                self.limits.no_progress
            }
        };
        let left = (since + limit).checked_duration_since(now)?;
        // The last try comes when patience ends, not before; a plugin that says "at once" is not
        // asked in a busy loop.
        (!left.is_zero()).then(|| after.max(Duration::from_millis(20)).min(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(60);
    const LONG: Duration = Duration::from_millis(300);

    fn patience() -> Patience {
        Patience::new(Limits {
            never_reached: SHORT,
            no_progress: LONG,
        })
    }

    /// How long the waits add up to until patience ends.
    fn until_given_up(patience: &mut Patience, cause: DeferralCause) -> Duration {
        let mut waited = Duration::ZERO;
        while let Some(wait) = patience.defer(cause, SHORT) {
            std::thread::sleep(wait);
            waited += wait;
        }
        waited
    }

    #[test]
    fn a_server_that_never_answered_gets_less_time_than_one_that_did() {
        let never = until_given_up(&mut patience(), DeferralCause::Unreachable);
        assert!(never <= SHORT, "{never:?}");
        let answering = until_given_up(&mut patience(), DeferralCause::Unavailable);
        assert!(answering > SHORT && answering <= LONG, "{answering:?}");
        let mut gone = patience();
        gone.progress(true);
        let gone = until_given_up(&mut gone, DeferralCause::Unreachable);
        assert!(gone > SHORT && gone <= LONG, "{gone:?}");
    }

    #[test]
    fn what_the_plugin_settles_alone_does_not_show_that_the_server_is_there() {
        let mut patience = patience();
        patience.progress(false);
        assert!(until_given_up(&mut patience, DeferralCause::Unreachable) <= SHORT);
    }

    #[test]
    fn progress_renews_patience() {
        let mut patience = patience();
        until_given_up(&mut patience, DeferralCause::Unreachable);
        patience.progress(true);
        assert!(patience.defer(DeferralCause::Unreachable, SHORT).is_some());
    }

    #[test]
    fn what_somebody_has_to_mend_is_not_waited_for() {
        assert_eq!(patience().defer(DeferralCause::Misconfigured, SHORT), None);
    }
}
