//! Can calls be kept on disk?

use std::path::Path;

use super::{Finding, Level};
use crate::config::Spool;
use crate::spool::{self, OpenError};

const CHECK: &str = "spool";

/// Opens the spool as the gateway would. What this creates, it removes again: the gateway may run as another user.
pub(super) fn spool(spool: &Spool) -> Finding {
    let dir = &spool.dir;
    let lock = spool::lock_file(dir);
    let (was_there, was_locked) = (dir.exists(), lock.exists());
    let opened = spool::Spool::open(dir, spool.max_bytes);
    let room = room(dir);
    let finding = match &opened {
        Ok((_, found)) => usable(dir, found.entries, spool.max_bytes, room),
        Err(error @ OpenError::InUse { .. }) => Finding::bad(
            Level::Warn,
            CHECK,
            error.to_string(),
            "nothing, if that is the gateway which this configuration is for",
        ),
        Err(error) => Finding::bad(
            Level::Fail,
            CHECK,
            error.to_string(),
            "set `spool.dir` to another directory, or let this user write there",
        ),
    };
    drop(opened);
    // What cannot be removed does no harm.
    if !was_locked {
        let _ = std::fs::remove_file(lock);
    }
    if !was_there {
        let _ = std::fs::remove_dir(dir);
    }
    finding
}

fn usable(dir: &Path, entries: usize, max_bytes: u64, room: Option<u64>) -> Finding {
    let said = format!(
        "{} can be written to; {entries} calls wait in it",
        dir.display()
    );
    match room {
        Some(room) if room < max_bytes => Finding::bad(
            Level::Warn,
            CHECK,
            format!(
                "{said}; the disk has {} MiB left, `spool.max_bytes` is {} MiB",
                room >> 20,
                max_bytes >> 20
            ),
            "make room on the disk, or set `spool.max_bytes` to what it has",
        ),
        _ => Finding::ok(CHECK, said),
    }
}

/// The bytes that this user may still write to the disk.
fn room(dir: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
