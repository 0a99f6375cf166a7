//! What may happen to a spool's files while it is used: a disk that works again, and files that somebody
//! removes.

use std::io::{self, Write};

use super::directory::create;
use super::{OpenError, Spool, Ticket, segment};

/// The file that tries the disk. It means nothing.
const PROBE: &str = "probe";
/// How much is written to it: more than a disk has left that is as good as full.
const PROBED: usize = 64 << 10;

/// Files that somebody removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// How many segments are gone.
    pub segments: usize,
    /// Entries of them that nobody has, and that are lost.
    pub entries: usize,
}

impl Spool {
    /// Tries whether the disk takes what is written. Waits for it where it is slow.
    pub fn probe(&self) -> io::Result<()> {
        let path = self.path().join(PROBE);
        let file = create().write(true).create(true).truncate(true).open(&path);
        let written = file.and_then(|mut file| file.write_all(&[0; PROBED]));
        // Where it stays, the next one takes its place.
        let _ = std::fs::remove_file(&path);
        written
    }

    /// The next append tries the disk, though it has failed or stalled a moment ago.
    pub fn resume(&self) {
        if let Some(mut writer) = self.writer.try_lock() {
            writer.resume();
        }
    }

    /// Whether an entry's file is there, as far as that is known.
    pub fn has(&self, ticket: Ticket) -> bool {
        let index = self.index.lock();
        index.has(index.place(ticket).segment)
    }

    /// Has the directory be nobody else's though somebody has removed the lock.
    pub fn keep_lock(&self) -> Result<(), OpenError> {
        self.directory.keep()
    }

    /// Forgets what was in files that are not there any more. Entries of them that somebody has can be
    /// appended again.
    pub fn forget_removed(&self) -> Removed {
        let numbers = self.index.lock().numbers();
        let mut removed = Removed::default();
        for number in numbers {
            let path = segment::calls(self.path(), number);
            let found = std::fs::symlink_metadata(path);
            // The directory may have become a file.
            let gone = |error: io::Error| {
                use io::ErrorKind::{NotADirectory, NotFound};
                matches!(error.kind(), NotFound | NotADirectory)
            };
            if !found.is_err_and(gone) {
                continue;
            }
            let mut writer = self.writer.lock();
            let mut index = self.index.lock();
            // One that is over may just have been removed by this process.
            if index.has(number) && !index.is_over(number) {
                writer.abandon(number);
                removed.segments += 1;
                removed.entries += index.remove(number);
            }
        }
        removed
    }
}
