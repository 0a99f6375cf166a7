//! What is left of old segments, brought together: entries that stay for long, one here and one there, would else hold
//! up the space of all those that are done.

use super::writer::Entry;
use super::{Spool, Ticket, segment};

impl Spool {
    /// Where the files take more than half of what they may, copies what little is left of old segments to the one that
    /// is written now, and removes those. Tickets stay good. Waits for the disk; what it does not take stays where it is.
    pub fn gather(&self) {
        let mut last = 0;
        while self.index.lock().bytes() > self.max_bytes / 2 {
            let Some((number, entries)) = self.index.lock().sparse(last) else {
                return;
            };
            last = number;
            let moved: Vec<_> = entries
                .into_iter()
                .map_while(|(entry, first_written)| self.copy(entry, first_written))
                .collect();
            if moved.is_empty() {
                continue;
            }
            // The copies are safe before anything is removed.
            if self.sync().is_err() {
                return;
            }
            self.unnoted.lock().extend(moved);
            // A failure to remove leaves a file that the next start removes.
            let _ = self.remove_finished(&[number]);
        }
    }

    /// Copies an entry, and answers where it was. None: that cannot be.
    fn copy(&self, entry: Ticket, first_written: u64) -> Option<Ticket> {
        let body = segment::read(self.path(), entry.segment, entry.offset);
        let body = body.ok().flatten()?;
        let mut writer = self.writer.lock();
        let (copy, over) = writer
            .append(
                self,
                &Entry {
                    parts: &[&body],
                    replaces: Some(entry),
                    first_written: Some(first_written),
                },
            )
            .ok()?;
        self.index.lock().move_to(entry, copy);
        drop(writer);
        let _ = self.remove_finished(&over);
        Some(entry)
    }
}
