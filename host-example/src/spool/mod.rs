//! A queue on disk that outlives its process: what was appended and is not done is there again after a
//! crash.
//!
//! ```text
//! spool/
//!   lock                 held while a process uses the directory
//!   0000000007.calls     a segment: entries, only ever appended to
//!   0000000007.done      which of them are done
//!   0000000008.calls     the segment that is written now
//! ```
//!
//! An entry is handed to the operating system before [`append`](Spool::append) returns: from then on
//! it survives the end of the process, `kill -9` included. [`sync`](Spool::sync), called at intervals
//! by somebody who may wait for a disk, has it survive the end of the machine. No entry is changed once
//! it is written. A segment is removed when all of its entries are done, each on its own. An entry that stays long, as a
//! call that the server fails over does, would hold up its segment's space: where space is short, what is left of such
//! segments is [gathered](Spool::gather) into the one that is written now.
//!
//! `max_bytes` bounds the files' sum. Where it is reached, [`make_room`](Spool::make_room) drops the
//! oldest segment that nobody has anything of.
//!
//! In memory a spool takes 16 bytes an entry. The design follows the logs of Kafka (segments, offsets)
//! and of vector's `disk_v2` buffers (acknowledgement, damage found by checksums).

mod directory;
mod error;
mod frame;
mod gather;
mod index;
mod opening;
mod segment;
mod settled;
#[cfg(test)]
mod tests;
mod upkeep;
mod writer;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

pub use error::{AppendError, OpenError, ReadError};
pub use upkeep::Removed;

use directory::Directory;
use frame::HEAD;
use index::{Index, State};
use opening::Opened;
use segment::START;
use writer::{Entry, Writer};

/// The file whose lock says that a spool's directory is in use.
pub(crate) fn lock_file(directory: &Path) -> PathBuf {
    directory.join(directory::LOCK)
}

/// How long a disk may take for an append before it is left alone. Long enough for a machine that is busy
/// with other things.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long an append waits for another. Every thread that appends may wait so long before one finds out
/// that the disk hangs, and what is not written then can be written later.
const WAIT: Duration = Duration::from_millis(50);
/// Segments a spool consists of when it is full.
const SEGMENTS: u64 = 32;
/// One in so many bytes is kept free for what is gathered.
const RESERVE: u64 = 32;
const SMALLEST_SEGMENT: u64 = 64 << 10;
const LARGEST_SEGMENT: u64 = 32 << 20;

/// Names an entry. Older entries have smaller ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    segment: u32,
    offset: u32,
}

/// A queue on disk.
#[derive(Debug)]
pub struct Spool {
    directory: Directory,
    max_bytes: u64,
    /// What appends need. Taken before `index` where both are.
    writer: Mutex<Writer>,
    /// Somebody has waited for the writer in vain; nobody does any more until it is free.
    stalled: AtomicBool,
    /// Never held during I/O.
    index: Mutex<Index>,
    /// Entries that are done, as others took their place or the disk did not take that they are, until
    /// that is noted.
    unnoted: Mutex<Vec<Ticket>>,
    /// Segments that are kept when they are over, for somebody to look at.
    damaged: Mutex<BTreeSet<u32>>,
}

/// What was there when a spool was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Entries that are not done.
    pub entries: usize,
    /// Bytes of entries that were not written to their end: their writer died.
    pub torn: u64,
    /// Bytes that are no entries though entries follow. Such a segment is kept as `….damaged`.
    pub damaged: u64,
}

/// What a spool holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of its files.
    pub bytes: u64,
    /// Entries that are not done.
    pub entries: usize,
    /// Entries among them that nobody has taken.
    pub waiting: usize,
    /// When the oldest that is not done was appended.
    pub oldest: Option<SystemTime>,
}

impl Spool {
    /// Opens a directory, which is created where it is missing, and finds what is there.
    pub fn open(path: &Path, max_bytes: u64) -> Result<(Self, Found), OpenError> {
        let directory = Directory::take(path)?;
        let mut opened = Opened::default();
        opened.read_all(&directory)?;
        let segment_bytes = (max_bytes / SEGMENTS).clamp(SMALLEST_SEGMENT, LARGEST_SEGMENT);
        let spool = Self {
            writer: Mutex::new(Writer::new(opened.last + 1, segment_bytes)),
            directory,
            max_bytes,
            stalled: AtomicBool::new(false),
            index: Mutex::new(opened.index),
            unnoted: Mutex::new(opened.replaced),
            damaged: Mutex::new(opened.damaged),
        };
        // What could not be removed is tried again at the next start.
        let _ = spool.remove_finished(&opened.segments);
        opened.found.entries = spool.index.lock().live();
        Ok((spool, opened.found))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The bound of its files' sum.
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// Whether an entry of so many bytes has room as it is.
    pub fn has_room(&self, bytes: u64) -> bool {
        let begun = self.index.lock().bytes() + u64::from(START) + HEAD as u64;
        begun + bytes <= self.most_for_new()
    }

    /// What they may grow to by new entries.
    fn most_for_new(&self) -> u64 {
        self.max_bytes - self.max_bytes / RESERVE
    }

    /// Appends an entry, given in parts. It then is the caller's, until it is
    /// [settled](Self::settle) or [put back](Self::put_back). It may take the place of another, which
    /// is settled thereby. Waits for the operating system but not for the disk.
    pub fn append(&self, parts: &[&[u8]], replaces: Option<Ticket>) -> Result<Ticket, AppendError> {
        let bytes: u64 = parts.iter().map(|part| part.len() as u64).sum();
        let max_bytes = self.max_bytes;
        if HEAD as u64 + bytes > max_bytes / 4 {
            return Err(AppendError::TooLarge { bytes, max_bytes });
        }
        let patience = if self.stalled.load(Relaxed) {
            Duration::ZERO
        } else {
            WAIT
        };
        let Some(mut writer) = self.writer.try_lock_for(patience) else {
            self.stalled.store(true, Relaxed);
            return Err(AppendError::Suspended);
        };
        self.stalled.store(false, Relaxed);
        let replaces = replaces.map(|replaced| self.index.lock().place(replaced));
        let entry = Entry {
            parts,
            replaces,
            first_written: None,
        };
        let (ticket, over) = writer.append(self, &entry)?;
        if let Some(replaced) = replaces {
            self.index.lock().set(replaced, State::Done);
            self.unnoted.lock().push(replaced);
        }
        drop(writer);
        // A failure to remove leaves a file that the next start removes.
        let _ = self.remove_finished(&over);
        Ok(ticket)
    }

    /// Drops the oldest segments until so many bytes more have room, and answers how many entries
    /// were lost with them.
    pub fn make_room(&self, bytes: u64) -> usize {
        let mut lost = 0;
        loop {
            let number = {
                let mut index = self.index.lock();
                let wanted = index.bytes() + bytes + u64::from(START) + HEAD as u64;
                if wanted <= self.most_for_new() {
                    return lost;
                }
                let Some(number) = index.droppable() else {
                    return lost;
                };
                lost += index.remove(number);
                number
            };
            // Until it is gone it does not count, but the next one is only dropped after it.
            let _ = self.unlink(number);
        }
    }

    /// Takes the oldest entry that nobody has, if it is older than this one.
    pub fn take_before(&self, limit: Option<Ticket>) -> Option<Ticket> {
        self.index.lock().take_before(limit)
    }

    /// What an entry says.
    pub fn read(&self, ticket: Ticket) -> Result<Vec<u8>, ReadError> {
        let mut place = self.index.lock().place(ticket);
        loop {
            let read = segment::read(self.path(), place.segment, place.offset);
            let now = self.index.lock().place(ticket);
            match read {
                // It has been moved meanwhile.
                Err(_) if now != place => place = now,
                read => {
                    return read?.ok_or_else(|| {
                        self.damaged.lock().insert(place.segment);
                        ReadError::Damaged
                    });
                }
            }
        }
    }

    /// Gives an entry back, to be taken again. False: it is not there any more.
    pub fn put_back(&self, ticket: Ticket) -> bool {
        self.set(ticket, State::Waiting)
    }

    /// Leaves an entry, which is not to be taken by others, until it is [fetched](Self::fetch). It may be dropped
    /// meanwhile. False: it is not there any more.
    pub fn leave(&self, ticket: Ticket) -> bool {
        self.set(ticket, State::Aside)
    }

    /// Takes an entry that was left. False: it is not there any more.
    pub fn fetch(&self, ticket: Ticket) -> bool {
        self.set(ticket, State::Taken)
    }

    fn set(&self, ticket: Ticket, state: State) -> bool {
        let mut index = self.index.lock();
        let place = index.place(ticket);
        index.set(place, state)
    }

    /// Waits until the disk has all that was appended.
    pub fn sync(&self) -> io::Result<()> {
        let (files, begun) = self.writer.lock().unsynced();
        for file in files {
            file.sync_data()?;
        }
        if begun { self.directory.sync() } else { Ok(()) }
    }

    /// Nothing more is appended for now. A segment that is over goes at once.
    pub fn close(&self) -> io::Result<()> {
        let over = self.writer.lock().close(self);
        self.remove_finished(&over)
    }

    /// What it holds.
    pub fn usage(&self) -> Usage {
        let mut index = self.index.lock();
        let since = |seconds: u32| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into());
        Usage {
            bytes: index.bytes(),
            entries: index.live(),
            waiting: index.waiting(),
            oldest: index.oldest().map(since),
        }
    }
}
