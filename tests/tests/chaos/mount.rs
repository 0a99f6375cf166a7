//! A disk that a test has to itself: a small file system in memory that can be full, and be forbidden to write to.
//!
//! It is mounted in a mount namespace of its own (mount_namespaces(7)), so that nobody else sees it and nothing is
//! left of it in whatever way the test ends. What is to use it is started within that namespace. Mounting takes root, or a
//! user namespace (user_namespaces(7)) in which one is.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The disk; it is gone when this is dropped and all who use it have ended.
pub struct Disk {
    /// Keeps the namespace for as long as its stdin is open.
    keeper: Child,
    place: PathBuf,
}

impl Disk {
    /// A disk of so many KiB at this place, an empty directory. None: this user may not mount, or this is no Linux.
    pub fn mount(place: &Path, kibibytes: u64) -> Result<Option<Self>> {
        let script = format!(
            "mount -t tmpfs -o size={kibibytes}k,mode=0700 tmpfs \"$1\" && echo mounted && read -r end"
        );
        let mut keeper = Command::new("unshare");
        if !is_root()? {
            keeper.args(["--user", "--map-root-user"]);
        }
        let started = keeper
            .args(["--mount", "--", "sh", "-c", &script, "sh"])
            .arg(place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut keeper) = started else {
            return Ok(None);
        };
        let said = keeper.stdout.take().context("it has no output")?;
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line)?;
        let disk = Self {
            keeper,
            place: place.to_owned(),
        };
        Ok((line == "mounted\n").then_some(disk))
    }

    /// The same command, where the disk is.
    pub fn within(&self, command: &Command) -> Command {
        let mut within = self.enter();
        within.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => within.env(name, value),
                None => within.env_remove(name),
            };
        }
        within
    }

    /// Where those outside find what is on it.
    pub fn path(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.keeper.id()));
        root.join(self.place.strip_prefix("/").unwrap_or(&self.place))
    }

    /// Fills it to the last byte.
    pub fn fill(&self) -> Result<()> {
        let mut filling = File::create(self.filling())?;
        for size in [64 << 10, 1] {
            while filling.write_all(&vec![0; size]).is_ok() {}
        }
        Ok(())
    }

    /// Takes away what filled it.
    pub fn empty(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.filling())?)
    }

    /// Has nothing be created or opened to be written to there, by root neither.
    pub fn forbid_writing(&self) -> Result<()> {
        let place = self.place.as_os_str();
        self.run(&["mount".as_ref(), "--bind".as_ref(), place, place])?;
        self.run(&[
            "mount".as_ref(),
            "-o".as_ref(),
            "remount,bind,ro".as_ref(),
            place,
        ])
    }

    /// Has it be as before.
    pub fn allow_writing(&self) -> Result<()> {
        self.run(&["umount".as_ref(), self.place.as_os_str()])
    }

    fn filling(&self) -> PathBuf {
        self.path().join("filling")
    }

    fn run(&self, words: &[&std::ffi::OsStr]) -> Result<()> {
        let output = self.enter().args(words).output()?;
        ensure!(
            output.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    fn enter(&self) -> Command {
        let mut enter = Command::new("nsenter");
        // Of a user's own namespaces the one of users is entered first: in that the other may be.
        if !is_root().unwrap_or(true) {
            enter.args(["--user", "--preserve-credentials"]);
        }
        enter.args(["--mount", "--target", &self.keeper.id().to_string(), "--"]);
        enter
    }
}

fn is_root() -> Result<bool> {
    Ok(std::fs::metadata("/proc/self")?.uid() == 0)
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The end of its stdin is its end.
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
