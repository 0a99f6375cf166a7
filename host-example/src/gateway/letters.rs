//! Calls that can never be delivered, in a file for somebody to look at: one line of JSON each.
//!
//! `call_id`, `time` and `reason` say what became of it, `event` holds the call as it would have been
//! logged: what the request was, what the response. The file holds what callers and models said, so it
//! is its owner's alone. When it has reached half of its bound it becomes `….1`, in the place of the
//! one before. Somebody else may move it or remove it at any time: then another is begun.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::record::written::Written;
use super::record::{Copied, Fields};
use crate::same_file::is_at;

/// At most so much of each body is kept, where the bound leaves room for it.
const BODY: u64 = 1 << 20;
/// What a letter may take of that: as large a part of the bound for each body lets two of them, escaped, fit into half.
const BODY_SHARE: u64 = 32;

/// The file of calls that were refused.
pub(super) struct Letters {
    path: PathBuf,
    max_bytes: u64,
    open: Mutex<Open>,
}

struct Open {
    file: File,
    bytes: u64,
    /// How many letters it holds, and how many the one before it does.
    letters: [u64; 2],
    /// The ids of those that it holds, hashed: a call that was written down and then came again,
    /// since the process had died in between, is not written twice.
    known: HashSet<u64>,
}

impl Letters {
    /// Opens the file, which is created where it is missing.
    pub fn open(path: &Path, max_bytes: u64) -> io::Result<Self> {
        let [here, before] = [ids(path)?, ids(&older(path))?];
        let letters = [here.len() as u64, before.len() as u64];
        let known = here.into_iter().chain(before).collect();
        let (file, bytes) = open(path)?;
        Ok(Self {
            path: path.to_owned(),
            max_bytes,
            open: Mutex::new(Open {
                file,
                bytes,
                letters,
                known,
            }),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is there, or can be begun.
    pub fn check(&self) -> io::Result<()> {
        self.lock().find(&self.path)
    }

    /// Adds a call, and answers how many letters were overwritten for it: those of the file before this one.
    pub fn write(&self, call: &Written<'_>, reason: &str) -> io::Result<u64> {
        let mut open = self.lock();
        let id = hash(&call.start.call_id);
        if open.known.contains(&id) {
            return Ok(0);
        }
        let mut overwritten = 0;
        let most = BODY.min(self.max_bytes / BODY_SHARE);
        let mut line = letter(call, reason, most as usize).to_string();
        line.push('\n');
        let length = line.len() as u64;
        open.find(&self.path)?;
        if open.bytes > 0 && open.bytes + length > self.max_bytes / 2 {
            match std::fs::rename(&self.path, older(&self.path)) {
                // Somebody has moved it this very moment.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Err(_) => open.letters[0] = 0,
                Ok(()) => {
                    let [here, before] = open.letters;
                    open.letters = [0, here];
                    overwritten = before;
                }
            }
            (open.file, open.bytes) = self::open(&self.path)?;
        }
        if let Err(error) = open.file.write_all(line.as_bytes()) {
            // Its beginning may be there, and the next line is to be one of its own.
            let _ = open.file.set_len(open.bytes);
            return Err(error);
        }
        open.bytes += length;
        open.letters[0] += 1;
        open.known.insert(id);
        Ok(overwritten)
    }

    /// Waits until the disk has what was written.
    pub fn sync(&self) -> io::Result<()> {
        let file = self.lock().file.try_clone()?;
        file.sync_data()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Opens what is there now, where somebody has moved the file or removed it.
    fn find(&mut self, path: &Path) -> io::Result<()> {
        if !is_at(&self.file, path) {
            (self.file, self.bytes) = open(path)?;
            self.letters[0] = ids(path)?.len() as u64;
        }
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    let mut bytes = file.metadata()?.len();
    let mut last = [0];
    if bytes > 0 && file.read_exact_at(&mut last, bytes - 1).is_ok() && last != *b"\n" {
        // A line that was not written to its end; the next one is to be one of its own.
        file.write_all(b"\n")?;
        bytes += 1;
    }
    Ok((file, bytes))
}

fn older(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

/// The ids in a file. What is no letter, such as a line that was not written to its end, has none.
fn ids(path: &Path) -> io::Result<Vec<u64>> {
    #[derive(serde::Deserialize)]
    struct Letter {
        call_id: String,
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut ids = Vec::new();
    for line in BufReader::new(file).split(b'\n') {
        let letter = serde_json::from_slice::<Letter>(&line?);
        ids.extend(letter.map(|letter| hash(&letter.call_id)).ok());
    }
    Ok(ids)
}

fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

fn letter(call: &Written<'_>, reason: &str, most: usize) -> Value {
    let start = &call.start;
    let head = call.head.as_ref();
    json!({
        "call_id": start.call_id,
        "time": jiff::Timestamp::now().to_string(),
        "reason": reason,
        "event": {
            "start_time": call.at,
            "end_time": call.ended,
            "method": start.method,
            "path": start.path,
            "authority": start.authority,
            "provider": start.provider,
            "traceparent": start.traceparent,
            "headers": fields(&start.headers),
            "request": body(&call.request, most),
            "status": head.map(|head| head.status),
            "response_headers": head.map(|head| fields(&head.headers)),
            "response": body(&call.response, most),
            "failure": call.failure.as_ref().map(|failed| json!({
                "kind": failed.kind,
                "message": failed.message,
            })),
        },
    })
}

fn fields(fields: &Fields) -> Value {
    let fields = fields.iter();
    fields
        .map(|(name, value)| json!([name, String::from_utf8_lossy(value)]))
        .collect()
}

/// A body as text, or as base64 where it is none; cut where it is long.
fn body(body: &Copied, most: usize) -> Value {
    let mut bytes = body.whole();
    bytes.truncate(most);
    let kept = bytes.len() as u64;
    let (key, text) = match String::from_utf8(bytes) {
        Ok(text) => ("text", text),
        Err(error) => ("base64", BASE64_STANDARD.encode(error.as_bytes())),
    };
    let mut value = Map::new();
    value.insert(key.to_owned(), text.into());
    if body.came > kept {
        value.insert("bytes".to_owned(), body.came.into());
    }
    value.into()
}

#[cfg(test)]
mod tests;
