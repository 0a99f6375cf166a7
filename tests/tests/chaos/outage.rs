//! MLflow is not there, or goes away: the real one, killed and started again.

use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::faults::Proxy;
use e2e::{Mlflow, Python};

use crate::crowd::Crowd;
use crate::play::{PATIENCE, SOON, Stage, Stored, eventually, seed};

const CALLS: usize = 60;
const RESTARTS: usize = 10;
const CLIENTS: usize = 2;
const REST: Duration = Duration::from_millis(150);
/// The longest that MLflow has for a batch before it is killed.
const LIFE: u64 = 40;

/// Down for the whole run of calls and started later. They wait in memory alone.
#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn mlflow_started_after_the_calls() -> Result<()> {
    let name = "started-later";
    let mut mlflow = Mlflow::start(&Python::prepare()?)?;
    mlflow.kill()?;
    let mut stage = Stage::new(&mlflow.uri(), name, "", "retry_max_elapsed_ms = 3000")?;
    let gateway = stage.start()?;
    let sent = gateway.calls(name, CALLS)?;
    eventually("an attempt in vain", || {
        Ok(gateway.metric("gateway_tracking_requests_failed_total")? > 0.0)
    })?;
    ensure!(gateway.logged("Delivered")? == 0);
    mlflow.revive()?;
    gateway.delivers(sent.len())?;
    ensure!(gateway.stop()?.success());
    let stored = Stored::exactly(&mlflow, name, &sent)?;
    println!(
        "count: {name}: {} sent while MLflow was down, {} in MLflow once each",
        sent.len(),
        stored.len()
    );
    Ok(())
}

/// Down for as long as a gateway lives: the next one delivers. Then killed again and again while calls go
/// on, each time with a batch under way.
#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn mlflow_restarted_ten_times_under_load() -> Result<()> {
    let name = "restarts";
    let mut random = seed(name);
    let mut mlflow = Mlflow::start(&Python::prepare()?)?;
    mlflow.kill()?;
    let proxy = Proxy::start(mlflow.address())?;
    let top = "drain_timeout_ms = 300";
    let mut stage = Stage::new(&proxy.url(), name, top, SOON)?.with_spool(64 << 20);
    let gateway = stage.start()?;
    let mut sent = gateway.calls("away", CALLS)?;
    ensure!(gateway.logged("Delivered")? == 0);
    ensure!(gateway.stop()?.success());

    mlflow.revive()?;
    let (seen, batches) = mpsc::channel();
    proxy.plan(move |request| {
        if request.is_batch() {
            // Nobody counts any more once the test is over.
            let _ = seen.send(());
        }
        None
    });
    let gateway = stage.start()?;
    let crowd = Crowd::gather(name, CLIENTS, REST);
    crowd.call(gateway.url());
    for _ in 0..RESTARTS {
        while batches.try_recv().is_ok() {}
        batches.recv_timeout(PATIENCE)?;
        std::thread::sleep(Duration::from_millis(random.u64(..LIFE)));
        mlflow.kill()?;
        mlflow.revive()?;
    }
    let calls = crowd.leave()?;
    ensure!(calls.cut.is_empty(), "cut off: {:?}", calls.cut);
    let failed = gateway.metric("gateway_tracking_requests_failed_total")?;
    ensure!(failed > 0.0, "no request met a server that was away");
    let waited = calls.complete.len();
    sent.extend(calls.complete);
    gateway.delivers(sent.len())?;
    ensure!(gateway.stop()?.success());
    let stored = Stored::exactly(&mlflow, name, &sent)?;
    println!(
        "count: {name}: {CALLS} sent while MLflow was away, {waited} while it was killed and started {RESTARTS} times; {} in \
         MLflow once each",
        stored.len()
    );
    Ok(())
}
