//! One instance at work: it takes calls from the backlog, logs them and has them delivered.
//!
//! A worker has a thread of its own, so that neither the plugin's computing nor a slow server is ever
//! in the way of a request. A call is held until a report names it: when the instance traps, a fresh
//! one is given what is held, and a call that makes every instance trap is found and refused. Several
//! workers share a backlog; while one sends, another logs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::backlog::{Backlog, MANY};
use super::metrics::{Fate, Metrics};
use super::record::Record;
use super::sink::{Sink, Sinks};
use crate::error::{LoggerError, Refusal};
use crate::logger::{FlushMode, Stats};
use crate::pending::Pending;
use crate::settings::Settings;
use crate::spool::Ticket;
use suspects::Suspects;

/// A plugin that wants to be asked at once is not asked in a busy loop.
const SHORTEST: Duration = Duration::from_millis(20);
/// How long to wait after something that should not happen.
const LONG: Duration = Duration::from_secs(1);
/// Flushes that may trap before calls are delivered one by one.
const TRAPS: u32 = 2;

/// An instance with what it has not delivered yet.
pub(super) struct Worker<F: Sinks> {
    pub backlog: Arc<Backlog>,
    pub metrics: Arc<Metrics>,
    pub settings: watch::Receiver<Settings>,
    /// What part of the budget may be held before no more calls are taken: one in so many bytes.
    pub share: usize,
    sinks: F,
    sink: F::Sink,
    held: Pending<Record>,
    /// What the instance had done when it was last asked.
    stats: Option<Stats>,
    /// When the server may be asked again.
    not_before: Instant,
    /// The plugin's queue is full until something has been settled.
    full: bool,
    /// When something was settled last.
    settled_at: Instant,
    /// Flushes in a row that trapped.
    traps: u32,
    /// Calls that may be what makes instances trap.
    suspects: Suspects,
    /// Calls that were taken since the last flush.
    in_a_row: usize,
    /// When it was last seen to that what is held is on the disk.
    saved: Instant,
    /// Calls that are owed no more.
    done: Vec<Ticket>,
    /// What keeps the server from taking calls, once it has been told.
    obstacle: Option<String>,
    /// The settings have changed since the instance was given some of what is held: it may be bound to a server that is
    /// not there any more.
    moved: bool,
    /// When the oldest call ended that is held, for others to see.
    since: Arc<AtomicU64>,
}

/// What a worker is to do next.
enum Next {
    Log(Box<Record>),
    Flush,
    Save,
    Configure,
    End,
}

impl<F: Sinks> Worker<F> {
    /// A worker whose instance has its settings.
    pub async fn start(
        sinks: F,
        settings: watch::Receiver<Settings>,
        backlog: Arc<Backlog>,
        metrics: Arc<Metrics>,
        share: usize,
    ) -> Result<Self, LoggerError> {
        let mut sink = sinks.fresh().await?;
        let now = settings.borrow().clone();
        sink.configure(&now).await?;
        let since = backlog.held_since();
        Ok(Self {
            backlog,
            metrics,
            settings,
            share,
            sinks,
            sink,
            held: Pending::default(),
            stats: None,
            not_before: Instant::now(),
            full: false,
            settled_at: Instant::now(),
            traps: 0,
            suspects: Suspects::default(),
            in_a_row: 0,
            saved: Instant::now(),
            done: Vec::new(),
            obstacle: None,
            moved: false,
            since,
        })
    }

    /// Works until the backlog is closed and empty.
    pub async fn run(&mut self) {
        loop {
            let oldest = self.held.first().map_or(0, |record| record.ended);
            self.since.store(oldest, Relaxed);
            match self.next().await {
                Next::Log(record) => {
                    self.in_a_row += 1;
                    self.held.add(*record);
                    self.log_held().await;
                }
                Next::Flush => {
                    self.in_a_row = 0;
                    self.flush(FlushMode::Due).await;
                    // The plugin may let go of calls that keep out this one.
                    self.full &= !self.stalls();
                    self.log_held().await;
                }
                Next::Save => {
                    self.backlog.save(self.held.events_mut());
                    self.saved = Instant::now();
                }
                Next::Configure => self.configure().await,
                Next::End => return,
            }
        }
    }

    /// Delivers what is held until this time, and answers how many calls are lost with this process:
    /// could not be delivered, and are in no spool.
    pub async fn close(&mut self, until: Instant) -> usize {
        // Past that the instance is not usable any more, and no fresh one is begun.
        if Instant::now() < until {
            let _ = tokio::time::timeout_at(until, self.deliver()).await;
        }
        self.settled();
        self.backlog.save_at_last(self.held.events_mut());
        let mut lost = 0;
        for key in self.held.keys() {
            let record = self.held.remove(key);
            if record.is_some_and(|record| record.ticket.is_none()) {
                self.backlog.settle(Fate::Undelivered);
                lost += 1;
            }
        }
        lost
    }

    /// Delivers what is held.
    async fn deliver(&mut self) {
        loop {
            self.log_held().await;
            self.flush(FlushMode::Close).await;
            if self.held.is_empty() {
                return;
            }
            sleep_until(self.not_before.max(Instant::now() + SHORTEST)).await;
        }
    }

    async fn next(&mut self) -> Next {
        let wake = self.wake().await;
        let has_room = self.has_room();
        // What waits goes with what is about to be sent, within bounds.
        let is_due = wake.is_some_and(|wake| wake <= Instant::now());
        // While the server is left alone, calls wait where another worker may take them.
        let waits = !self.held.is_empty() && self.not_before > Instant::now() + LONG;
        let takes = has_room && !waits && !(is_due && self.in_a_row >= MANY);
        if !takes {
            self.backlog.leave_to_others();
        }
        let saves = self.backlog.is_spooled() && !self.held.is_empty();
        tokio::select! {
            biased;
            Ok(()) = self.settings.changed() => Next::Configure,
            () = sleep_until(self.saved + LONG), if saves => Next::Save,
            record = self.backlog.take(), if takes => record.map_or(Next::End, |record| Next::Log(Box::new(record))),
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => Next::Flush,
            // Nothing is taken, and there is nothing to wait for.
            () = tokio::time::sleep(LONG), if (!has_room || waits) && wake.is_none() => Next::Flush,
        }
    }

    /// When to flush next; none: there is nothing to do until something is logged.
    async fn wake(&mut self) -> Option<Instant> {
        let now = Instant::now();
        if self.full {
            return Some(self.not_before.max(now + SHORTEST));
        }
        match self.sink.next_wake().await {
            Ok(Some(after)) => Some(self.not_before.max(now + after)),
            Ok(None) => self
                .held
                .has_unlogged()
                .then(|| self.not_before.max(now + SHORTEST)),
            Err(error) => {
                self.flush_failed(error).await;
                Some(now + SHORTEST)
            }
        }
    }

    /// Gives the instance what it does not hold yet, in order, as far as it has room.
    async fn log_held(&mut self) {
        while let Some(record) = next_to_log(&self.held, &self.suspects, self.full) {
            let key = record.start.key;
            if record.is_shed() {
                self.restore(key);
                continue;
            }
            match self.sink.log(record).await {
                Ok(()) => self.held.logged(key),
                Err(LoggerError::Refused(Refusal::QueueFull)) => {
                    self.full = true;
                    if self.held.last_logged().is_none() {
                        self.full = false;
                        self.refuse(key, &Refusal::QueueFull.to_string());
                    } else {
                        self.flush(FlushMode::All).await;
                    }
                    continue;
                }
                Err(error) if error.is_fatal() => {
                    self.log_trapped(key, error).await;
                    continue;
                }
                Err(error) => self.refuse(key, &error.to_string()),
            }
            self.suspects.logged(key);
            self.shed();
            if self.traps >= TRAPS || self.suspects.is_careful() {
                // One of those that are held makes flushing trap: the one that was logged last.
                self.flush(FlushMode::All).await;
            }
        }
        self.settled();
    }

    async fn flush(&mut self, mode: FlushMode) {
        self.backlog.leave_to_others();
        let began = Instant::now();
        match self.sink.flush(mode).await {
            Ok(report) => self.apply(report),
            Err(error) => self.flush_failed(error).await,
        }
        let took = began.elapsed();
        if let Ok(stats) = self.sink.stats().await {
            let counted = self.metrics.delivery();
            counted.flushed(self.stats.as_ref(), &stats, took);
            self.stats = Some(stats);
        }
        if self.moved && self.obstacle.is_some() {
            let settings = self.settings.borrow().clone();
            // Where no instance is to be had, the next flush tries again.
            self.begin_elsewhere(&settings).await;
        }
        self.settled();
    }

    /// Tells of what keeps calls from being delivered once, and of its end.
    fn tell(&mut self, obstacle: Option<String>) {
        if obstacle == self.obstacle {
            return;
        }
        match &obstacle {
            Some(reason) => tracing::warn!("calls are not delivered for now: {reason}"),
            None => tracing::info!("calls are delivered again"),
        }
        self.obstacle = obstacle;
    }

    async fn configure(&mut self) {
        let settings = self.settings.borrow_and_update().clone();
        self.shed();
        if self.obstacle.is_some() && self.begin_elsewhere(&settings).await {
            return;
        }
        self.moved = !self.held.is_empty();
        match self.sink.configure(&settings).await {
            Ok(()) => tracing::debug!("an instance has taken the settings"),
            Err(error) if error.is_fatal() => self.begin_again(error).await,
            // Another instance has judged them before.
            Err(error) => tracing::error!("{error}; the settings from before go on"),
        }
    }

    fn refuse(&mut self, key: u64, reason: &str) {
        let record = self.remove(key).and_then(|record| {
            let shed = record.is_shed().then(|| self.backlog.restore(&record));
            shed.unwrap_or(Some(record))
        });
        if let Some(record) = record {
            self.done.extend(self.backlog.refuse(record, reason));
        }
    }

    fn settle(&mut self, key: u64, fate: Fate) {
        if let Some(record) = self.remove(key) {
            self.done.extend(record.ticket);
            self.backlog.settle(fate);
        }
    }

    fn remove(&mut self, key: u64) -> Option<Record> {
        let record = self.held.remove(key)?;
        self.suspects.forget(key);
        Some(record)
    }

    /// Says of all that was settled that it is owed no more: once for many, since that is written down.
    fn settled(&mut self) {
        self.backlog.done(&self.done);
        self.done.clear();
    }
}

/// The call to log next, if the instance is to be given one now.
fn next_to_log<'h>(
    held: &'h Pending<Record>,
    suspects: &Suspects,
    full: bool,
) -> Option<&'h Record> {
    if full || (suspects.is_careful() && held.last_logged().is_some()) {
        return None;
    }
    let suspect = suspects.first().and_then(|key| held.unlogged_one(key));
    suspect.or_else(|| held.next_unlogged(1, 0).first().copied())
}

mod recovery;
mod report;
mod room;
mod suspects;
#[cfg(test)]
mod tests;
