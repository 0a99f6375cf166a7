//! A server that is kept: it ends with whoever started it, in whatever way that ends, and its directory goes
//! with it. `serve.py` sees to that.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::python::Python;

/// How long a server may take to end; then it is killed.
const END: Duration = Duration::from_secs(10);

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct Kept {
    command: Command,
    child: Child,
    log: PathBuf,
    directory: TempDir,
}

impl Kept {
    /// Starts a program in a directory of its own, its output going to a log there.
    pub fn start<A: AsRef<OsStr>>(
        python: &Python,
        directory: TempDir,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let log = directory.path().join("server.log");
        let output = File::create(&log)?;
        let mut command = python.script("serve.py");
        command
            .arg(directory.path())
            .arg(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(directory.path())
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output);
        own_group(&mut command);
        let child = command
            .spawn()
            .with_context(|| format!("{} does not start", program.display()))?;
        Ok(Self {
            command,
            child,
            log,
            directory,
        })
    }

    /// Kills the program, as a crash would end it; its directory stays.
    pub fn kill(&mut self) -> Result<()> {
        let mut stdin = self.child.stdin.take().context("it was killed before")?;
        writeln!(stdin, "kill")?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts the program again as it was started before.
    pub fn revive(&mut self) -> Result<()> {
        self.child = self.command.spawn()?;
        Ok(())
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// The CPU time that the program's threads have taken: proc_pid_task(5) and the kernel's `sched-stats.rst`.
    pub fn cpu(&self) -> Result<Duration> {
        let keeper = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children"))?;
        let server = children.split_whitespace().next();
        let server = server.context("the server has ended")?;
        let mut nanoseconds = 0;
        for task in std::fs::read_dir(format!("/proc/{server}/task"))? {
            let stat = std::fs::read_to_string(task?.path().join("schedstat"))?;
            let running = stat.split(' ').next().unwrap_or_default();
            nanoseconds += running.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// All that it has put out.
    pub fn log(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// The end of that.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // The end of its stdin tells the keeper to end the server and to remove the directory.
        drop(self.child.stdin.take());
        let begun = Instant::now();
        while begun.elapsed() < END {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        // Nothing more can be done here; the keeper kills the server at its own deadline.
        let _ = self.child.kill();
    }
}

/// Keeps signals that are meant for our own process group, such as a terminal's ctrl-c, away.
fn own_group(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
}
