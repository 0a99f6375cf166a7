//! Replays every case into a real MLflow and compares what it then holds.

use std::io::Write;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::cases::{Case, cases};
use super::compare::{Compared, compare};
use super::fields::recorded_form;
use crate::gateway::Gateway;
use crate::mlflow::Mlflow;
use crate::parent::Parent;

/// Replays all cases, each into an experiment of its own whose name begins with `run`, and compares.
/// A case that was recorded within a caller's span is replayed within one, which MLflow's own client
/// keeps open meanwhile.
pub fn measure(mlflow: &Mlflow, gateway: &Gateway, run: &str) -> Result<Vec<Compared>> {
    let cases = cases()?;
    let experiment = |case: &Case| format!("{run}-{}", case.name);
    let mut parents = Vec::new();
    let mut file = tempfile::NamedTempFile::new()?;
    for case in &cases {
        let mut surroundings = vec![("experiment", json!(experiment(case)))];
        if case.has_caller() {
            let parent = Parent::open(mlflow, &experiment(case), "parent")?;
            surroundings.push(("traceparent", json!(parent.traceparent())));
            parents.push(parent);
        }
        for text in &case.texts {
            let members = text.strip_suffix('}').context("a line is an object")?;
            write!(file, "{members}")?;
            for (key, value) in &surroundings {
                write!(file, ",\"{key}\":{value}")?;
            }
            writeln!(file, "}}")?;
        }
    }
    let replay = gateway.replay(file.path(), &mlflow.uri(), run, &[])?;
    if replay.code != Some(0) {
        bail!("not every line was delivered: {replay:#?}");
    }
    for parent in parents {
        parent.end()?;
    }
    let experiments: Vec<_> = cases.iter().map(experiment).collect();
    let traces = mlflow.traces_of(&experiments)?;
    let held = |case: &Case| -> Vec<Value> {
        let traces = traces
            .iter()
            .filter(|trace| trace.experiment == experiment(case));
        traces.map(recorded_form).collect()
    };
    let compared = cases.iter().flat_map(|case| compare(case, &held(case)));
    let compared: Vec<_> = compared.collect();
    compared.first().context("no recorded cases")?;
    Ok(compared)
}
