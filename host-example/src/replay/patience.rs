//! How long to keep trying when the server does not take what it is sent.

use std::time::Duration;

use tokio::time::Instant;

use crate::bindings::llm_gateway::hooks::types::DeferralCause;

/// A server that has never answered is most likely not there.
const NEVER_REACHED: Duration = Duration::from_secs(5);
/// One that has answered may come back.
const NO_PROGRESS: Duration = Duration::from_secs(60);

/// Keeps the time since things last went well.
#[derive(Debug, Default)]
pub struct Patience {
    reached: bool,
    stuck_since: Option<Instant>,
}

impl Patience {
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
            DeferralCause::Unavailable => {
                self.reached = true;
                NO_PROGRESS
            }
            DeferralCause::Unreachable if self.reached => NO_PROGRESS,
            DeferralCause::Unreachable => NEVER_REACHED,
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

    const SECOND: Duration = Duration::from_secs(1);

    /// How long it takes until patience ends.
    async fn until_given_up(patience: &mut Patience, cause: DeferralCause) -> Duration {
        let began = Instant::now();
        while let Some(wait) = patience.defer(cause, 2 * SECOND) {
            tokio::time::sleep(wait).await;
        }
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answered_gets_seconds() {
        let spent = until_given_up(&mut Patience::default(), DeferralCause::Unreachable).await;
        assert!(
            (NEVER_REACHED..NEVER_REACHED + SECOND).contains(&spent),
            "{spent:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_answers_gets_a_minute() {
        let spent = until_given_up(&mut Patience::default(), DeferralCause::Unavailable).await;
        assert!(
            (NO_PROGRESS..NO_PROGRESS + SECOND).contains(&spent),
            "{spent:?}"
        );
        let mut patience = Patience::default();
        patience.progress(true);
        let spent = until_given_up(&mut patience, DeferralCause::Unreachable).await;
        assert!(
            (NO_PROGRESS..NO_PROGRESS + SECOND).contains(&spent),
            "{spent:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn progress_renews_patience() {
        let mut patience = Patience::default();
        for _ in 0..10 {
            patience.progress(true);
            assert!(patience.defer(DeferralCause::Unreachable, SECOND).is_some());
            tokio::time::sleep(50 * SECOND).await;
        }
    }

    #[test]
    fn what_somebody_has_to_mend_is_not_waited_for() {
        let wait = Patience::default().defer(DeferralCause::Misconfigured, SECOND);
        assert_eq!(wait, None);
    }
}
