//! An instance that is lost, and the one that takes over.
//!
//! Whatever was held is logged again; the call that makes instances trap is found and refused.

use tokio::time::Instant;

use super::{LONG, TRAPS, Worker};
use crate::error::LoggerError;
use crate::gateway::sink::{Sink, Sinks};
use crate::settings::Settings;

impl<F: Sinks> Worker<F> {
    /// An instance was lost while it was given a call. Whether that call is to blame is seen with a
    /// fresh one that holds nothing else.
    pub(super) async fn log_trapped(&mut self, key: u64, error: LoggerError) {
        if self
            .suspects
            .trapped(key, self.held.last_logged().is_none())
        {
            self.refuse(key, &error.to_string());
        }
        self.begin_again(error).await;
    }

    /// A flush, or the question when to flush, did not come back.
    pub(super) async fn flush_failed(&mut self, error: LoggerError) {
        if !error.is_fatal() {
            tracing::error!("the plugin does not send: {error}");
            self.not_before = Instant::now() + LONG;
            return;
        }
        self.traps += 1;
        if self.traps > TRAPS
            && let Some(key) = self.held.last_logged()
        {
            self.refuse(key, &error.to_string());
        }
        self.begin_again(error).await;
    }

    /// The instance is lost: a fresh one takes over.
    pub(super) async fn begin_again(&mut self, mut error: LoggerError) {
        loop {
            tracing::error!("{error}; what it held is logged again with a fresh instance");
            self.metrics.delivery().restarted();
            let settings = self.settings.borrow().clone();
            match self.hand_over(&settings).await {
                Ok(()) => return,
                Err(another) => error = another,
            }
            tokio::time::sleep(LONG).await;
        }
    }

    /// Something has stood in the way of what is held, and the settings may have mended it: what the
    /// instance has bound to the server and the experiment of before is logged anew, by a fresh one.
    pub(super) async fn begin_elsewhere(&mut self, settings: &Settings) -> bool {
        match self.hand_over(settings).await {
            Ok(()) => {
                self.not_before = Instant::now();
                true
            }
            Err(error) => {
                tracing::error!("{error}; the instance from before goes on");
                false
            }
        }
    }

    /// Has a fresh instance take the place of this one, with all that is held to be logged again.
    async fn hand_over(&mut self, settings: &Settings) -> Result<(), LoggerError> {
        let mut sink = self.sinks.fresh().await?;
        sink.configure(settings).await?;
        self.sink = sink;
        self.metrics.delivery().retried(self.held.len());
        self.held.all_unlogged();
        self.full = false;
        self.moved = false;
        self.stats = None;
        Ok(())
    }
}
