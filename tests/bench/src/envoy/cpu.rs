//! The CPU time that the filter takes of Envoy for a call, and what litellm's own logger takes for one like it.
//!
//! Calls come at a rate at which all of them are logged. Envoy's processor time is the kernel's count for its threads; the filter's is
//! what it has more of with the filter than without, until all is delivered. What `MlflowLogger` takes is measured as among the peers,
//! with a real MLflow, in the same run.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Envoy, Mlflow, Python};
use tokio::runtime::Runtime;

use crate::gateway::client::{Way, paced};
use crate::peers;
use crate::row::{Group, Row};
use crate::workload::KIB;
use crate::{Effort, micros};

/// Between two calls.
const EVERY: Duration = Duration::from_millis(1);

/// What is left of a batch is sent after less than that.
const SENT: Duration = Duration::from_secs(3);

/// Measures, through the listener with the filter and the one without.
pub fn rows(
    python: &Python,
    around: &Runtime,
    envoy: &Envoy,
    ways: [&Way; 2],
    effort: &Effort,
) -> Result<[Row; 2]> {
    let calls = effort.of(3000);
    let rounds = if effort.quick { 1 } else { 3 };
    let mut least = [f64::INFINITY; 2];
    // What was asked before is delivered by then.
    std::thread::sleep(SENT);
    let before = envoy.metric("delivered")?;
    for _ in 0..rounds {
        for (way, least) in ways.into_iter().zip(&mut least) {
            let cpu = envoy.cpu()?;
            around.block_on(paced(way, calls, EVERY))?;
            std::thread::sleep(SENT);
            let took = micros((envoy.cpu()? - cpu).as_secs_f64()) / calls as f64;
            *least = least.min(took);
        }
    }
    let delivered = envoy.metric("delivered")? - before;
    let made = (rounds * calls) as u64;
    ensure!(
        delivered == made,
        "of {made} calls {delivered} were delivered"
    );
    let mlflow = Mlflow::start(python)?;
    let logger = peers::mlflow_logger(&mlflow.uri(), KIB, effort)?;
    let [filter, plain] = least;
    Ok([
        Row::new(
            Group::Envoy,
            "CPU of Envoy a call, all of them logged",
            "µs",
            ("filter", filter),
            ("no filter", plain),
        ),
        Row::new(
            Group::Envoy,
            "CPU a call of 1 KB",
            "µs",
            ("MlflowLogger", logger),
            ("what the filter adds", filter - plain),
        ),
    ])
}
