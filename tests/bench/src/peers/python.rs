//! litellm's own `MlflowLogger`, in a Python of its own.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::Python;
use e2e::events::{self, Call};
use serde::Deserialize;
use tempfile::NamedTempFile;

use super::{Peer, Taken};

/// The script under way; it ends when it has nothing to read any more.
pub struct MlflowLogger {
    name: &'static str,
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// What the script answers, in seconds.
#[derive(Deserialize)]
struct Answer {
    cpu: f64,
    caller: f64,
    wall: f64,
}

impl MlflowLogger {
    /// Starts it; asynchronously a thread of MLflow's own sends the traces.
    pub fn start(python: &Python, uri: &str, asynchronous: bool) -> Result<Self> {
        let (name, flag) = match asynchronous {
            true => ("MlflowLogger", "true"),
            false => ("MlflowLogger, synchronous", "false"),
        };
        let mut child = python
            .script("mlflow_logger_cost.py")
            .arg(uri)
            .env("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", flag)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("Python does not start")?;
        let stdout = child.stdout.take().context("it has no output")?;
        let mut logger = Self {
            name,
            requests: child.stdin.take(),
            child,
            answers: BufReader::new(stdout),
        };
        let ready = logger.line()?;
        ensure!(ready.trim() == "ready", "{name} says {ready:?}");
        Ok(logger)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        ensure!(
            !line.is_empty(),
            "{} ended: {}",
            self.name,
            self.child.wait()?
        );
        Ok(line)
    }
}

impl Peer for MlflowLogger {
    fn name(&self) -> &'static str {
        self.name
    }

    fn log(&mut self, calls: &[Call]) -> Result<Taken> {
        let file = NamedTempFile::new()?;
        fs::write(file.path(), events::jsonl(&followed(calls)))?;
        let requests = self.requests.as_mut().context("it still reads")?;
        writeln!(requests, "{}", file.path().display())?;
        let answer: Answer = serde_json::from_str(&self.line()?)?;
        let time = Duration::from_secs_f64;
        Ok(Taken {
            cpu: time(answer.cpu),
            caller: time(answer.caller),
            wall: time(answer.wall),
        })
    }
}

/// The calls as `MlflowLogger` follows them: the whole answer comes with a stream's last chunk.
fn followed(calls: &[Call]) -> Vec<Call> {
    let mut calls = calls.to_vec();
    for call in &mut calls {
        if call.lines.len() > 1
            && let Some(whole) = call.lines.pop()
            && let Some(last) = call.lines.last_mut()
        {
            last["kwargs"] = whole["kwargs"].clone();
            last["end_time"] = whole["end_time"].clone();
        }
    }
    calls
}

impl Drop for MlflowLogger {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.requests.take());
        let _ = self.child.wait();
    }
}
