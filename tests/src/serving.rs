//! A program that serves: it says where on its first line, and ends when it is asked to.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a program may take to end; then it is killed.
const END: Duration = Duration::from_secs(60);

/// A running program; it is killed when this is dropped.
#[derive(Debug)]
pub struct Serving {
    line: String,
    child: Child,
    /// Kept, so that the program can go on writing.
    _stdout: BufReader<ChildStdout>,
}

impl Serving {
    /// Starts a program and waits for the first line of its output.
    pub fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{name} does not start"))?;
        let stdout = child.stdout.take().context("it has no output")?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        if line.is_empty() {
            let status = child.wait()?;
            bail!("{name} ended as soon as it was started: {status}");
        }
        Ok(Self {
            line,
            child,
            _stdout: stdout,
        })
    }

    /// The first URL that it said.
    pub fn url(&self) -> &str {
        self.urls().next().unwrap_or_default()
    }

    /// All URLs that it said.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        let words = self.line.split([',', ' ', '\n']);
        words.filter(|word| word.starts_with("http://"))
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, by its name.
    pub fn signal(&self, name: &str) -> Result<()> {
        let (signal, pid) = (format!("-{name}"), self.child.id().to_string());
        let sent = Command::new("kill").args([&signal, &pid]).status();
        if !sent.context("`kill` does not start")?.success() {
            bail!("process {pid} cannot be sent {name}");
        }
        Ok(())
    }

    /// Ends it as nothing can be prepared for: with SIGKILL.
    pub fn kill(mut self) -> Result<ExitStatus> {
        self.child.kill()?;
        Ok(self.child.wait()?)
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.signal("TERM")?;
        let begun = Instant::now();
        while begun.elapsed() < END {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("it did not end within {END:?}");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
