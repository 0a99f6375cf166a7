//! Calls that can never be delivered, and their letters.
//!
//! A letter that cannot be written is tried again once a second. Its call stays in the spool meanwhile; one that is in
//! no spool stays in memory, and is the first to make room for others.

use std::collections::VecDeque;
use std::sync::Arc;
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
    told: Quiet,
    untold: Quiet,
    overwritten: Quiet,
}

/// Letters that could not be written.
#[derive(Default)]
struct Owed {
    letters: VecDeque<Letter>,
    /// Why they could not.
    why: Option<String>,
    tried: Option<Instant>,
}

struct Letter {
    call: Call,
    /// Why the call was refused. Those after one another mostly share it.
    reason: Arc<str>,
}

enum Call {
    Spooled(Ticket),
    Here(Box<Record>),
}

impl Refused {
    pub fn new(letters: Option<Letters>) -> Self {
        Self {
            letters,
            owed: Mutex::default(),
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
        let here =
            |letter: &&Letter| matches!(&letter.call, Call::Here(call) if call.ticket.is_none());
        (owed.letters.len(), owed.letters.iter().filter(here).count())
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
        let call = match record.written() {
            Some(ticket) => Call::Spooled(ticket),
            None => Call::Here(Box::new(record)),
        };
        let mut owed = self.refused.owed.lock();
        let last = owed.letters.back().map(|letter| &letter.reason);
        let reason = match last.filter(|last| ***last == *reason) {
            Some(last) => last.clone(),
            None => reason.into(),
        };
        owed.letters.push_back(Letter { call, reason });
        owed.why = Some(why);
        owed.tried.get_or_insert_with(Instant::now);
    }

    /// Lets go of a refused call that only memory has. False: there is none.
    pub(super) fn forget_letter(&self) -> bool {
        let mut owed = self.owed();
        let here = |letter: &Letter| matches!(letter.call, Call::Here(_));
        let Some(place) = owed.letters.iter().position(here) else {
            return false;
        };
        let ticket = match &owed.letters[place].call {
            Call::Here(record) => record.ticket,
            Call::Spooled(ticket) => Some(*ticket),
        };
        // What was written of it is better than nothing.
        if let Some(ticket) = ticket {
            owed.letters[place].call = Call::Spooled(ticket);
            return true;
        }
        owed.letters.remove(place);
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
            Ok(()) if owed.letters.is_empty() => {
                owed.tried = None;
                if owed.why.take().is_some() {
                    let path = letters.path().display();
                    tracing::info!("dead letters are written to {path} again");
                }
            }
            Ok(()) => {}
        }
    }

    fn write_all_owed(&self, letters: &Letters) -> std::io::Result<()> {
        loop {
            let Some(letter) = self.owed().letters.pop_front() else {
                return Ok(());
            };
            if let Err(error) = self.write_one_owed(letters, &letter) {
                self.owed().letters.push_front(letter);
                return Err(error);
            }
        }
    }

    fn write_one_owed(&self, letters: &Letters, letter: &Letter) -> std::io::Result<()> {
        let ticket = match &letter.call {
            Call::Here(record) => {
                self.write_letter(letters, record, &letter.reason)?;
                record.ticket
            }
            Call::Spooled(ticket) => {
                let Some(disk) = &self.disk else {
                    return Ok(());
                };
                match disk.read(*ticket, self.next_key(), &self.budget) {
                    Read::Call(record) => self.write_letter(letters, &record, &letter.reason)?,
                    // It is left aside: it will be logged again, and refused again.
                    Read::NotNow => return Ok(()),
                    Read::Lost => self.settle(Fate::Dropped),
                }
                Some(*ticket)
            }
        };
        self.done(ticket.as_slice());
        Ok(())
    }

    /// The last of it: what only memory has is written to the spool, if that takes it.
    pub(super) fn end_letters(&self) {
        self.write_owed();
        let mut left = std::mem::take(&mut self.owed().letters);
        self.save(left.iter_mut().filter_map(|letter| match &mut letter.call {
            Call::Here(record) => Some(&mut **record),
            Call::Spooled(_) => None,
        }));
        self.owed().letters = left;
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
