//! What has to be done at intervals.

use std::collections::VecDeque;

use super::Backlog;
use super::disk::Disk;

impl Backlog {
    /// What has to be done at intervals, by somebody who may wait for a disk.
    pub fn keep(&self) {
        if let Some(told) = self.lost.rest() {
            self.tell_lost(told);
        }
        if let Some(told) = self.refused.rest() {
            self.tell_refused(told);
        }
        let Some(disk) = &self.disk else {
            return;
        };
        self.write_unwritten(disk);
        disk.keep(|calls| self.lose(calls, disk.full()));
    }

    /// Tries calls again that the disk did not take when they came.
    fn write_unwritten(&self, disk: &Disk) {
        let mut unwritten: VecDeque<_> = {
            let mut waiting = self.lock();
            if !std::mem::replace(&mut waiting.unwritten, false) {
                return;
            }
            let calls = std::mem::take(&mut waiting.calls);
            let (unwritten, rest): (VecDeque<_>, _) =
                calls.into_iter().partition(|call| call.ticket.is_none());
            waiting.calls = rest;
            waiting.away = unwritten.len();
            unwritten
        };
        for record in &mut unwritten {
            if !disk.write(record, |calls| self.lose(calls, disk.full())) {
                break;
            }
        }
        let mut waiting = self.lock();
        waiting.away = 0;
        waiting.unwritten |= unwritten.iter().any(|call| call.ticket.is_none());
        for record in unwritten.into_iter().rev() {
            waiting.calls.push_front(record);
        }
        drop(waiting);
        self.more.notify_waiters();
        self.more.notify_one();
    }

    /// The last of it: nothing will be pushed or taken any more.
    pub fn end(&self) {
        self.keep();
        if let Some(disk) = &self.disk {
            disk.end();
        }
    }

    /// What stands in the way of keeping calls safe, if anything does.
    pub fn trouble(&self) -> Option<String> {
        self.disk.as_ref().and_then(Disk::trouble)
    }

    /// How many calls stay in the spool, and how many are lost with this process.
    pub fn left(&self) -> (usize, usize) {
        let disk = self.disk.as_ref();
        let kept = disk.map_or(0, |disk| disk.spool.usage().entries);
        let waiting = self.lock();
        let lost = waiting.calls.iter().filter(|call| call.ticket.is_none());
        (kept, lost.count())
    }
}
