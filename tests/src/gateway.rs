//! The gateway binary, run as people run it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::paths;
use crate::python::quiet;

/// The binary.
#[derive(Clone, Debug)]
pub struct Gateway {
    binary: PathBuf,
}

/// How a replay ended.
#[derive(Clone, Debug)]
pub struct Replay {
    /// 0: all delivered, 3: some lines rejected, 1: MLflow could not be reached.
    pub code: Option<i32>,
    /// What stdout said.
    pub report: Report,
    /// What stderr said.
    pub stderr: String,
}

/// What a replay prints on stdout.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Report {
    /// Lines that are not blank.
    pub events: u64,
    /// Lines whose events MLflow has stored.
    pub delivered: u64,
    /// Lines that were refused for good, in order.
    pub rejected: Vec<Rejection>,
    /// Distinct traces, in order of first delivery.
    pub trace_ids: Vec<String>,
}

/// A line that was refused.
#[derive(Clone, Debug, Deserialize)]
pub struct Rejection {
    /// Its number, from 1, blank lines counting.
    pub line: u64,
    /// Why, in words.
    pub reason: String,
}

impl Gateway {
    /// The binary as the release build leaves it, with the plugin where it looks for it.
    pub fn find() -> Result<Self> {
        let binary = paths::target()?.join("release/mlflow-gateway");
        if !binary.exists() {
            bail!(
                "{} is missing; build it: cargo build --release -p host-example",
                binary.display()
            );
        }
        let plugin = paths::plugin()?;
        if !plugin.exists() {
            bail!(
                "{} is missing; build it: cargo xtask dist",
                plugin.display()
            );
        }
        Ok(Self { binary })
    }

    /// The binary with the first words of a command line.
    pub fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments);
        quiet(&mut command);
        command
    }

    /// Replays a file into an experiment. `options` are appended to the command line.
    pub fn replay(
        &self,
        file: &Path,
        uri: &str,
        experiment: &str,
        options: &[&str],
    ) -> Result<Replay> {
        let output = self
            .command(["replay"])
            .arg(file)
            .args(["--tracking-uri", uri, "--experiment-name", experiment])
            .args(options)
            .stdin(Stdio::null())
            .output()
            .context("the gateway does not start")?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let report = serde_json::from_str(&stdout).with_context(|| {
            format!(
                "the gateway's report is not what it should be\nstdout: {stdout}\nstderr: {stderr}"
            )
        })?;
        Ok(Replay {
            code: output.status.code(),
            report,
            stderr,
        })
    }
}

impl Report {
    /// The number of the lines that were refused.
    pub fn rejected_lines(&self) -> Vec<u64> {
        self.rejected.iter().map(|line| line.line).collect()
    }
}
