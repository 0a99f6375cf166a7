//! The thread that may wait for a disk: what was written is made safe, what could not be written is
//! tried again, and what happened often is told.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use tokio::sync::oneshot;

use super::backlog::Backlog;

/// How often it looks.
const LOOK: Duration = Duration::from_millis(200);

/// The thread.
pub(super) struct Keeper {
    stop: Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Keeper {
    /// Starts it.
    pub fn start(backlog: &Arc<Backlog>) -> io::Result<Self> {
        let backlog = backlog.clone();
        let (stop, stopped) = mpsc::channel();
        let (end, ended) = oneshot::channel();
        let run = move || {
            while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                backlog.keep();
            }
            backlog.end();
            // Nobody waits where the gateway was dropped.
            let _ = end.send(());
        };
        std::thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(run)?;
        Ok(Self { stop, ended })
    }

    /// Ends it, once what was written is safe.
    pub async fn stop(self) {
        drop(self.stop);
        if self.ended.await.is_err() {
            tracing::error!("the thread that keeps the spool has ended early");
        }
    }
}
