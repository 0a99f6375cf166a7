//! MLflow is not there, or goes away: the real one, killed and started again; names and TLS that fail.

use anyhow::{Result, ensure};
use e2e::{Mlflow, Python};

use crate::play::{Stage, Stored, eventually};

const CALLS: usize = 60;

/// Down for the whole run of calls and started later; killed with batches under way; and killed again and
/// again while calls go on.
#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn mlflow_killed_and_started_again() -> Result<()> {
    let name = "outage";
    let mut mlflow = Mlflow::start(&Python::prepare()?)?;
    mlflow.kill()?;
    let mut stage = Stage::new(&mlflow.uri(), name, "", "retry_max_elapsed_ms = 3000")?;
    let gateway = stage.start()?;
    let mut sent = gateway.calls("down", CALLS)?;
    eventually("an attempt in vain", || {
        Ok(gateway.metric("gateway_tracking_requests_failed_total")? > 0.0)
    })?;
    ensure!(gateway.logged("Delivered")? == 0);
    mlflow.revive()?;
    eventually("deliveries", || {
        Ok(gateway.logged("Delivered")? >= sent.len())
    })?;

    let mut kills = 1;
    for round in 0..2 {
        let requests = gateway.metric("gateway_tracking_requests_total")?;
        sent.extend(gateway.calls(&format!("round-{round}"), CALLS)?);
        eventually("a batch under way", || {
            Ok(gateway.metric("gateway_tracking_requests_total")? > requests)
        })?;
        mlflow.kill()?;
        kills += 1;
        sent.extend(gateway.calls(&format!("gone-{round}"), CALLS)?);
        mlflow.revive()?;
    }
    let stored = Stored::wait(&mlflow, name, &sent)?;
    stored.check_exactly(&sent)?;
    ensure!(gateway.stop()?.success());
    println!(
        "count: {name}: {} sent, {} in MLflow once each, MLflow killed {kills} times",
        sent.len(),
        stored.len()
    );
    Ok(())
}
