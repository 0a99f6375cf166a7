//! An instance that is lost, and the one that takes over.
//!
//! Whatever was held is logged again; the call that makes instances trap is found and refused.

use tokio::time::Instant;

use super::{LONG, TRAPS, Worker};
use crate::error::LoggerError;
use crate::gateway::sink::{Sink, Sinks};

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
            self.metrics.delivery().retried(self.held.len());
            self.held.all_unlogged();
            self.full = false;
            self.stats = None;
            let settings = self.settings.borrow().clone();
            let fresh = async {
                let mut sink = self.sinks.fresh().await?;
                sink.configure(&settings).await.map(|()| sink)
            };
            match fresh.await {
                Ok(sink) => {
                    self.sink = sink;
                    return;
                }
                Err(another) => error = another,
            }
            tokio::time::sleep(LONG).await;
        }
    }
}
