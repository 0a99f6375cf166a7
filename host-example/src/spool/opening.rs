//! A spool's directory, read at its start.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::directory::Directory;
use super::frame::HEAD;
use super::index::{Index, State};
use super::segment;
use super::{Found, OpenError, Ticket};

/// A spool while it is opened.
#[derive(Default)]
pub(super) struct Opened {
    pub index: Index,
    pub segments: Vec<u32>,
    pub last: u32,
    pub damaged: BTreeSet<u32>,
    pub found: Found,
    pub replaced: Vec<Ticket>,
}

impl Opened {
    /// Reads what is there.
    pub fn read_all(&mut self, directory: &Directory) -> Result<(), OpenError> {
        let failed = |what| {
            move |reason| OpenError::Io {
                path: directory.path().to_owned(),
                what,
                reason,
            }
        };
        (self.segments, self.last) = directory.segments().map_err(failed("cannot be listed"))?;
        for number in self.segments.clone() {
            self.read(directory.path(), number)
                .map_err(failed("cannot be read"))?
                .map_err(|version| OpenError::Version {
                    path: segment::calls(directory.path(), number),
                    version,
                })?;
        }
        let index = &mut self.index;
        self.replaced
            .retain(|ticket| index.set(*ticket, State::Done));
        Ok(())
    }

    fn read(&mut self, dir: &Path, number: u32) -> io::Result<Result<(), u32>> {
        let scan = match segment::scan(dir, number)? {
            Ok(scan) => scan,
            Err(version) => return Ok(Err(version)),
        };
        let done = segment::read_done(dir, number)?;
        let length = |path| std::fs::metadata(path).map_or(0, |file| file.len());
        let index = &mut self.index;
        index.begin(
            number,
            length(segment::calls(dir, number)) + length(segment::done(dir, number)),
        );
        for (offset, head) in scan.entries {
            let ticket = Ticket {
                segment: number,
                offset,
            };
            let len = HEAD as u64 + u64::from(head.len);
            index.add(ticket, len, head.at, State::Waiting);
            self.replaced.extend(head.replaces);
        }
        for offset in done {
            let ticket = Ticket {
                segment: number,
                offset,
            };
            index.set(ticket, State::Done);
        }
        index.seal(number);
        self.found.torn += scan.torn;
        self.found.damaged += scan.damaged;
        if scan.damaged > 0 {
            self.damaged.insert(number);
        }
        Ok(Ok(()))
    }
}
