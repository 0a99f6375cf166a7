//! The gateway is killed, as by `kill -9` or the kernel when memory is short: what a client had to its end
//! is in MLflow once.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::Mlflow;

use crate::crowd::Crowd;
use crate::play::{SOON, Stage, Stored, seed};

/// Kills while clients call.
const KILLS: usize = 50;
/// Kills while it starts, and reads its spool.
const EARLY_KILLS: usize = 10;
/// The longest that it lives while clients call.
const LIFE: u64 = 600;
/// The longest that it lives while it starts; on an idle machine it has started by then.
const EARLY_LIFE: u64 = 400;
const CLIENTS: usize = 4;
const REST: Duration = Duration::from_millis(25);
const SPOOL: u64 = 64 << 20;

#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn fifty_kills_under_load() -> Result<()> {
    let name = "kills";
    let mut random = seed(name);
    let mlflow = Mlflow::shared()?;
    let mut stage = Stage::new(&mlflow.uri(), name, "", SOON)?.with_spool(SPOOL);
    let crowd = Crowd::gather(name, CLIENTS, REST);
    for kill in 0..KILLS {
        if kill % (KILLS / EARLY_KILLS) == 0 {
            let (mut command, _) = stage.command()?;
            let mut starting = command.stdout(Stdio::null()).spawn()?;
            std::thread::sleep(Duration::from_millis(random.u64(..EARLY_LIFE)));
            starting.kill()?;
            starting.wait()?;
        }
        let gateway = stage.start()?;
        crowd.call(gateway.url());
        std::thread::sleep(Duration::from_millis(random.u64(..LIFE)));
        gateway.kill()?;
        crowd.rest();
    }
    let calls = crowd.leave()?;
    ensure!(!calls.cut.is_empty(), "no kill cut a call off");

    let gateway = stage.start()?;
    let recovered = gateway.metric("gateway_spool_recovered_total")?;
    ensure!(recovered > 0.0, "no kill left anything to be delivered");
    gateway.empties_its_spool()?;
    ensure!(gateway.logged("Refused")? == 0 && gateway.logged("Dropped")? == 0);
    ensure!(gateway.stop()?.success());
    ensure!(
        stage.segments()?.is_empty(),
        "files are left: {:?}",
        stage.segments()?
    );

    let stored = Stored::wait(mlflow, name, &calls.complete)?;
    stored.check_once()?;
    let mut cut = BTreeMap::<&str, usize>::new();
    for marker in stored.markers() {
        let state = stored.state(marker).unwrap_or_default();
        if calls.complete.contains(marker) {
            ensure!(state == "OK", "{marker} was answered whole and is {state}");
        } else {
            ensure!(calls.cut.contains(marker), "{marker} was never sent");
            ensure!(["OK", "ERROR"].contains(&state), "{marker} is {state}");
            *cut.entry(state).or_default() += 1;
        }
    }
    println!(
        "count: {name}: {KILLS} kills under load and {EARLY_KILLS} at the start; {} calls answered whole, all in MLflow \
         once and OK; {} cut off, of which there are {cut:?} and none unfinished; the last start found {recovered} calls \
         in the spool",
        calls.complete.len(),
        calls.cut.len(),
    );
    Ok(())
}
