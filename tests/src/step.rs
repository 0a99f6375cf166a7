//! One step of work: a command whose output goes to a log file while people see that it goes on.
//!
//! On a terminal a line shows the time taken and the last line of output; elsewhere a line tells of
//! the start, of the end, and now and then that it still runs. When the command fails, the error holds
//! the end of its output and where the rest is.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, PipeReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use indicatif::{ProgressBar, ProgressStyle};

use crate::paths;

/// How often a step that runs on tells so where there is no terminal.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// A step, not yet begun.
pub struct Step {
    title: String,
    tail: usize,
    limit: Option<Duration>,
}

/// What a step's command left behind.
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// The file with all of its output.
    pub log: PathBuf,
    /// The last lines of it.
    pub tail: Vec<String>,
}

impl Step {
    /// A step with a title for people: what is being done, in the imperative.
    pub fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            tail: 30,
            limit: None,
        }
    }

    /// How long the command may take; then it is killed.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// How many lines of output an error shows.
    pub fn tail(mut self, lines: usize) -> Self {
        self.tail = lines;
        self
    }

    /// Runs the command; that it exits with another code than 0 is an error.
    pub fn run(self, command: &mut Command) -> Result<Finished> {
        let title = self.title.clone();
        let finished = self.attempt(command)?;
        if finished.status.success() {
            return Ok(finished);
        }
        Err(anyhow!(
            "{title}: {}\n{}\nAll of the output: {}",
            finished.status,
            finished.tail.join("\n"),
            finished.log.display()
        ))
    }

    /// Does something that is no command.
    pub fn during<T>(self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let progress = Progress::begin(&self.title);
        let result = work();
        progress.end(result.is_ok());
        result.context(self.title)
    }

    /// Runs the command and tells how it ended, whatever its exit code.
    pub fn attempt(self, command: &mut Command) -> Result<Finished> {
        let log = paths::target_dir("logs")?.join(format!("{}.log", slug(&self.title)));
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let (reader, writer) = std::io::pipe()?;
        command
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let progress = Progress::begin(&self.title);
        let child = command
            .spawn()
            .with_context(|| format!("{} does not start", command.get_program().display()))?;
        // The command holds the pipe's writing end; it has to be let go of for the reader to end.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let (status, tail) = guarded(child, self.limit, || {
            follow(reader, file, self.tail, &progress)
        })?;
        progress.end(status.success());
        Ok(Finished { status, log, tail })
    }
}

/// Whether a command runs and exits with 0, its output being of no interest.
pub fn succeeds(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null());
    let status = command.stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Does something until the child has ended, and kills the child when that takes too long.
fn guarded<T>(
    child: Child,
    limit: Option<Duration>,
    work: impl FnOnce() -> Result<T>,
) -> Result<(ExitStatus, T)> {
    let child = Mutex::new(child);
    let child = || child.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        let (done, is_done) = mpsc::channel::<()>();
        if let Some(limit) = limit {
            scope.spawn(move || {
                if is_done.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                    // It may just have ended.
                    let _ = child().kill();
                }
            });
        }
        let result = work();
        drop(done);
        Ok((child().wait()?, result?))
    })
}

/// Copies output to the log and its last line to the progress display; returns the last lines.
fn follow(
    reader: PipeReader,
    mut log: File,
    keep: usize,
    progress: &Progress,
) -> Result<Vec<String>> {
    let mut tail = VecDeque::new();
    let mut reader = BufReader::new(reader);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes)? > 0 {
        log.write_all(&bytes)?;
        // A progress bar rewrites its line; what it last showed is what counts.
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end().rsplit('\r').next().unwrap_or_default();
        if !text.trim().is_empty() {
            progress.line(text);
        }
        if !text.trim().is_empty() && !is_cargo_status(text) {
            if tail.len() == keep {
                tail.pop_front();
            }
            tail.push_back(text.to_owned());
        }
        bytes.clear();
    }
    Ok(tail.into())
}

/// Whether a line only says what cargo is busy with: of no use to whoever reads what went wrong.
fn is_cargo_status(line: &str) -> bool {
    const BUSY: [&str; 7] = [
        "Blocking ",
        "Checking ",
        "Compiling ",
        "Documenting ",
        "Downloaded ",
        "Downloading ",
        "Running ",
    ];
    let words = line.trim_start();
    // Cargo aligns them to the right, so all but the longest are indented.
    words.len() < line.len() && BUSY.iter().any(|busy| words.starts_with(busy))
}

/// A title as a file name.
fn slug(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join("-").to_ascii_lowercase()
}

/// What people see of a step.
struct Progress {
    title: String,
    begun: Instant,
    bar: Option<ProgressBar>,
    told: std::cell::Cell<Instant>,
}

impl Progress {
    fn begin(title: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(
                "{spinner:.cyan} {prefix} {elapsed:.dim} {wide_msg:.dim}",
            );
            let bar = ProgressBar::new_spinner().with_prefix(title.to_owned());
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if bar.is_none() {
            eprintln!("==> {title}");
        }
        Self {
            title: title.to_owned(),
            begun: Instant::now(),
            bar,
            told: std::cell::Cell::new(Instant::now()),
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(text.trim().to_owned()),
            None if self.told.get().elapsed() >= SIGN_OF_LIFE => {
                self.told.set(Instant::now());
                eprintln!("    {}: {}", self.taken(), text.trim());
            }
            None => {}
        }
    }

    fn end(&self, well: bool) {
        let mark = if well { "✓" } else { "✗" };
        match &self.bar {
            Some(bar) => {
                bar.finish_and_clear();
                eprintln!("{mark} {} {}", self.title, self.taken());
            }
            None => eprintln!("    {mark} {}", self.taken()),
        }
    }

    fn taken(&self) -> String {
        let seconds = self.begun.elapsed().as_secs_f64();
        if seconds < 60.0 {
            format!("{seconds:.1} s")
        } else {
            format!("{} min {:.0} s", seconds as u64 / 60, seconds % 60.0)
        }
    }
}
