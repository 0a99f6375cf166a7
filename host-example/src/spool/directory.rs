//! The spool's directory: whose it is, and what is in it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::OpenError;
use super::segment;
use crate::same_file::is_at;

/// The file whose lock says that the directory is in use. The lock ends with the process.
pub(super) const LOCK: &str = "lock";

/// How files are opened that may have to be created: what callers and models said is nobody else's.
pub(super) fn create() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// A directory that this process has to itself.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    lock: Mutex<File>,
}

impl Directory {
    /// Creates the directory where it is missing, and takes it.
    pub fn take(path: &Path) -> Result<Self, OpenError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed(path, "cannot be created"))?;
        Ok(Self {
            path: path.to_owned(),
            lock: Mutex::new(lock(path)?),
        })
    }

    /// Takes the directory again where somebody has removed the lock.
    pub fn keep(&self) -> Result<(), OpenError> {
        let mut held = self.lock.lock();
        if !is_at(&held, &self.path.join(LOCK)) {
            *held = lock(&self.path)?;
        }
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The numbers of its segments, in order, and the highest that any file has.
    pub fn segments(&self) -> io::Result<(Vec<u32>, u32)> {
        let mut numbers = Vec::new();
        let mut last = 0;
        for entry in std::fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            let Some((number, extension)) = name.to_str().and_then(|name| name.split_once('.'))
            else {
                continue;
            };
            if let Ok(number) = number.parse() {
                last = last.max(number);
                if extension == segment::CALLS && number > 0 {
                    numbers.push(number);
                }
            }
        }
        numbers.sort_unstable();
        Ok((numbers, last))
    }

    /// Has the machine's disk know of files that were created and removed.
    pub fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

fn failed(path: &Path, what: &'static str) -> impl Fn(io::Error) -> OpenError {
    move |reason| OpenError::Io {
        path: path.to_owned(),
        what,
        reason,
    }
}

/// The lock of a directory, which says whose it is.
fn lock(path: &Path) -> Result<File, OpenError> {
    let lock = create()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path.join(LOCK))
        .map_err(failed(path, "cannot be written to"))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(OpenError::InUse {
                path: path.to_owned(),
                process: read(&lock).unwrap_or_default().trim().to_owned(),
            });
        }
        Err(TryLockError::Error(reason)) => return Err(failed(path, "cannot be locked")(reason)),
    }
    let own = format!("{}\n", std::process::id());
    let written = lock
        .set_len(0)
        .and_then(|()| (&lock).write_all(own.as_bytes()));
    written.map_err(failed(path, "cannot be written to"))?;
    Ok(lock)
}

fn read(mut file: &File) -> io::Result<String> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}
