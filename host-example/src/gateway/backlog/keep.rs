//! What has to be done at intervals.

use std::collections::VecDeque;

use super::disk::{Disk, Written};
use super::{Backlog, REMOVED};
use crate::gateway::record::Record;

impl Backlog {
    /// What has to be done at intervals, by somebody who may wait for a disk.
    pub fn keep(&self) {
        // A worker may not be back from the plugin as soon as it should.
        self.leave_to_others();
        if let Some(told) = self.lost.rest() {
            self.tell_lost(told);
        }
        if let Some(told) = self.cut.rest() {
            self.tell_cut(told);
        }
        self.keep_letters();
        let Some(disk) = &self.disk else {
            return;
        };
        if disk.is_due() {
            self.save_letters();
            self.forget_removed(disk);
            disk.look_after();
            self.put_back_unread(disk);
        }
        self.write_unwritten(disk);
        disk.keep(|calls| self.lose(calls, disk.full()));
    }

    /// Finds out which calls are where they were written, and has the others written again.
    fn forget_removed(&self, disk: &Disk) {
        let removed = disk.forget_removed();
        if removed.segments > 0 {
            self.lose(removed.entries, REMOVED);
            self.lock().unwritten = true;
        }
    }

    /// Has calls be read again that could not be. Others went before them meanwhile: where it is one place of
    /// the disk that fails, it holds up no other call.
    fn put_back_unread(&self, disk: &Disk) {
        for ticket in disk.left_aside() {
            self.put_back(disk, ticket);
            self.more.notify_one();
        }
    }

    /// Tries waiting calls again that the disk did not take when they came.
    fn write_unwritten(&self, disk: &Disk) {
        let mut unwritten: VecDeque<_> = {
            let mut waiting = self.lock();
            if !std::mem::replace(&mut waiting.unwritten, false) {
                return;
            }
            let mut calls = std::mem::take(&mut waiting.calls);
            calls.iter_mut().for_each(|call| disk.check(call));
            let (unwritten, rest): (VecDeque<_>, _) =
                calls.into_iter().partition(|call| call.written().is_none());
            waiting.calls = rest;
            waiting.away = unwritten.len();
            unwritten
        };
        let taken = self.save(&mut unwritten);
        let mut waiting = self.lock();
        waiting.away = 0;
        waiting.unwritten |= !taken;
        for record in unwritten.into_iter().rev() {
            waiting.calls.push_front(record);
        }
        drop(waiting);
        self.more.notify_waiters();
        self.more.notify_one();
    }

    /// Writes those of these calls that the disk did not take when they came. False: it does not take them
    /// now either.
    pub fn save<'r>(&self, calls: impl IntoIterator<Item = &'r mut Record>) -> bool {
        let Some(disk) = &self.disk else {
            return true;
        };
        let mut takes = true;
        // What was shed is nowhere else: there is nothing to write.
        for record in calls.into_iter().filter(|call| !call.is_shed()) {
            disk.check(record);
            if takes && record.written().is_none() {
                let written = disk.write(record, |calls| self.lose(calls, disk.full()));
                takes = written != Written::NotNow;
            }
        }
        takes
    }

    /// The same for the last time: a disk that failed a moment ago is tried all the same.
    pub fn save_at_last<'r>(&self, calls: impl IntoIterator<Item = &'r mut Record>) {
        if let Some(disk) = &self.disk {
            disk.spool.resume();
            self.save(calls);
        }
    }

    /// Whether calls are written to a disk.
    pub fn is_spooled(&self) -> bool {
        self.disk.is_some()
    }

    /// The last of it: nothing will be pushed or taken any more.
    pub fn end(&self) {
        self.keep();
        if let Some(disk) = &self.disk {
            disk.spool.resume();
            self.lock().unwritten = true;
            self.write_unwritten(disk);
        }
        self.end_letters();
        if let Some(disk) = &self.disk {
            disk.end();
        }
    }

    /// What stands in the way of keeping calls safe, if anything does.
    pub fn trouble(&self) -> Option<String> {
        let trouble = self.disk.as_ref().and_then(Disk::trouble);
        trouble.or_else(|| self.refused.trouble())
    }

    /// How many calls stay in the spool, and how many are lost with this process.
    pub fn left(&self) -> (usize, usize) {
        let disk = self.disk.as_ref();
        let kept = disk.map_or(0, |disk| disk.spool.usage().entries);
        let (_, refused) = self.refused.waiting();
        let waiting = self.lock();
        let lost = waiting.calls.iter().filter(|call| call.ticket.is_none());
        // Those that are away are so for good where the disk hangs.
        (kept, lost.count() + waiting.away + refused)
    }
}
