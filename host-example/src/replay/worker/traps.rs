//! What a worker does when its instance traps: it goes on with a fresh one, ever more carefully, until
//! the event that makes the plugin trap stands alone.

use super::{Sinks, Stop, Worker};
use crate::error::LoggerError;

/// What recovering from traps has come to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// Events are logged in batches.
    None,
    /// One by one.
    Singly,
    /// One by one, and flushed after each: flushing trapped twice.
    FlushingEach,
}

impl<F: Sinks> Worker<'_, F> {
    /// The instance was lost while it took these events.
    pub(super) async fn log_trapped(
        &mut self,
        lines: &[u64],
        error: LoggerError,
    ) -> Result<(), Stop> {
        if let [line] = lines {
            self.reject(*line, error.to_string());
        }
        if self.care == Care::None {
            self.care = Care::Singly;
        }
        self.begin_again(error).await
    }

    /// The instance was lost while it sent.
    pub(super) async fn flush_trapped(&mut self, error: LoggerError) -> Result<(), Stop> {
        let reason = error.to_string();
        if self.care == Care::FlushingEach {
            if let Some(line) = self.pending.last_logged() {
                self.reject(line, reason);
            }
            return self.begin_again(error).await;
        }
        self.flush_traps += 1;
        match self.flush_traps {
            1 => self.care = Care::Singly,
            2 => self.care = Care::FlushingEach,
            // Not even one by one could it be told which event it is.
            _ => {
                for line in self.pending.keys() {
                    self.reject(line, reason.as_str());
                }
            }
        }
        self.begin_again(error).await
    }

    async fn begin_again(&mut self, error: LoggerError) -> Result<(), Stop> {
        if !error.is_fatal() {
            return Err(Stop::Failed(error));
        }
        tracing::warn!("{error}; what it held is logged again with a fresh instance");
        self.sink = self.sinks.fresh().await.map_err(Stop::Failed)?;
        self.pending.all_unlogged();
        Ok(())
    }
}
