//! A gateway that runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::ExitStatus;

use anyhow::{Context, Result, ensure};
use e2e::Serving;
use e2e::load::{self, Outcome};

use super::{eventually, marker};

/// A running gateway.
pub struct Running {
    pub(super) serving: Serving,
    pub(super) log: PathBuf,
}

impl Running {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.serving.id()
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        self.serving.url()
    }

    /// A metric's value, summed over what it is labelled with.
    pub fn metric(&self, name: &str) -> Result<f64> {
        Ok(load::metric(&self.metrics()?, name))
    }

    /// The page with the metrics.
    pub fn metrics(&self) -> Result<String> {
        self.page("/metrics")
    }

    /// Whether it is ready, in its words.
    pub fn ready(&self) -> Result<String> {
        self.page("/readyz")
    }

    fn page(&self, path: &str) -> Result<String> {
        let url = self.serving.urls().nth(1).context("no metrics")?;
        let page = load::get(url, path)?;
        Ok(String::from_utf8_lossy(&page.body).into_owned())
    }

    /// How many calls' logs ended so.
    pub fn logged(&self, fate: &str) -> Result<usize> {
        let name = format!("gateway_logged_total{{fate=\"{fate}\"}}");
        Ok(self.metric(&name)? as usize)
    }

    /// What it has said on stderr.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The most memory that it ever took, in bytes.
    pub fn peak_memory(&self) -> Result<u64> {
        self.memory("VmHWM:")
    }

    /// Has the peak be what it takes now, and answers that: proc(5), `clear_refs`.
    pub fn forget_peak_memory(&self) -> Result<u64> {
        fs::write(format!("/proc/{}/clear_refs", self.serving.id()), "5")?;
        self.memory("VmRSS:")
    }

    fn memory(&self, kind: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.serving.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(kind));
        let kilobytes = line.context("not told")?.trim().trim_end_matches(" kB");
        Ok(kilobytes.parse::<u64>()? * 1024)
    }

    /// Sends it a signal, by its name.
    pub fn signal(&self, name: &str) -> Result<()> {
        self.serving.signal(name)
    }

    /// Ends it with SIGTERM.
    pub fn stop(self) -> Result<ExitStatus> {
        self.serving.stop()
    }

    /// Ends it with SIGKILL.
    pub fn kill(self) -> Result<()> {
        self.serving.kill().map(drop)
    }

    /// Waits until it has delivered so many calls.
    pub fn delivers(&self, calls: usize) -> Result<()> {
        eventually("all deliveries", || Ok(self.logged("Delivered")? >= calls))
    }

    /// Waits until nothing is left in its spool.
    pub fn empties_its_spool(&self) -> Result<()> {
        eventually("an empty spool", || {
            Ok(self.metric("gateway_spool_calls")? == 0.0)
        })
    }

    /// Makes so many calls, some of them streamed, and expects each to be answered whole.
    pub fn calls(&self, name: &str, count: usize) -> Result<BTreeSet<String>> {
        let mut markers = BTreeSet::new();
        for number in 0..count {
            let marker = marker(name, number);
            self.call(&marker, number.is_multiple_of(4))?;
            markers.insert(marker);
        }
        Ok(markers)
    }

    /// Makes a call with this text, and expects it to be answered whole.
    pub fn call(&self, text: &str, streamed: bool) -> Result<()> {
        let outcome = load::chat(self.url(), text, streamed);
        ensure!(
            outcome != Outcome::Cut,
            "{text:.100} was cut off:\n{}",
            self.said()
        );
        Ok(())
    }
}
