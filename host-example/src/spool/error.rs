//! How a spool fails.

use std::io;
use std::path::PathBuf;

/// A spool cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or a file in it cannot be used.
    #[error("{} {what}: {reason}; it has to be a directory that this user may write to", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What cannot be done.
        what: &'static str,
        /// Why not.
        reason: io::Error,
    },
    /// Another process uses it.
    #[error("{} is in use by another gateway (process {process}); each needs a directory of its own", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The other process's id.
        process: String,
    },
    /// A segment was written by another version.
    #[error(
        "{} has format {version}, which this version does not read; have the version that wrote it \
         deliver what it holds, or move the file away", path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: u32,
    },
}

/// An entry was not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// It is larger than an entry may be.
    #[error(
        "{bytes} bytes are more than an entry may have: a quarter of `max_bytes` ({max_bytes})"
    )]
    TooLarge {
        /// Its bytes.
        bytes: u64,
        /// What all entries may take.
        max_bytes: u64,
    },
    /// The spool is full, and all that it holds is being worked on.
    #[error("`max_bytes` ({0}) are used up by what is being delivered")]
    Full(u64),
    /// The disk does not take it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The disk has failed, or has taken too long, a moment ago.
    #[error("the disk is left alone for a moment after it has failed or stalled")]
    Suspended,
}

/// An entry was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// What is there is not what was written.
    #[error("it is damaged")]
    Damaged,
    /// The disk does not give it.
    #[error(transparent)]
    Io(#[from] io::Error),
}
