//! One instance at work: events in, reports out, until every event is settled.
//!
//! An event counts only when a report names it. When the instance traps, a fresh one is given all
//! events that none has named, one by one, so that the one that makes it trap stands alone and is
//! rejected; logged twice, an event is still the same span.

mod traps;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;

use super::Stop;
use super::ledger::Ledger;
use super::patience::Patience;
use super::recorded::Recorded;
use super::sink::{Sink, Sinks};
use crate::bindings::llm_gateway::hooks::types::DeferralCause;
use crate::error::{LoggerError, Refusal};
use crate::logger::{DeliveryReport, FlushMode};
use crate::pending::{Keyed, Pending};
use traps::Care;

/// What one `log-events` takes.
const BATCH_EVENTS: usize = 256;
const BATCH_BYTES: usize = 4 << 20;
/// Unreported events held before all is flushed.
const HELD_BYTES: usize = 64 << 20;
/// Flushes in a row that say nothing, before it is taken that nothing will come.
const SILENT_FLUSHES: u32 = 3;

pub(super) struct Worker<'a, F: Sinks> {
    sinks: F,
    sink: F::Sink,
    ledger: &'a Mutex<Ledger>,
    pending: Pending<Recorded>,
    patience: Patience,
    care: Care,
    /// Flushes that trapped since anything was settled.
    flush_traps: u32,
    /// When the server may be asked again.
    not_before: Instant,
    /// Held bytes at which all is flushed next.
    flush_at: usize,
}

/// What a flush came to.
struct Flushed {
    progress: bool,
    /// How long to wait before the next.
    wait: Option<Duration>,
}

impl<'a, F: Sinks> Worker<'a, F> {
    pub async fn new(
        sinks: F,
        ledger: &'a Mutex<Ledger>,
        patience: Patience,
    ) -> Result<Self, LoggerError> {
        Ok(Self {
            sink: sinks.fresh().await?,
            sinks,
            ledger,
            pending: Pending::default(),
            patience,
            care: Care::None,
            flush_traps: 0,
            not_before: Instant::now(),
            flush_at: HELD_BYTES,
        })
    }

    /// Logs what comes, and ends when all of it is settled.
    pub async fn run(mut self, mut events: Receiver<Vec<Recorded>>) -> Result<(), Stop> {
        loop {
            let wake = match self.sink.next_wake().await {
                Ok(wake) => wake.unwrap_or(Duration::MAX),
                Err(error) => {
                    self.flush_trapped(error).await?;
                    Duration::ZERO
                }
            };
            let patience = self.not_before.saturating_duration_since(Instant::now());
            let due = wake.max(patience);
            if due.is_zero() {
                self.flush(FlushMode::Due).await?;
            }
            match tokio::time::timeout(due, events.recv()).await {
                Ok(Some(batch)) => self.take(batch).await?,
                Ok(None) => break,
                Err(_) => self.log().await?,
            }
        }
        self.settle().await
    }

    async fn take(&mut self, batch: Vec<Recorded>) -> Result<(), Stop> {
        for event in batch {
            self.pending.add(event);
        }
        self.log().await?;
        // What open streams hold cannot be flushed: the mark rises with it.
        if self.pending.bytes() > self.flush_at {
            self.drain().await?;
            self.flush_at = HELD_BYTES.max(2 * self.pending.bytes());
        }
        Ok(())
    }

    /// Ends all streams and sends until nothing is left.
    async fn settle(&mut self) -> Result<(), Stop> {
        let mut silent = 0;
        loop {
            self.log().await?;
            if self.pending.is_empty() {
                return Ok(());
            }
            let flushed = self.flush(FlushMode::Close).await?;
            silent = match flushed.wait {
                None if !flushed.progress => silent + 1,
                _ => 0,
            };
            if silent == SILENT_FLUSHES {
                for line in self.pending.keys() {
                    self.reject(
                        line,
                        "the plugin took the event and never reported what became of it",
                    );
                }
            }
            if let Some(wait) = flushed.wait {
                tokio::time::sleep(wait).await;
            }
        }
    }

    /// Logs all that no instance holds.
    async fn log(&mut self) -> Result<(), Stop> {
        loop {
            let most = if self.care == Care::None {
                BATCH_EVENTS
            } else {
                1
            };
            let batch = self.pending.next_unlogged(most, BATCH_BYTES);
            if batch.is_empty() {
                self.care = Care::None;
                return Ok(());
            }
            let lines: Vec<_> = batch.iter().map(|event| event.line).collect();
            let tags: Vec<_> = batch.iter().map(|event| event.tags()).collect();
            let hooked: Vec<_> = batch
                .iter()
                .zip(&tags)
                .map(|(event, tags)| event.hooked(tags))
                .collect();
            match self.sink.log(&hooked).await {
                Ok(answers) => {
                    if self.answered(&lines, answers) && !self.drain().await? {
                        self.refuse_first();
                    }
                }
                Err(error) => self.log_trapped(&lines, error).await?,
            }
            if self.care == Care::FlushingEach {
                self.drain().await?;
            }
        }
    }

    /// Whether the queue is full.
    fn answered(&mut self, lines: &[u64], answers: Vec<Result<(), Refusal>>) -> bool {
        let mut full = false;
        for (line, answer) in lines.iter().zip(answers) {
            match answer {
                Ok(()) => self.pending.logged(*line),
                Err(Refusal::QueueFull) => full = true,
                Err(refusal) => self.reject(*line, refusal.to_string()),
            }
        }
        full
    }

    /// Sends all that can be sent, waiting for the server. Answers whether anything was settled.
    async fn drain(&mut self) -> Result<bool, Stop> {
        loop {
            let flushed = self.flush(FlushMode::All).await?;
            match flushed.wait {
                Some(wait) if !flushed.progress => tokio::time::sleep(wait).await,
                _ => return Ok(flushed.progress),
            }
        }
    }

    /// There is no room and nothing to send: open streams fill the queue.
    fn refuse_first(&mut self) {
        let first = self
            .pending
            .next_unlogged(1, 0)
            .first()
            .map(|event| event.line);
        if let Some(line) = first {
            self.reject(line, Refusal::QueueFull.to_string());
        }
    }

    /// Sends once. Waiting, where the server has to be waited for, is the caller's.
    async fn flush(&mut self, mode: FlushMode) -> Result<Flushed, Stop> {
        match self.sink.flush(mode).await {
            Ok(report) => self.apply(report),
            Err(error) => {
                self.flush_trapped(error).await?;
                let (progress, wait) = (true, None);
                Ok(Flushed { progress, wait })
            }
        }
    }

    fn apply(&mut self, report: DeliveryReport) -> Result<Flushed, Stop> {
        let reached = !report.delivered.is_empty();
        let mut progress = false;
        let ledger = self.ledger;
        for delivery in report.delivered {
            for line in delivery.keys {
                if let Some(event) = self.pending.remove(line) {
                    lock(ledger).deliver(event.size(), &delivery.trace_id);
                    progress = true;
                }
            }
        }
        for refusal in report.refused {
            progress = true;
            for line in refusal.keys {
                self.reject(line, refusal.reason.as_str());
            }
        }
        for skipped in report.skipped {
            progress = true;
            for line in skipped.keys {
                if let Some(event) = self.pending.remove(line) {
                    lock(ledger).skip(line, event.size(), skipped.reason.as_str());
                }
            }
        }
        let mut obstacle = report.deferred.map(|deferral| {
            let after = Duration::from_millis(deferral.after_ms);
            (deferral.cause, after, deferral.reason)
        });
        for returned in report.returned {
            for line in returned.keys {
                self.pending.unlogged(line);
            }
            let after = Duration::from_millis(200);
            obstacle = obstacle.or(Some((DeferralCause::Unreachable, after, returned.reason)));
        }
        if progress {
            self.patience.progress(reached);
            self.flush_traps = 0;
        }
        let Some((cause, after, reason)) = obstacle else {
            return Ok(Flushed {
                progress,
                wait: None,
            });
        };
        match self.patience.defer(cause, after) {
            Some(wait) => {
                tracing::info!(wait_ms = wait.as_millis(), "not delivered yet: {reason}");
                self.not_before = Instant::now() + wait;
                let wait = Some(wait);
                Ok(Flushed { progress, wait })
            }
            None => Err(Stop::GaveUp { cause, reason }),
        }
    }

    fn reject(&mut self, line: u64, reason: impl Into<String>) {
        if let Some(event) = self.pending.remove(line) {
            lock(self.ledger).reject(line, event.size(), reason);
        }
    }
}

pub(super) fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
