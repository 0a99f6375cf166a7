//! A span that MLflow's own client keeps open while the logger adds a child to it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

use anyhow::{Context, Result, bail};

use crate::mlflow::Mlflow;

/// An open span. Dropped without [`end`](Self::end), it ends as well, unseen.
#[derive(Debug)]
pub struct Parent {
    client: Child,
    traceparent: String,
}

impl Parent {
    /// Opens a root span in an experiment.
    pub fn open(mlflow: &Mlflow, experiment: &str, name: &str) -> Result<Self> {
        let mut client = mlflow
            .python()
            .script("parent_span.py")
            .args([&mlflow.uri(), experiment, name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("MLflow's client does not start")?;
        let mut traceparent = String::new();
        if let Some(stdout) = &mut client.stdout {
            BufReader::with_capacity(256, stdout).read_line(&mut traceparent)?;
        }
        let traceparent = traceparent.trim().to_owned();
        if traceparent.is_empty() {
            let _ = client.wait();
            bail!("MLflow's client did not open a span");
        }
        Ok(Self {
            client,
            traceparent,
        })
    }

    /// The span as an HTTP header names it.
    pub fn traceparent(&self) -> &str {
        &self.traceparent
    }

    /// The trace as MLflow names it.
    pub fn trace_id(&self) -> String {
        let trace = self.traceparent.split('-').nth(1).unwrap_or_default();
        format!("tr-{trace}")
    }

    /// Ends the span and waits until it is stored.
    pub fn end(mut self) -> Result<()> {
        if let Some(mut stdin) = self.client.stdin.take() {
            stdin.write_all(b"\n")?;
        }
        let status = self.client.wait()?;
        if !status.success() {
            bail!("MLflow's client failed, {status}");
        }
        Ok(())
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        drop(self.client.stdin.take());
        let _ = self.client.wait();
    }
}
