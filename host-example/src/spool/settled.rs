//! Entries that are done, and files of which nothing is left to be done.

use std::collections::BTreeMap;
use std::io;

use super::index::State;
use super::segment::{self, DONE};
use super::{Spool, Ticket};

impl Spool {
    /// These entries are done. Where that cannot be written down it is tried again with the next that
    /// are; till then they come again after a restart. What fails for one segment is done for the others.
    pub fn settle(&self, tickets: &[Ticket]) -> io::Result<()> {
        let mut offsets: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        // First of all, since what says so otherwise may be removed below.
        for ticket in std::mem::take(&mut *self.unnoted.lock()) {
            offsets
                .entry(ticket.segment)
                .or_default()
                .push(ticket.offset);
        }
        {
            let mut index = self.index.lock();
            for ticket in tickets {
                let place = index.place(*ticket);
                if index.set(place, State::Done) {
                    let of_segment = offsets.entry(place.segment).or_default();
                    of_segment.push(place.offset);
                }
            }
        }
        let mut over = Vec::new();
        let mut settled = Ok(());
        for (segment, offsets) in offsets {
            if self.index.lock().is_over(segment) {
                over.push(segment);
            } else if self.index.lock().has(segment) {
                let noted = segment::write_done(self.path(), segment, &offsets);
                if noted.is_ok() {
                    let bytes = offsets.len() as u64 * u64::from(DONE);
                    self.index.lock().grow(segment, bytes);
                } else {
                    let tickets = offsets.iter().map(|offset| Ticket {
                        segment,
                        offset: *offset,
                    });
                    self.unnoted.lock().extend(tickets);
                }
                settled = settled.and(noted);
            }
        }
        settled.and(self.remove_finished(&over))
    }

    /// Removes those segments of which nothing is left to be done.
    pub(super) fn remove_finished(&self, numbers: &[u32]) -> io::Result<()> {
        let mut removed = Ok(());
        for number in numbers {
            let over = {
                let mut index = self.index.lock();
                let over = index.is_over(*number);
                if over {
                    index.remove(*number);
                }
                over
            };
            if over {
                removed = removed.and(self.unlink(*number));
            }
        }
        removed
    }

    /// Removes a segment's files. Without the first the second means nothing.
    pub(super) fn unlink(&self, number: u32) -> io::Result<()> {
        let path = segment::calls(self.path(), number);
        if self.damaged.lock().remove(&number) {
            std::fs::rename(&path, path.with_extension("damaged"))?;
        } else {
            std::fs::remove_file(&path)?;
        }
        match std::fs::remove_file(segment::done(self.path(), number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
