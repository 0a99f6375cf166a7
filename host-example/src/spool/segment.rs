//! A segment: a file that entries are appended to, and one beside it that says which of them are done.
//!
//! `0000000007.calls` begins with a name, the format's version and its own number; heads and bodies
//! follow. `0000000007.done` is a list of offsets, each with a checksum. Neither is ever changed but at
//! its end, so that a process or a machine that dies can leave an incomplete end and nothing worse.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use memchr::memmem;

use super::directory::create;
use super::frame::{HEAD, Head, MAGIC};

/// What a segment begins with.
const NAME: [u8; 8] = *b"llmspool";
/// The format's version. Another one is another format.
const VERSION: u32 = 1;
/// The length of a segment's beginning.
pub(super) const START: u32 = 16;
/// The length of what is written for each entry that is done.
pub(super) const DONE: u32 = 8;

/// How the names of files of entries end.
pub(super) const CALLS: &str = "calls";

/// What was found in a segment.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The entries, each with where it is.
    pub entries: Vec<(u32, Head)>,
    /// Bytes of an incomplete end.
    pub torn: u64,
    /// Bytes between entries that are none.
    pub damaged: u64,
}

/// The file of a segment's entries.
pub(super) fn calls(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:010}.calls"))
}

/// The file that says which are done.
pub(super) fn done(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:010}.done"))
}

/// Begins a segment.
pub(super) fn begin(dir: &Path, number: u32) -> io::Result<File> {
    let path = calls(dir, number);
    let mut file = create().write(true).create_new(true).open(&path)?;
    let mut start = [0; START as usize];
    start[..8].copy_from_slice(&NAME);
    start[8..12].copy_from_slice(&VERSION.to_le_bytes());
    start[12..].copy_from_slice(&number.to_le_bytes());
    if let Err(error) = file.write_all(&start) {
        // An empty file on a full disk is of no use; where it stays, it is taken for a torn one.
        let _ = std::fs::remove_file(&path);
        return Err(error);
    }
    Ok(file)
}

/// Finds a segment's entries. The error is the version that this is no reader of.
pub(super) fn scan(dir: &Path, number: u32) -> io::Result<Result<Scan, u32>> {
    let file = File::open(calls(dir, number))?;
    let end = file.metadata()?.len();
    let mut scan = Scan::default();
    let mut start = [0; START as usize];
    if end < u64::from(START) {
        scan.torn = end;
        return Ok(Ok(scan));
    }
    file.read_exact_at(&mut start, 0)?;
    let mut offset = u64::from(START);
    if start[..8] == NAME {
        let version = u32::from_le_bytes([start[8], start[9], start[10], start[11]]);
        if version != VERSION {
            return Ok(Err(version));
        }
    } else {
        scan.damaged += offset;
    }
    while offset < end {
        match head(&file, offset, end)? {
            Some(head) => {
                let next = offset + HEAD as u64 + u64::from(head.len);
                let Some(place) = u32::try_from(offset).ok().filter(|_| next <= end) else {
                    scan.torn += end - offset;
                    break;
                };
                scan.entries.push((place, head));
                offset = next;
            }
            None => match next_head(&file, offset + 1, end)? {
                Some(next) => {
                    scan.damaged += next - offset;
                    offset = next;
                }
                None => {
                    scan.torn += end - offset;
                    break;
                }
            },
        }
    }
    Ok(Ok(scan))
}

/// The head at this place, if there is one.
fn head(file: &File, offset: u64, end: u64) -> io::Result<Option<Head>> {
    if end - offset < HEAD as u64 {
        return Ok(None);
    }
    let mut bytes = [0; HEAD];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(Head::parse(&bytes))
}

/// Where the first head from here on is.
fn next_head(file: &File, from: u64, end: u64) -> io::Result<Option<u64>> {
    let length = usize::try_from(end.saturating_sub(from)).unwrap_or(usize::MAX);
    let mut rest = vec![0; length];
    file.read_exact_at(&mut rest, from)?;
    for place in memmem::find_iter(&rest, &MAGIC) {
        let candidate = rest.get(place..place + HEAD);
        if let Some(Ok(bytes)) = candidate.map(<&[u8; HEAD]>::try_from)
            && Head::parse(bytes).is_some()
        {
            return Ok(Some(from + place as u64));
        }
    }
    Ok(None)
}

/// The body of the entry at this place. None: it is not what was written.
pub(super) fn read(dir: &Path, number: u32, offset: u32) -> io::Result<Option<Vec<u8>>> {
    let file = File::open(calls(dir, number))?;
    let end = file.metadata()?.len();
    let Some(head) = head(&file, u64::from(offset), end.max(u64::from(offset)))? else {
        return Ok(None);
    };
    let from = u64::from(offset) + HEAD as u64;
    if from + u64::from(head.len) > end {
        return Ok(None);
    }
    let mut body = vec![0; head.len as usize];
    file.read_exact_at(&mut body, from)?;
    Ok((crc32fast::hash(&body) == head.crc).then_some(body))
}

/// The offsets of the entries that are done.
pub(super) fn read_done(dir: &Path, number: u32) -> io::Result<Vec<u32>> {
    let bytes = match std::fs::read(done(dir, number)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let entries = bytes.as_chunks::<{ DONE as usize }>().0.iter();
    let offsets = entries.filter_map(|entry| {
        let [a, b, c, d, ..] = *entry;
        let offset = u32::from_le_bytes([a, b, c, d]);
        (done_entry(number, offset) == *entry).then_some(offset)
    });
    Ok(offsets.collect())
}

/// Notes entries as done. What is torn of that is done once more after a restart.
pub(super) fn write_done(dir: &Path, number: u32, offsets: &[u32]) -> io::Result<()> {
    let entries: Vec<u8> = offsets
        .iter()
        .flat_map(|offset| done_entry(number, *offset))
        .collect();
    let path = done(dir, number);
    let mut file = create().append(true).create(true).open(path)?;
    // After a torn entry the ones that follow would not be read.
    let length = file.metadata()?.len();
    let torn = length % u64::from(DONE);
    if torn > 0 {
        file.set_len(length - torn)?;
    }
    file.write_all(&entries)
}

fn done_entry(number: u32, offset: u32) -> [u8; DONE as usize] {
    let mut entry = [0; DONE as usize];
    entry[..4].copy_from_slice(&offset.to_le_bytes());
    let mut check = crc32fast::Hasher::new();
    check.update(&number.to_le_bytes());
    check.update(&entry[..4]);
    entry[4..].copy_from_slice(&check.finalize().to_le_bytes());
    entry
}
