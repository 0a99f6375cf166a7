//! The segment that is written now.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::frame::{HEAD, Head};
use super::index::State;
use super::segment::{self, START};
use super::{AppendError, PATIENCE, Spool, Ticket};

/// How long the disk is left alone after it has failed or stalled.
const REST: Duration = Duration::from_secs(1);
/// Parts are written together up to this length.
const TOGETHER: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Writer {
    current: Option<Current>,
    next: u32,
    segment_bytes: u64,
    suspended_until: Option<Instant>,
    /// What the disk may not have yet.
    unsynced: Vec<Arc<File>>,
    /// Files were created that the disk's directory may not have yet.
    begun: bool,
    scratch: Vec<u8>,
}

/// What is to be appended.
pub(super) struct Entry<'p> {
    pub parts: &'p [&'p [u8]],
    /// The one whose place it takes.
    pub replaces: Option<Ticket>,
    /// When it was, in milliseconds since 1970, where it is a copy.
    pub first_written: Option<u64>,
}

#[derive(Debug)]
struct Current {
    number: u32,
    file: Arc<File>,
    len: u64,
    /// Written to since the last sync.
    dirty: bool,
}

impl Writer {
    /// The next segment has this number.
    pub fn new(next: u32, segment_bytes: u64) -> Self {
        Self {
            current: None,
            next,
            segment_bytes,
            suspended_until: None,
            unsynced: Vec::new(),
            begun: false,
            scratch: Vec::new(),
        }
    }

    /// Appends an entry that is taken, and answers which segments are over since.
    pub fn append(
        &mut self,
        spool: &Spool,
        entry: &Entry<'_>,
    ) -> Result<(Ticket, Vec<u32>), AppendError> {
        let began = Instant::now();
        if self.suspended_until.is_some_and(|until| began < until) {
            return Err(AppendError::Suspended);
        }
        let mut over = Vec::new();
        let appended = self.try_append(spool, entry, &mut over);
        let failed = matches!(appended, Err(AppendError::Io(_)));
        let rest = failed || began.elapsed() > PATIENCE;
        self.suspended_until = rest.then(|| Instant::now() + REST);
        Ok((appended?, over))
    }

    fn try_append(
        &mut self,
        spool: &Spool,
        entry: &Entry<'_>,
        over: &mut Vec<u32>,
    ) -> Result<Ticket, AppendError> {
        let body: usize = entry.parts.iter().map(|part| part.len()).sum();
        let frame = (HEAD + body) as u64;
        let fits = |current: &Current| {
            current.len == u64::from(START) || current.len + frame <= self.segment_bytes
        };
        let rolls = !self.current.as_ref().is_some_and(fits);
        let start = if rolls { u64::from(START) } else { 0 };
        let most = match entry.first_written {
            Some(_) => spool.max_bytes,
            None => spool.most_for_new(),
        };
        if spool.index.lock().bytes() + start + frame > most {
            return Err(AppendError::Full(spool.max_bytes));
        }
        if rolls {
            self.seal(spool, over);
            self.begin(spool)?;
        }
        let head = head(entry, body)?;
        let Some(current) = &mut self.current else {
            return Err(AppendError::Suspended);
        };
        let ticket = Ticket {
            segment: current.number,
            offset: u32::try_from(current.len).map_err(io::Error::other)?,
        };
        let bytes = head.to_bytes();
        let whole = std::iter::once(bytes.as_slice()).chain(entry.parts.iter().copied());
        if let Err(error) = write(&current.file, whole, &mut self.scratch) {
            // Where that fails too, the rest is found to be torn at the next start.
            let _ = current.file.set_len(current.len);
            self.seal(spool, over);
            return Err(error.into());
        }
        current.len += frame;
        current.dirty = true;
        let mut index = spool.index.lock();
        index.grow(ticket.segment, frame);
        index.add(ticket, frame, head.at, State::Taken);
        Ok(ticket)
    }

    /// Ends the current segment.
    fn seal(&mut self, spool: &Spool, over: &mut Vec<u32>) {
        let Some(current) = self.current.take() else {
            return;
        };
        if current.dirty {
            self.unsynced.push(current.file);
        }
        if spool.index.lock().seal(current.number) {
            over.push(current.number);
        }
    }

    /// The disk is tried again, whatever came of it last.
    pub fn resume(&mut self) {
        self.suspended_until = None;
    }

    /// This segment is gone: what comes next begins another.
    pub fn abandon(&mut self, number: u32) {
        self.current.take_if(|current| current.number == number);
    }

    /// Ends the current segment, and answers which are over.
    pub fn close(&mut self, spool: &Spool) -> Vec<u32> {
        let mut over = Vec::new();
        self.seal(spool, &mut over);
        over
    }

    fn begin(&mut self, spool: &Spool) -> io::Result<()> {
        let number = self.next;
        // Where it is not begun, its file may be there all the same.
        self.next = number
            .checked_add(1)
            .ok_or_else(|| io::Error::other("no more segments can be numbered"))?;
        let file = segment::begin(spool.path(), number)?;
        self.begun = true;
        self.current = Some(Current {
            number,
            file: Arc::new(file),
            len: START.into(),
            dirty: true,
        });
        spool.index.lock().begin(number, START.into());
        Ok(())
    }

    /// The files that the disk may not have whole, and whether files were created. They are the
    /// caller's to sync.
    pub fn unsynced(&mut self) -> (Vec<Arc<File>>, bool) {
        let mut files = std::mem::take(&mut self.unsynced);
        if let Some(current) = &mut self.current
            && std::mem::replace(&mut current.dirty, false)
        {
            files.push(current.file.clone());
        }
        (files, std::mem::replace(&mut self.begun, false))
    }
}

fn head(entry: &Entry<'_>, body: usize) -> io::Result<Head> {
    let mut crc = crc32fast::Hasher::new();
    for part in entry.parts {
        crc.update(part);
    }
    // A clock before 1970 makes for an old entry, and for nothing else.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |at| u64::try_from(at.as_millis()).unwrap_or(0));
    Ok(Head {
        len: u32::try_from(body).map_err(io::Error::other)?,
        replaces: entry.replaces,
        at: entry.first_written.unwrap_or(now),
        crc: crc.finalize(),
    })
}

/// Writes all parts, short ones together.
fn write<'p>(
    mut file: &File,
    parts: impl Iterator<Item = &'p [u8]>,
    scratch: &mut Vec<u8>,
) -> io::Result<()> {
    scratch.clear();
    for part in parts {
        if scratch.len() + part.len() > TOGETHER {
            file.write_all(scratch)?;
            scratch.clear();
        }
        if part.len() >= TOGETHER {
            file.write_all(part)?;
        } else {
            scratch.extend_from_slice(part);
        }
    }
    file.write_all(scratch)
}
