//! A file that is looked at from time to time.
//!
//! Looking works where watching does not: on network file systems, in containers that mount a file by
//! a chain of links, and with editors that replace files. What counts is the content.

use std::path::{Path, PathBuf};

pub(super) struct Watched {
    path: PathBuf,
    seen: Option<Vec<u8>>,
    /// Content that has been seen once: it may still be being written.
    changing: Option<Vec<u8>>,
}

impl Watched {
    /// The file as it is.
    pub fn new(path: &Path) -> Self {
        let mut watched = Self {
            path: path.to_owned(),
            seen: None,
            changing: None,
        };
        watched.see();
        watched
    }

    /// Takes the file as it is for known.
    pub fn see(&mut self) {
        self.seen = self.read();
        self.changing = None;
    }

    /// Whether it has changed and then stayed the same for one look. A file that is gone has not.
    pub fn look(&mut self) -> bool {
        let now = self.read();
        if now.is_none() || now == self.seen {
            self.changing = None;
            return false;
        }
        if now != self.changing {
            self.changing = now;
            return false;
        }
        self.seen = now;
        self.changing = None;
        true
    }

    fn read(&self) -> Option<Vec<u8>> {
        std::fs::read(&self.path).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_when_it_has_stayed_for_a_look() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        std::fs::write(&path, "1").unwrap();
        let mut watched = Watched::new(&path);
        assert!(!watched.look());
        std::fs::write(&path, "2").unwrap();
        assert!(!watched.look());
        std::fs::write(&path, "22").unwrap();
        assert!(!watched.look() && watched.look() && !watched.look());
        std::fs::remove_file(&path).unwrap();
        assert!(!watched.look() && !watched.look());
    }
}
