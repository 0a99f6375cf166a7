//! A recording of hook calls, logged again: one line of JSON a call.
//!
//! One thread reads, and `threads` workers each drive an instance. All that is held is bounded: the
//! channels, the batches on their way, and what a worker keeps until it is reported.

#[cfg(test)]
mod double;
mod ledger;
mod lines;
mod patience;
mod recorded;
mod sink;
mod time;
mod worker;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::num::NonZero;
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::bindings::llm_gateway::hooks::types::DeferralCause;
use crate::error::LoggerError;
use crate::pending::Keyed;
use crate::plugin::Plugin;
use crate::settings::Settings;
use ledger::Ledger;
use lines::{Line, Lines};
use patience::{Limits, Patience};
use recorded::Recorded;
use sink::{Instances, Sinks};
use worker::{Worker, lock};

pub use ledger::{Rejection, Report};

/// The longest line that is replayed.
const LINE_BYTES: usize = 64 << 20;
/// What is handed to a worker at a time.
const BATCH_EVENTS: usize = 256;
const BATCH_BYTES: usize = 1 << 20;

/// Why a replay ended before every line was settled.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// The server did not take what it was sent, for longer than is worth waiting.
    #[error("{reason}")]
    GaveUp {
        /// What kind of obstacle it was.
        cause: DeferralCause,
        /// What went wrong, in the plugin's words.
        reason: String,
    },
    /// The plugin could not be made to work.
    #[error(transparent)]
    Failed(LoggerError),
    /// A worker's runtime or thread did not start.
    #[error("a worker did not start: {0}")]
    Worker(io::Error),
    /// The recording could not be read to its end.
    #[error("the recording could not be read to its end: {0}")]
    Input(io::Error),
}

/// A recording and how to replay it.
pub struct Replay<R> {
    /// The lines.
    pub input: R,
    /// Whether the input is known to end: then it is read to its end even after giving up, so that
    /// every line is counted.
    pub ends: bool,
    /// How many instances share the work. The events of one call always go to the same one.
    pub threads: NonZero<usize>,
    /// Moves by the bytes of settled lines.
    pub progress: ProgressBar,
}

impl<R: Read> Replay<R> {
    /// Replays the recording through instances of `plugin`. The report is there in any case.
    pub fn run(self, plugin: &Plugin, settings: &Settings) -> (Report, Result<(), Stop>) {
        self.run_with(|| Instances { plugin, settings })
    }

    fn run_with<F: Sinks>(self, sinks: impl Fn() -> F + Sync) -> (Report, Result<(), Stop>) {
        let ledger = Mutex::new(Ledger::new(self.progress));
        let result = std::thread::scope(|scope| {
            let mut shards = Vec::new();
            let mut workers = Vec::new();
            for _ in 0..self.threads.get() {
                let (sender, receiver) = mpsc::channel(2);
                let (ledger, sinks) = (&ledger, &sinks);
                shards.push(Shard::new(sender));
                workers.push(scope.spawn(move || work(sinks(), ledger, receiver)));
            }
            let read = Reader {
                lines: Lines::new(self.input, LINE_BYTES),
                shards,
                ledger: &ledger,
            }
            .run(self.ends);
            let mut result = Ok(());
            for worker in workers {
                let ended = worker
                    .join()
                    .unwrap_or_else(|_| Err(Stop::Worker(io::Error::other("it panicked"))));
                result = result.and(ended);
            }
            result.and(read.map_err(Stop::Input))
        });
        let ledger = ledger.into_inner().unwrap_or_else(PoisonError::into_inner);
        (ledger.into_report(), result)
    }
}

/// A worker's thread.
fn work<F: Sinks>(
    sinks: F,
    ledger: &Mutex<Ledger>,
    events: Receiver<Vec<Recorded>>,
) -> Result<(), Stop> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(Stop::Worker)?.block_on(async {
        let limits = Limits::default();
        let worker = Worker::new(sinks, ledger, Patience::new(limits))
            .await
            .map_err(Stop::Failed)?;
        worker.run(events).await
    })
}

/// Events on their way to one worker.
struct Shard {
    sender: Sender<Vec<Recorded>>,
    batch: Vec<Recorded>,
    bytes: usize,
}

impl Shard {
    fn new(sender: Sender<Vec<Recorded>>) -> Self {
        Self {
            sender,
            batch: Vec::new(),
            bytes: 0,
        }
    }

    fn add(&mut self, event: Recorded) {
        self.bytes += event.size();
        self.batch.push(event);
        if self.batch.len() >= BATCH_EVENTS || self.bytes >= BATCH_BYTES {
            self.send();
        }
    }

    /// Waits while the worker has enough to do. One that has stopped takes nothing any more.
    fn send(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        self.bytes = 0;
        if !batch.is_empty() && self.sender.blocking_send(batch).is_err() {
            tracing::debug!("a worker has stopped");
        }
    }
}

struct Reader<'a, R> {
    lines: Lines<R>,
    shards: Vec<Shard>,
    ledger: &'a Mutex<Ledger>,
}

impl<R: Read> Reader<'_, R> {
    fn run(mut self, ends: bool) -> io::Result<()> {
        loop {
            if !self.lines.is_ready() {
                // The source may keep us waiting; what is there need not wait with us.
                self.shards.iter_mut().for_each(Shard::send);
            }
            if !ends && self.shards.iter().any(|shard| shard.sender.is_closed()) {
                return Ok(());
            }
            match self.lines.next_line()? {
                Some(line) => self.take(line),
                None => break,
            }
        }
        self.shards.iter_mut().for_each(Shard::send);
        Ok(())
    }

    fn take(&mut self, line: Line) {
        let Line { number, size, text } = line;
        if text.as_ref().is_ok_and(|text| text.trim().is_empty()) {
            return;
        }
        lock(self.ledger).event();
        let recorded = text
            .map_err(|error| error.to_string())
            .and_then(|text| Recorded::read(number, text));
        match recorded {
            Ok(event) => {
                let shard = self.shard(&event);
                if let Some(shard) = self.shards.get_mut(shard) {
                    shard.add(event);
                }
            }
            Err(reason) => {
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                lock(self.ledger).reject(number, size, reason);
            }
        }
    }

    /// The same worker for all events of a call; those without an id are dealt out in turn.
    fn shard(&self, event: &Recorded) -> usize {
        let count = self.shards.len() as u64;
        if count == 1 {
            return 0;
        }
        let number = match event.call_id() {
            Some(id) => {
                let mut hasher = DefaultHasher::new();
                id.hash(&mut hasher);
                hasher.finish()
            }
            None => event.line,
        };
        usize::try_from(number % count).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
