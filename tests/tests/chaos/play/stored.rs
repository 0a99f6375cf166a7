//! What arrived, as MLflow's client tells it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::{Mlflow, Trace};

use super::PATIENCE;

/// What MLflow's client finds of an experiment's calls, by their markers.
pub struct Stored {
    traces: BTreeMap<String, Vec<Trace>>,
}

impl Stored {
    /// Reads them.
    pub fn read(mlflow: &Mlflow, experiment: &str) -> Result<Self> {
        let mut traces = BTreeMap::<String, Vec<Trace>>::new();
        for trace in mlflow.trace_infos(experiment)? {
            let asked = trace.info.request_preview.clone().unwrap_or_default();
            let marker = asked.find("marker-").and_then(|from| {
                let rest = &asked[from..];
                Some(rest[..rest.find("-end")? + 4].to_owned())
            });
            let marker = marker.with_context(|| format!("no marker in {asked:?}"))?;
            traces.entry(marker).or_default().push(trace);
        }
        Ok(Self { traces })
    }

    /// Reads them again and again until all of these are there.
    pub fn wait(mlflow: &Mlflow, experiment: &str, expected: &BTreeSet<String>) -> Result<Self> {
        let began = Instant::now();
        loop {
            let stored = Self::read(mlflow, experiment)?;
            let missing: Vec<_> = expected
                .iter()
                .filter(|marker| !stored.has(marker))
                .collect();
            if missing.is_empty() {
                return Ok(stored);
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "{} of {} calls are not in MLflow: {missing:.10?}",
                missing.len(),
                expected.len()
            );
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// Waits until these calls are there, each once and no other.
    pub fn exactly(mlflow: &Mlflow, experiment: &str, expected: &BTreeSet<String>) -> Result<Self> {
        let stored = Self::wait(mlflow, experiment, expected)?;
        stored.check_exactly(expected)?;
        Ok(stored)
    }

    /// How many calls there are.
    pub fn len(&self) -> usize {
        self.traces.len()
    }

    /// Whether a call is there.
    pub fn has(&self, marker: &str) -> bool {
        self.traces.contains_key(marker)
    }

    /// The markers of calls that are there.
    pub fn markers(&self) -> impl Iterator<Item = &String> {
        self.traces.keys()
    }

    /// All traces.
    pub fn traces(&self) -> impl Iterator<Item = &Trace> {
        self.traces.values().flatten()
    }

    /// The state of a call's trace.
    pub fn state(&self, marker: &str) -> Option<&str> {
        let traces = self.traces.get(marker)?;
        Some(&traces.first()?.info.state)
    }

    /// What a call's trace shows of its answer.
    pub fn answer(&self, marker: &str) -> &str {
        let trace = self.traces.get(marker).and_then(|traces| traces.first());
        let shown = trace.and_then(|trace| trace.info.response_preview.as_deref());
        shown.unwrap_or_default()
    }

    /// No call has two traces, none is unfinished, and these are the calls.
    pub fn check_exactly(&self, expected: &BTreeSet<String>) -> Result<()> {
        self.check_once()?;
        let strange: Vec<_> = self
            .markers()
            .filter(|marker| !expected.contains(*marker))
            .collect();
        ensure!(strange.is_empty(), "not expected: {strange:?}");
        ensure!(self.len() == expected.len());
        for marker in expected {
            ensure!(
                self.state(marker) == Some("OK"),
                "{marker}: {:?}",
                self.state(marker)
            );
        }
        Ok(())
    }

    /// No call has two traces, and none is unfinished.
    pub fn check_once(&self) -> Result<()> {
        for (marker, traces) in &self.traces {
            let ids: Vec<_> = traces.iter().map(|trace| &trace.info.trace_id).collect();
            ensure!(
                traces.len() == 1,
                "{marker} is there more than once: {ids:?}"
            );
            let state = &traces[0].info.state;
            ensure!(state != "IN_PROGRESS", "{marker} is unfinished: {ids:?}");
        }
        Ok(())
    }
}
