//! Calls that have ended and wait to be logged.
//!
//! The request path pushes and never waits for anybody. Workers take, and say of each call how it was
//! settled; in between a call is owed to the server. With a spool a call is on its way to the disk
//! before its response's end is passed on, and memory holds only as many as the budget has room for; the
//! others are read back when a worker is ready for them. Without one, the oldest call in memory makes
//! room for the next.

mod disk;
mod keep;
mod refused;
mod shown;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::budget::{Budget, Weight};
use super::letters::Letters;
use super::metrics::{Fate, Metrics};
use super::quiet::Quiet;
use super::record::Record;
use super::record::written::Redaction;
use crate::spool::{Spool, Ticket};
use disk::{Disk, Read, Written};
use refused::Refused;

/// How long a worker waits after a call that could not be read.
const UNREADABLE: Duration = Duration::from_secs(1);

/// So many calls are more than one worker takes while another wakes up.
pub(super) const MANY: usize = 64;
/// Where calls follow each other within that time, a worker looks for the next after it, by itself: to be woken for each costs
/// who hands it over more than all else.
const LINGER: Duration = Duration::from_millis(50);

/// The queue between the request path and the workers.
pub(super) struct Backlog {
    waiting: Mutex<Waiting>,
    more: Notify,
    budget: Arc<Budget>,
    metrics: Arc<Metrics>,
    disk: Option<Disk>,
    redaction: Arc<Redaction>,
    next_key: AtomicU64,
    /// When the oldest call ended that a worker holds, of each worker; 0: it holds none.
    held_since: parking_lot::Mutex<Vec<Arc<AtomicU64>>>,
    lost: Quiet,
    cut: Quiet,
    refused: Refused,
}

#[derive(Default)]
struct Waiting {
    calls: VecDeque<Record>,
    closed: bool,
    /// Calls may be among them that the disk did not take.
    unwritten: bool,
    /// Calls that are being written, and will be back.
    away: usize,
    look: Look,
    /// When a call was taken last, and whether soon after another.
    last: Option<Instant>,
    soon: bool,
}

/// Who will see what comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Look {
    /// Nobody, unless a worker is woken.
    #[default]
    Nobody,
    /// A worker that has found nothing, and looks again soon by itself.
    Again,
    /// A worker that is about to look, as something may be here, or on the disk; nothing it does before takes long.
    AtOnce,
}

/// What a worker takes.
enum Next {
    Here(Box<Record>),
    OnDisk(Ticket),
    Nothing { lingers: bool },
    End,
}

impl Backlog {
    /// One that holds what the spool held.
    pub fn new(
        budget: Arc<Budget>,
        metrics: Arc<Metrics>,
        spool: Option<Spool>,
        letters: Option<Letters>,
        redaction: Redaction,
    ) -> Self {
        let redaction = Arc::new(redaction);
        Self {
            waiting: Mutex::default(),
            more: Notify::new(),
            budget,
            disk: spool.map(|spool| Disk::new(spool, redaction.clone(), metrics.clone())),
            metrics,
            redaction,
            next_key: AtomicU64::new(1),
            held_since: parking_lot::Mutex::default(),
            lost: Quiet::default(),
            cut: Quiet::default(),
            refused: Refused::new(letters),
        }
    }

    /// The budget that all calls share.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// What is taken out of what is written down.
    pub fn redaction(&self) -> &Redaction {
        &self.redaction
    }

    /// A number that no other call of this process has.
    pub fn next_key(&self) -> u64 {
        self.next_key.fetch_add(1, Relaxed)
    }

    /// Where a worker says when the oldest call ended that it holds.
    pub fn held_since(&self) -> Arc<AtomicU64> {
        let since = Arc::<AtomicU64>::default();
        self.held_since.lock().push(since.clone());
        since
    }

    /// Has a call's weight grow, at the expense of those that wait in memory. False: all that is
    /// held is under way, or with a worker.
    pub fn make_room(&self, weight: &mut Weight, bytes: usize) -> bool {
        while !weight.grow(bytes) {
            if bytes > self.budget.most() || !self.evict() {
                return false;
            }
        }
        true
    }

    /// A call has ended. With a spool, its end does not come before this.
    pub fn push(&self, mut record: Record) {
        let written = self.write_new(&mut record);
        self.queue(record, &written);
    }

    /// A call has ended just as it was written down when that was foreseen.
    pub fn push_as_foreseen(&self, record: Record) {
        self.queue(record, &Written::Yes);
    }

    fn queue(&self, record: Record, written: &Written) {
        self.metrics.delivery().taken();
        let mut waiting = self.lock();
        // At the end, what was written of it is better than nothing.
        let in_spool = record
            .written()
            .or(record.ticket.filter(|_| waiting.closed));
        match (in_spool, &self.disk) {
            // Here what is waiting for workers may have half of the budget: less than that, and
            // those under way would have to make room for them again and again.
            (Some(ticket), Some(disk))
                if waiting.closed || self.budget.held() > self.budget.most() / 2 =>
            {
                self.put_back(disk, ticket);
            }
            _ if waiting.closed => self.lose(1, "the gateway ends"),
            _ => {
                waiting.unwritten |= *written == Written::NotNow;
                waiting.calls.push_back(record);
            }
        }
        let look = std::mem::replace(&mut waiting.look, Look::AtOnce);
        let many = waiting.calls.len() >= MANY;
        drop(waiting);
        if look == Look::Nobody || many {
            self.wake();
        }
    }

    /// Wakes the worker that waits for the shortest time: what comes now and then is one worker's, and so one batch.
    fn wake(&self) {
        self.more.notify_last();
    }

    /// A worker goes about something that may take long: what waits is another's.
    pub fn leave_to_others(&self) {
        let mut waiting = self.lock();
        let some = waiting.look == Look::AtOnce;
        if !some {
            waiting.look = Look::Nobody;
        }
        drop(waiting);
        if some {
            self.wake();
        }
    }

    /// Writes down a call that has just ended.
    fn write_new(&self, record: &mut Record) -> Written {
        let Some(disk) = &self.disk else {
            return Written::Never("there is no spool".to_owned());
        };
        let written = disk.write(record, |calls| self.lose(calls, disk.full()));
        if written != Written::Yes {
            self.metrics.delivery().unwritten();
        }
        if let Written::Never(why) = &written {
            disk.tell(&format!("a call is kept in memory alone: {why}"));
        }
        written
    }

    /// A call is to be read back later.
    fn put_back(&self, disk: &Disk, ticket: Ticket) {
        if !disk.spool.put_back(ticket) {
            self.lose(1, REMOVED);
        }
    }

    /// A call will end with what is passed on next, if all goes well. Its client may take that for the
    /// end, so it is written down before. False: it is not, or something else of it was before, and the end
    /// itself is to be written.
    pub fn foresee(&self, record: &mut Record) -> bool {
        self.disk.as_ref().is_some_and(|disk| {
            record.ticket.is_none()
                && disk.write(record, |calls| self.lose(calls, disk.full())) == Written::Yes
        })
    }

    /// A call was lost before it could be pushed.
    pub fn count_lost(&self) {
        self.metrics.delivery().taken();
        self.lose(1, QUEUE_FULL);
    }

    /// Of a call under way something is missing, since there is no memory for it.
    pub fn count_cut(&self) {
        self.metrics.delivery().cut();
        if let Some(told) = self.cut.count(1, || QUEUE_FULL.to_owned()) {
            self.tell_cut(told);
        }
    }

    /// Reads a call again that was shed. None: the disk does not give it, for now or at all.
    pub fn restore(&self, shed: &Record) -> Option<Record> {
        let (disk, ticket) = (self.disk.as_ref()?, shed.ticket?);
        match disk.read(ticket, shed.start.key, &self.budget) {
            Read::Call(record) => Some(*record),
            // It is left aside, and taken again later.
            Read::NotNow => None,
            Read::Lost => {
                self.metrics.delivery().settled(Fate::Dropped);
                disk.done(&[ticket]);
                None
            }
        }
    }

    /// The next call, when there is one. None: there will be none.
    pub async fn take(&self) -> Option<Record> {
        loop {
            let more = self.more.notified();
            match self.next() {
                Next::Here(record) => return Some(*record),
                Next::OnDisk(ticket) => {
                    let disk = self.disk.as_ref()?;
                    match disk.read(ticket, self.next_key(), &self.budget) {
                        Read::Call(record) => return Some(*record),
                        Read::NotNow => tokio::time::sleep(UNREADABLE).await,
                        Read::Lost => {
                            self.metrics.delivery().settled(Fate::Dropped);
                            disk.done(&[ticket]);
                        }
                    }
                }
                Next::Nothing { lingers: false } => more.await,
                // Either way there may be something.
                Next::Nothing { lingers: true } => drop(timeout(LINGER, more).await),
                Next::End => return None,
            }
        }
    }

    /// The oldest call, in memory or on the disk.
    fn next(&self) -> Next {
        let mut waiting = self.lock();
        let first = waiting.calls.front();
        let older = match first {
            // What is in memory alone is in a hurry.
            Some(first) if first.written().is_none() => None,
            first => {
                let limit = first.and_then(|first| first.ticket);
                let disk = self.disk.as_ref();
                disk.and_then(|disk| disk.spool.take_before(limit))
            }
        };
        let next = match older {
            Some(ticket) => Next::OnDisk(ticket),
            None => match waiting.calls.pop_front() {
                Some(record) => Next::Here(Box::new(record)),
                None if waiting.closed && waiting.away == 0 => Next::End,
                None => Next::Nothing {
                    lingers: std::mem::take(&mut waiting.soon),
                },
            },
        };
        let more = match next {
            Next::Here(_) => waiting.calls.len() >= MANY,
            // How much more there is on the disk is not known here.
            Next::OnDisk(_) => true,
            Next::Nothing { lingers } => {
                waiting.look = if lingers { Look::Again } else { Look::Nobody };
                return next;
            }
            Next::End => return next,
        };
        let now = Instant::now();
        let last = waiting.last.replace(now);
        waiting.soon = last.is_some_and(|last| now - last < LINGER);
        drop(waiting);
        if more {
            self.wake();
        }
        next
    }

    /// A worker is done with calls: so many have come to this end.
    pub fn settle(&self, fate: Fate) {
        self.metrics.delivery().settled(fate);
    }

    /// These calls are owed no more.
    pub fn done(&self, tickets: &[Ticket]) {
        if let Some(disk) = &self.disk
            && !tickets.is_empty()
        {
            disk.done(tickets);
        }
    }

    /// Leaves a call in the spool for a while, that a worker has no room for. False: it is not there.
    pub fn leave(&self, ticket: Ticket) -> bool {
        self.disk.as_ref().is_some_and(|disk| disk.leave(ticket))
    }

    /// No more calls will come; those that wait are still taken.
    pub fn close(&self) {
        self.lock().closed = true;
        self.more.notify_waiters();
        self.more.notify_one();
    }

    /// Lets go of a call that waits in memory: one that was refused, else the last of those that are on the disk
    /// too, else the first. False: none waits.
    fn evict(&self) -> bool {
        if self.forget_letter() {
            return true;
        }
        let mut waiting = self.lock();
        if let Some(disk) = &self.disk
            && let Some(place) = waiting
                .calls
                .iter()
                .rposition(|call| call.written().is_some())
            && let Some(record) = waiting.calls.remove(place)
        {
            if let Some(ticket) = record.ticket {
                self.put_back(disk, ticket);
            }
            return true;
        }
        let Some(oldest) = waiting.calls.pop_front() else {
            return false;
        };
        match (oldest.ticket, &self.disk) {
            // What was written of it is better than nothing.
            (Some(ticket), Some(disk)) => {
                self.put_back(disk, ticket);
                self.count_cut();
            }
            _ => self.lose(1, QUEUE_FULL),
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const QUEUE_FULL: &str = "`queue.max_bytes` is used up; is MLflow reachable and fast enough?";
const REMOVED: &str = "files of the spool were removed while it was in use";

#[cfg(test)]
pub(super) mod tests;
