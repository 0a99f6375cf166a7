//! Calls that can never be delivered, and their letters.
//!
//! A letter that cannot be written is tried again once a second. Its call stays in the spool meanwhile, and makes room
//! there as others do; one that is in no spool stays in memory until the spool takes it, and is the first to make room
//! for others.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use super::Backlog;
use super::disk::Read;
use crate::gateway::letters::Letters;
use crate::gateway::metrics::Fate;
use crate::gateway::quiet::Quiet;
use crate::gateway::record::Record;
use crate::spool::Ticket;

/// How often letters that could not be written are tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// The file of dead letters, with what is told of it.
pub(super) struct Refused {
    letters: Option<Letters>,
    owed: Mutex<Owed>,
    /// Some were written that a power failure may take.
    unsafe_yet: AtomicBool,
    told: Quiet,
    untold: Quiet,
    overwritten: Quiet,
}

/// Letters that could not be written.
#[derive(Default)]
struct Owed {
    /// Of calls in the spool.
    spooled: VecDeque<Letter<Ticket>>,
    /// Of calls in memory.
    here: VecDeque<Letter<Box<Record>>>,
    /// Why they could not.
    why: Option<String>,
    tried: Option<Instant>,
}

struct Letter<C> {
    call: C,
    /// Why the call was refused. Those after one another mostly share it.
    reason: Arc<str>,
}

impl Refused {
    pub fn new(letters: Option<Letters>) -> Self {
        Self {
            letters,
            owed: Mutex::default(),
            unsafe_yet: AtomicBool::new(false),
            told: Quiet::default(),
            untold: Quiet::default(),
            overwritten: Quiet::default(),
        }
    }

    /// Why letters cannot be written.
    pub fn trouble(&self) -> Option<String> {
        self.owed.lock().why.clone()
    }

    /// How many letters wait to be written, and how many of their calls are in memory alone.
    pub fn waiting(&self) -> (usize, usize) {
        let owed = self.owed.lock();
        let alone = owed
            .here
            .iter()
            .filter(|letter| letter.call.ticket.is_none());
        (owed.spooled.len() + owed.here.len(), alone.count())
    }

    /// When the oldest of them ended that is in memory.
    pub fn oldest(&self) -> Option<u64> {
        self.owed
            .lock()
            .here
            .front()
            .map(|letter| letter.call.ended)
    }
}

impl Backlog {
    /// A call will never be taken, by the server or by the plugin. Answers what of the spool is owed no more:
    /// nothing, as long as somebody is to look at the call and cannot.
    pub fn refuse(&self, record: Record, reason: &str) -> Option<Ticket> {
        let ticket = record.ticket;
        let Some(letters) = &self.refused.letters else {
            self.count_refused(&record, reason);
            return ticket;
        };
        match self.write_letter(letters, &record, reason) {
            Ok(()) => ticket,
            Err(error) => {
                self.owe(letters, record, reason, &error);
                None
            }
        }
    }

    fn write_letter(
        &self,
        letters: &Letters,
        record: &Record,
        reason: &str,
    ) -> std::io::Result<()> {
        let overwritten = letters.write(&self.redaction.written(record), reason)?;
        self.refused.unsafe_yet.store(true, Relaxed);
        self.metrics.delivery().letter(true);
        self.count_refused(record, reason);
        if overwritten > 0 {
            self.metrics.delivery().letters_overwritten(overwritten);
            let words = || letters.path().display().to_string();
            if let Some(told) = self.refused.overwritten.count(overwritten, words) {
                tell_overwritten(told);
            }
        }
        Ok(())
    }

    fn count_refused(&self, record: &Record, reason: &str) {
        self.settle(Fate::Refused);
        let words = || format!("{reason} (call {})", record.start.call_id);
        if let Some(told) = self.refused.told.count(1, words) {
            self.tell_refused(told);
        }
    }

    fn owe(&self, letters: &Letters, record: Record, reason: &str, error: &std::io::Error) {
        self.metrics.delivery().letter(false);
        let why = unwritten(letters, error);
        if let Some(told) = self.refused.untold.count(1, || why.clone()) {
            tell_unwritten(told);
        }
        let mut owed = self.owed();
        let last = owed.spooled.back().map(|letter| &letter.reason);
        let last = last.or(owed.here.back().map(|letter| &letter.reason));
        let reason = match last.filter(|last| ***last == *reason) {
            Some(last) => last.clone(),
            None => reason.into(),
        };
        match record.written().filter(|call| self.keep_for_letter(*call)) {
            Some(call) => owed.spooled.push_back(Letter { call, reason }),
            None => owed.here.push_back(Letter {
                call: Box::new(record),
                reason,
            }),
        }
        owed.why = Some(why);
        owed.tried.get_or_insert_with(Instant::now);
    }

    /// Lets go of a refused call that only memory has. False: there is none.
    pub(super) fn forget_letter(&self) -> bool {
        let mut owed = self.owed();
        let Some(Letter { call, reason }) = owed.here.pop_front() else {
            return false;
        };
        // What was written of it is better than nothing.
        if let Some(call) = call.ticket {
            self.keep_for_letter(call);
            owed.spooled.push_back(Letter { call, reason });
            return true;
        }
        let why = owed.why.clone().unwrap_or_default();
        drop(owed);
        self.lose(1, &why);
        true
    }

    /// Tells what is untold, and tries letters again that could not be written.
    pub(super) fn keep_letters(&self) {
        if let Some(told) = self.refused.told.rest() {
            self.tell_refused(told);
        }
        if let Some(told) = self.refused.untold.rest() {
            tell_unwritten(told);
        }
        if let Some(told) = self.refused.overwritten.rest() {
            tell_overwritten(told);
        }
        if self
            .owed()
            .tried
            .is_some_and(|tried| tried.elapsed() >= AGAIN)
        {
            self.write_owed();
        }
        self.sync_letters();
    }

    /// Tries those letters, until one cannot be written.
    pub(super) fn write_owed(&self) {
        let Some(letters) = &self.refused.letters else {
            return;
        };
        let result = letters.check().and_then(|()| self.write_all_owed(letters));
        let mut owed = self.owed();
        match result {
            Err(error) => {
                owed.why = Some(unwritten(letters, &error));
                owed.tried = Some(Instant::now());
            }
            // Another may have been refused this very moment.
            Ok(()) if owed.spooled.is_empty() && owed.here.is_empty() => {
                owed.tried = None;
                if owed.why.take().is_some() {
                    let path = letters.path().display();
                    tracing::info!("dead letters are written to {path} again");
                }
            }
            Ok(()) => {}
        }
        if let Some(disk) = &self.disk {
            // The others had to make room.
            owed.spooled.retain(|letter| disk.spool.has(letter.call));
        }
    }

    fn write_all_owed(&self, letters: &Letters) -> std::io::Result<()> {
        loop {
            let Some(letter) = self.owed().spooled.pop_front() else {
                break;
            };
            if let Err(error) = self.write_spooled(letters, &letter) {
                self.keep_for_letter(letter.call);
                self.owed().spooled.push_front(letter);
                return Err(error);
            }
        }
        loop {
            let Some(letter) = self.owed().here.pop_front() else {
                return Ok(());
            };
            if let Err(error) = self.write_letter(letters, &letter.call, &letter.reason) {
                self.owed().here.push_front(letter);
                return Err(error);
            }
            self.done(letter.call.ticket.as_slice());
        }
    }

    fn write_spooled(&self, letters: &Letters, letter: &Letter<Ticket>) -> std::io::Result<()> {
        let Some(disk) = self
            .disk
            .as_ref()
            .filter(|disk| disk.spool.fetch(letter.call))
        else {
            // It had to make room.
            return Ok(());
        };
        match disk.read(letter.call, self.next_key(), &self.budget) {
            Read::Call(record) => self.write_letter(letters, &record, &letter.reason)?,
            // It is left aside: it will be logged again, and refused again.
            Read::NotNow => return Ok(()),
            Read::Lost => self.settle(Fate::Dropped),
        }
        self.done(&[letter.call]);
        Ok(())
    }

    /// Has the spool take what only memory has, if it does.
    pub(super) fn save_letters(&self) {
        if self.disk.is_none() || self.owed().here.is_empty() {
            return;
        }
        let mut here = std::mem::take(&mut self.owed().here);
        self.save(here.iter_mut().map(|letter| &mut *letter.call));
        let (saved, left): (VecDeque<_>, _) = here
            .into_iter()
            .partition(|letter| letter.call.written().is_some());
        let saved = saved.into_iter().filter_map(|Letter { call, reason }| {
            let call = call.ticket?;
            self.keep_for_letter(call);
            Some(Letter { call, reason })
        });
        let saved: Vec<_> = saved.collect();
        let mut owed = self.owed();
        owed.spooled.extend(saved);
        let new = std::mem::replace(&mut owed.here, left);
        owed.here.extend(new);
    }

    /// Has the disk take the letters that were written.
    fn sync_letters(&self) {
        let letters = self.refused.letters.as_ref();
        let letters = letters.filter(|_| self.refused.unsafe_yet.swap(false, Relaxed));
        if let Some(Err(error)) = letters.map(Letters::sync) {
            tracing::error!("dead letters are not safe on the disk: {error}");
        }
    }

    /// The last of it: what only memory has is written to the spool, if that takes it.
    pub(super) fn end_letters(&self) {
        self.write_owed();
        self.save_letters();
        self.sync_letters();
    }

    /// A call of the spool is left there. False: it is not there any more.
    fn keep_for_letter(&self, call: Ticket) -> bool {
        let disk = self.disk.as_ref();
        disk.is_some_and(|disk| disk.spool.leave(call))
    }

    fn tell_refused(&self, (calls, reason): (u64, String)) {
        match &self.refused.letters {
            Some(letters) => tracing::warn!(
                calls,
                "calls cannot be logged and are in {}: {reason}",
                letters.path().display()
            ),
            None => tracing::warn!(calls, "calls cannot be logged: {reason}"),
        }
    }

    fn owed(&self) -> MutexGuard<'_, Owed> {
        self.refused.owed.lock()
    }
}

fn unwritten(letters: &Letters, error: &std::io::Error) -> String {
    let path = letters.path().display();
    format!("dead letters cannot be written to {path} (`dead_letter.file`): {error}")
}

fn tell_unwritten((calls, why): (u64, String)) {
    tracing::error!(calls, "refused calls wait to be written down: {why}");
}

fn tell_overwritten((letters, path): (u64, String)) {
    tracing::warn!(
        letters,
        "the oldest dead letters made room for others: {path}.1 was overwritten (`dead_letter.max_bytes`)"
    );
}
