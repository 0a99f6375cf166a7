//! The spool, in the backlog's terms: calls instead of bytes, and errors that are told and never passed
//! on.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::gateway::budget::Budget;
use crate::gateway::metrics::Metrics;
use crate::gateway::quiet::Quiet;
use crate::gateway::record::written::Redaction;
use crate::gateway::record::{Record, codec};
use crate::spool::{AppendError, ReadError, Removed, Spool, Ticket};

/// How often the disk is to have what was written, which a machine that loses its power may lose, and is
/// looked after otherwise.
const SYNC: Duration = Duration::from_secs(1);
/// How long a call is left in the spool that there was no room for.
const LATER: Duration = Duration::from_secs(60);
/// From here on a call takes so long to write that the runtime is told.
const LARGE: usize = 1 << 20;

/// The spool with what is told of it.
pub(super) struct Disk {
    pub spool: Spool,
    redaction: Arc<Redaction>,
    metrics: Arc<Metrics>,
    health: Mutex<Health>,
    /// Calls that the disk did not give when they were asked for.
    aside: Mutex<Vec<Ticket>>,
    /// Calls that are to be taken again later, and when they were left.
    later: Mutex<VecDeque<(Instant, Ticket)>>,
    told: Quiet,
    full: String,
    /// Calls have come since room was made.
    comes: AtomicBool,
}

/// What became of a call that was to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It has a ticket.
    Yes,
    /// The disk does not take it for now.
    NotNow,
    /// It can never be written, and why.
    Never(String),
}

/// What became of a call that was to be read.
pub(super) enum Read {
    Call(Box<Record>),
    /// The disk does not give it for now: it is left aside.
    NotNow,
    /// It is gone.
    Lost,
}

struct Health {
    /// Why calls are not written.
    writing: Option<String>,
    /// Why one is not read.
    reading: Option<String>,
    /// Why what was written is not safe.
    syncing: Option<String>,
    /// That it is full of what somebody has: nothing of it can make room.
    full: Option<String>,
    synced: Instant,
}

impl Disk {
    pub fn new(spool: Spool, redaction: Arc<Redaction>, metrics: Arc<Metrics>) -> Self {
        let full = format!(
            "the spool {} is full (`spool.max_bytes`: {}); is MLflow reachable and fast enough?",
            spool.path().display(),
            spool.max_bytes()
        );
        let health = Health {
            writing: None,
            reading: None,
            syncing: None,
            full: None,
            synced: Instant::now(),
        };
        Self {
            spool,
            redaction,
            metrics,
            health: Mutex::new(health),
            aside: Mutex::default(),
            later: Mutex::default(),
            told: Quiet::default(),
            full,
            comes: AtomicBool::new(false),
        }
    }

    /// Why calls are lost when it is full.
    pub fn full(&self) -> &str {
        &self.full
    }

    /// What stands in its way.
    pub fn trouble(&self) -> Option<String> {
        let health = self.health();
        let Health {
            writing,
            reading,
            syncing,
            full,
            ..
        } = &*health;
        let troubles = [writing, reading, syncing, full];
        troubles.into_iter().flatten().next().cloned()
    }

    /// Writes a call, which then has a ticket, in the place of what was written of it before. `lost` is
    /// told how many older calls had to go.
    pub fn write(&self, record: &mut Record, lost: impl FnOnce(usize)) -> Written {
        record.stale = record.ticket.is_some();
        let written = self.redaction.written(record);
        let known = match codec::known(&written) {
            Ok(known) => known,
            Err(error) => return Written::Never(error.to_string()),
        };
        let parts = codec::parts(&known, &written);
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        self.comes.store(true, Relaxed);
        let began = Instant::now();
        let write = || {
            let lost = self.spool.make_room(bytes as u64);
            (lost, self.spool.append(&parts, record.ticket))
        };
        let (dropped, appended) = if bytes < LARGE {
            write()
        } else {
            elsewhere(write)
        };
        if dropped > 0 {
            lost(dropped);
        }
        match appended {
            Ok(ticket) => {
                let again = record.ticket.replace(ticket).is_some();
                record.stale = false;
                self.metrics.delivery().written(again, began.elapsed());
                self.works(|health| &mut health.writing, "takes calls");
                Written::Yes
            }
            Err(error) => self.not_written(&error),
        }
    }

    fn not_written(&self, error: &AppendError) -> Written {
        match error {
            AppendError::Io(_) => {
                self.metrics.delivery().spool_failed();
                let words = format!("{error}; calls are kept in memory alone");
                self.health().writing = Some(words.clone());
                self.tell(&words);
            }
            AppendError::Suspended => {
                let slow = "calls are kept in memory alone for now: the disk is slow";
                if self.health().writing.is_none() {
                    self.health().writing = Some(slow.to_owned());
                    self.tell(slow);
                }
            }
            AppendError::Full(_) => {
                let words = format!("calls are kept in memory alone: {error}");
                self.health().full = Some(words.clone());
                self.tell(&words);
            }
            AppendError::TooLarge { .. } => return Written::Never(error.to_string()),
        }
        Written::NotNow
    }

    /// Has a call whose file is gone be one that was not written.
    pub fn check(&self, record: &mut Record) {
        record.ticket.take_if(|ticket| !self.spool.has(*ticket));
    }

    /// Reads a call. What may pass, such as a lack of file descriptors, loses none.
    pub fn read(&self, ticket: Ticket, key: u64, budget: &Arc<Budget>) -> Read {
        let read = self.spool.read(ticket).and_then(|bytes| {
            let record = codec::decode(bytes, key, budget);
            record.ok_or(ReadError::Damaged)
        });
        match read {
            Ok(mut record) => {
                record.ticket = Some(ticket);
                self.works(|health| &mut health.reading, "gives calls back");
                Read::Call(Box::new(record))
            }
            Err(ReadError::Io(error)) if error.kind() != ErrorKind::NotFound => {
                self.metrics.delivery().spool_failed();
                let words = format!("a call cannot be read back for now: {error}");
                self.health().reading = Some(words.clone());
                self.tell(&words);
                self.aside().push(ticket);
                Read::NotNow
            }
            Err(error) => {
                self.metrics.delivery().damaged();
                self.tell(&format!("a call cannot be read back and is lost: {error}"));
                Read::Lost
            }
        }
    }

    /// Leaves a call that there is no room for. False: it is not there.
    pub fn leave(&self, ticket: Ticket) -> bool {
        let left = self.spool.leave(ticket);
        if left {
            let mut later = self.later.lock().unwrap_or_else(PoisonError::into_inner);
            later.push_back((Instant::now(), ticket));
        }
        left
    }

    /// The calls that were left aside, or long ago, for the caller to put back.
    pub fn left_aside(&self) -> Vec<Ticket> {
        let mut tickets = std::mem::take(&mut *self.aside());
        let mut later = self.later.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((_, ticket)) = later.pop_front_if(|(left, _)| left.elapsed() >= LATER) {
            // It may have made room.
            tickets.extend(Some(ticket).filter(|ticket| self.spool.fetch(*ticket)));
        }
        tickets
    }

    /// These calls are owed no more.
    pub fn done(&self, tickets: &[Ticket]) {
        if let Err(error) = self.spool.settle(tickets) {
            self.metrics.delivery().spool_failed();
            self.tell(&format!(
                "{error}; what was delivered is delivered again after a restart"
            ));
        }
    }

    /// Makes room for what comes next, and tells what is untold.
    pub fn keep(&self, lost: impl FnOnce(usize)) {
        self.spool.gather();
        let wanted = self.spool.max_bytes() / 32;
        // Where nothing comes nothing has to go.
        if self.comes.swap(false, Relaxed) {
            let dropped = self.spool.make_room(wanted);
            if dropped > 0 {
                lost(dropped);
            }
        }
        if self.spool.has_room(wanted) {
            self.works(|health| &mut health.full, "has room");
        }
        if let Some((count, words)) = self.told.rest() {
            self.say(count, &words);
        }
    }

    /// Whether it is time to look after the disk.
    pub fn is_due(&self) -> bool {
        self.health().synced.elapsed() >= SYNC
    }

    /// Has the disk take what it does not have yet, and finds out whether one that failed works again.
    pub fn look_after(&self) {
        self.sync();
        let began = Instant::now();
        let failing = self.health().writing.is_some();
        if failing && self.spool.probe().is_ok() && began.elapsed() < SYNC {
            self.spool.resume();
            self.works(|health| &mut health.writing, "takes calls");
        }
    }

    /// Forgets what was in files that somebody removed.
    pub fn forget_removed(&self) -> Removed {
        if let Err(error) = self.spool.keep_lock() {
            self.tell(&error.to_string());
        }
        let removed = self.spool.forget_removed();
        if removed.segments > 0 {
            self.metrics.delivery().spool_failed();
            self.tell(&format!(
                "{} of its files were removed by somebody; what is in memory is written again",
                removed.segments
            ));
        }
        removed
    }

    /// Nothing more will be written.
    pub fn end(&self) {
        if let Err(error) = self.spool.close() {
            self.tell(&error.to_string());
        }
        self.sync();
    }

    fn sync(&self) {
        let synced = self.spool.sync();
        self.health().synced = Instant::now();
        match synced {
            Ok(()) => self.works(|health| &mut health.syncing, "is safe from power failures"),
            Err(error) => {
                self.metrics.delivery().spool_failed();
                let words = format!("what was written is not safe on the disk: {error}");
                self.health().syncing = Some(words.clone());
                self.tell(&words);
            }
        }
    }

    fn works(&self, trouble: impl FnOnce(&mut Health) -> &mut Option<String>, how: &str) {
        let was = trouble(&mut self.health()).take();
        if was.is_some() {
            tracing::info!("the spool {} {how} again", self.spool.path().display());
        }
    }

    /// Tells that something is wrong, at most once a second.
    pub fn tell(&self, words: &str) {
        if let Some((count, words)) = self.told.count(1, || words.to_owned()) {
            self.say(count, &words);
        }
    }

    fn say(&self, count: u64, words: &str) {
        let path = self.spool.path().display();
        tracing::error!(count, "the spool {path} (`spool.dir`): {words}");
    }

    fn aside(&self) -> MutexGuard<'_, Vec<Ticket>> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs what takes its time without keeping this thread's other tasks from running.
fn elsewhere<T>(run: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    if matches!(flavor, Ok(RuntimeFlavor::MultiThread)) {
        tokio::task::block_in_place(run)
    } else {
        run()
    }
}
