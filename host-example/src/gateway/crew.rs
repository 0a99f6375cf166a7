//! The workers, each on a thread of its own.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::StartError;
use super::backlog::Backlog;
use super::metrics::Metrics;
use super::worker::Worker;
use crate::config::Queue;
use crate::error::LoggerError;
use crate::plugin::Plugin;
use crate::settings::Settings;

/// How long a worker may take to put down what it could not deliver. Where it takes longer, it hangs.
const GRACE: Duration = Duration::from_secs(1);
/// By how much logging gives way to the request path where both want the CPU.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// The workers of a gateway.
pub(super) struct Crew {
    ended: Vec<oneshot::Receiver<usize>>,
    until: watch::Sender<Option<Instant>>,
}

/// What a worker is made of.
struct Equipment {
    plugin: Plugin,
    settings: watch::Receiver<Settings>,
    backlog: Arc<Backlog>,
    metrics: Arc<Metrics>,
    share: usize,
    until: watch::Receiver<Option<Instant>>,
}

impl Crew {
    /// Starts them; each has its instance with its settings when this returns.
    pub async fn start(
        plugin: &Plugin,
        queue: Queue,
        settings: &watch::Receiver<Settings>,
        backlog: &Arc<Backlog>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, StartError> {
        let (until, until_receiver) = watch::channel(None);
        let mut ended = Vec::new();
        for number in 0..queue.workers {
            let equipment = Equipment {
                plugin: plugin.clone(),
                settings: settings.clone(),
                backlog: backlog.clone(),
                metrics: metrics.clone(),
                // The other half is for calls that are under way or wait.
                share: 2 * usize::from(queue.workers),
                until: until_receiver.clone(),
            };
            let (started, has_started) = oneshot::channel();
            let (end, has_ended) = oneshot::channel();
            std::thread::Builder::new()
                .name(format!("logger-{number}"))
                .spawn(move || work(equipment, started, end))
                .map_err(StartError::Thread)?;
            match has_started.await {
                Ok(result) => result?,
                Err(_) => {
                    return Err(StartError::Thread(std::io::Error::other(
                        "it ended at once",
                    )));
                }
            }
            ended.push(has_ended);
        }
        Ok(Self { ended, until })
    }

    /// Has them deliver all that there is until this time, and answers how many calls they lost: could
    /// not deliver, and are in no spool.
    pub async fn stop(self, backlog: &Backlog, until: Instant) -> usize {
        self.until.send_replace(Some(until));
        backlog.close();
        let mut lost = 0;
        for ended in self.ended {
            match timeout_at(until + GRACE, ended).await {
                Ok(Ok(calls)) => lost += calls,
                Ok(Err(_)) => tracing::error!("a thread for logging has ended early"),
                Err(_) => {
                    tracing::error!("a thread for logging does not end; does the disk answer?")
                }
            }
        }
        lost
    }
}

fn work(
    equipment: Equipment,
    started: oneshot::Sender<Result<(), StartError>>,
    ended: oneshot::Sender<usize>,
) {
    give_way();
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            // Nobody waits for the answer once the gateway has given up starting.
            let _ = started.send(Err(StartError::Thread(error)));
            return;
        }
    };
    let until = equipment.until.clone();
    runtime.block_on(async {
        let mut worker = match equipment.worker().await {
            Ok(worker) => worker,
            Err(error) => {
                let _ = started.send(Err(error.into()));
                return;
            }
        };
        let _ = started.send(Ok(()));
        let until = tokio::select! {
            () = worker.run() => stopped(until).await,
            until = over(until.clone()) => until,
        };
        let _ = ended.send(worker.close(until).await);
    });
}

/// The time by which all has to have ended, once it is known.
async fn stopped(mut until: watch::Receiver<Option<Instant>>) -> Instant {
    match until.wait_for(Option::is_some).await {
        Ok(until) => until.unwrap_or_else(Instant::now),
        // The gateway is gone.
        Err(_) => Instant::now(),
    }
}

/// Waits for that time.
async fn over(until: watch::Receiver<Option<Instant>>) -> Instant {
    let until = stopped(until).await;
    sleep_until(until).await;
    until
}

impl Equipment {
    async fn worker(self) -> Result<Worker<Plugin>, LoggerError> {
        Worker::start(
            self.plugin,
            self.settings,
            self.backlog,
            self.metrics,
            self.share,
        )
        .await
    }
}

/// Lowers this thread's priority; where that cannot be, nothing is lost.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!("logging keeps the priority of the request path: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::backlog::tests::backlog;

    #[tokio::test]
    async fn a_worker_that_hangs_holds_up_no_end() {
        let (until, _until) = watch::channel(None);
        let (ends, has_ended) = oneshot::channel();
        let (_hangs, never_ends) = oneshot::channel();
        let ended = vec![never_ends, has_ended];
        ends.send(3).unwrap();
        let crew = Crew { ended, until };
        let backlog = backlog(1);
        let stopped = crew.stop(&backlog, Instant::now());
        let lost = tokio::time::timeout(GRACE * 20, stopped).await;
        assert_eq!(lost, Ok(3));
    }
}
