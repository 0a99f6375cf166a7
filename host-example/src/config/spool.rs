//! The tables that say what is kept on disk.

use std::path::PathBuf;

use super::read::Reader;

/// `[spool]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spool {
    /// The directory.
    pub dir: PathBuf,
    /// The most it may grow to.
    pub max_bytes: u64,
}

impl Spool {
    /// One of the usual size in this directory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            max_bytes: SPOOL_BYTES,
        }
    }
}

/// `[dead_letter]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The file. Absent: in the spool's directory, if there is one.
    pub file: Option<PathBuf>,
    /// The most that it and the one before it may grow to together.
    pub max_bytes: u64,
}

impl Default for DeadLetter {
    fn default() -> Self {
        Self {
            file: None,
            max_bytes: 64 << 20,
        }
    }
}

/// What a spool may grow to if the configuration does not say.
pub(super) const SPOOL_BYTES: u64 = 1 << 30;

pub(super) fn spool(spool: &mut Reader<'_>) -> Option<Spool> {
    let dir = path(spool, "dir");
    let max_bytes = spool.count("max_bytes", 1 << 20).unwrap_or(SPOOL_BYTES);
    let dir = spool.required("dir", dir)?;
    Some(Spool { dir, max_bytes })
}

pub(super) fn dead_letter(letters: &mut Reader<'_>) -> Option<DeadLetter> {
    let default = DeadLetter::default();
    Some(DeadLetter {
        file: path(letters, "file"),
        max_bytes: letters
            .count("max_bytes", 1 << 16)
            .unwrap_or(default.max_bytes),
    })
}

fn path(table: &mut Reader<'_>, key: &'static str) -> Option<PathBuf> {
    let path = table.text(key)?;
    if path.is_empty() {
        table.fault(key, "is empty; name a path, or leave the table out");
    }
    Some(PathBuf::from(path))
}
