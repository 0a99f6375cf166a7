//! The thread that may wait for a disk: what was written is made safe, what could not be written is
//! tried again, and what happened often is told.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

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

    /// Ends it, once what was written is safe, or at this time where the disk hangs.
    pub async fn stop(self, until: Instant) {
        drop(self.stop);
        match timeout_at(until, self.ended).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => tracing::error!("the thread that keeps the spool has ended early"),
            Err(_) => tracing::error!("the spool's disk (`spool.dir`) does not answer in time"),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;
    use crate::gateway::backlog::tests::{record, spooled};

    #[tokio::test]
    async fn a_disk_that_hangs_holds_up_no_end_and_its_calls_are_counted() {
        let directory = tempfile::tempdir().unwrap();
        let backlog = Arc::new(spooled(&directory, 1 << 20, 1 << 20));
        let dir = directory.path().join("spool");
        std::fs::rename(&dir, directory.path().join("gone")).unwrap();
        backlog.push(record(&backlog, 1, 100).unwrap());
        // What is tried next does not come back: nobody reads from this pipe.
        std::fs::create_dir(&dir).unwrap();
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, dir.join("probe"), FileType::Fifo, mode, 0).unwrap();
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let keeper = Keeper::start(&backlog).unwrap();
        let stopped = keeper.stop(Instant::now() + LOOK);
        let stopped = tokio::time::timeout(LOOK * 50, stopped).await;
        assert_eq!((stopped, backlog.left()), (Ok(()), (0, 1)));
    }
}
