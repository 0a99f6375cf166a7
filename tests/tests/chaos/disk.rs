//! The spool's disk fails: full, read-only, files removed or cut short. Clients see nothing of it, and what can be
//! kept is.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};

use anyhow::{Context, Result, ensure};
use e2e::Mlflow;
use e2e::faults::{Fault, Proxy};

use crate::mount::Disk;
use crate::play::{Running, SOON, Stage, Stored, eventually, marker};

/// Calls before the disk fails, and as many afterwards.
const CALLS: usize = 30;
/// The bound of a spool that is not to reach it.
const ROOMY: u64 = 64 << 20;
/// The disk of a test, in KiB.
const SMALL: u64 = 2048;
/// The bound of a spool that is to reach it: more than memory has room for, since what is in memory stays.
const TIGHT: u64 = 4 << 20;
/// How often a file is cut short.
const CUTS: u64 = 12;

/// MLflow behind a proxy that says that it is away.
fn away(mlflow: &Mlflow) -> Result<Proxy> {
    let proxy = Proxy::start(mlflow.address())?;
    proxy.plan(|_| Some(Fault::Status(503, Some(1))));
    Ok(proxy)
}

/// A stage whose spool is on a disk of its own. None: nobody may mount one here, which is said.
pub fn stage_with_disk(name: &str, proxy: &Proxy) -> Result<Option<Stage>> {
    let stage = Stage::new(&proxy.url(), name, "drain_timeout_ms = 300", SOON)?.with_spool(ROOMY);
    fs::create_dir(stage.spool())?;
    let disk = Disk::mount(&stage.spool(), SMALL)?;
    if disk.is_none() {
        println!("count: {name}: not run, as this user may not mount a disk");
    }
    Ok(disk.map(|disk| stage.on(disk)))
}

/// While the disk fails the gateway goes on, and says why it is not as safe as it should be.
fn degraded(gateway: &Running, name: &str, why: &str) -> Result<BTreeSet<String>> {
    let sent = gateway.calls(name, CALLS)?;
    ensure!(gateway.metric("gateway_spool_failing")? == 1.0);
    let ready = gateway.ready()?;
    ensure!(ready.starts_with("ready, degraded"), "{ready}");
    eventually(why, || Ok(gateway.said().contains(why)))?;
    Ok(sent)
}

/// The disk works again, and all these calls are on it though no further one came: the gateway may be killed.
fn saved_and_killed(gateway: Running, sent: &BTreeSet<String>) -> Result<()> {
    eventually("all calls on the disk", || {
        Ok(
            gateway.metric("gateway_spool_calls")? as usize == sent.len()
                && gateway.metric("gateway_spool_failing")? == 0.0,
        )
    })?;
    ensure!(gateway.ready()? == "ready\n");
    gateway.kill()
}

/// The next gateway delivers them, each once.
fn delivered(
    stage: &mut Stage,
    proxy: &Proxy,
    name: &str,
    sent: &BTreeSet<String>,
) -> Result<usize> {
    proxy.heal();
    let gateway = stage.start()?;
    gateway.empties_its_spool()?;
    ensure!(gateway.stop()?.success());
    let stored = Stored::exactly(Mlflow::shared()?, name, sent)?;
    Ok(stored.len())
}

#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn a_disk_without_room() -> Result<()> {
    let name = "disk-full";
    let proxy = away(Mlflow::shared()?)?;
    let Some(mut stage) = stage_with_disk(name, &proxy)? else {
        return Ok(());
    };
    let gateway = stage.start()?;
    let mut sent = gateway.calls("before", CALLS)?;
    stage.disk()?.fill()?;
    sent.extend(degraded(&gateway, "full", "No space left on device")?);
    let unwritten = gateway.metric("gateway_spool_unwritten_total")?;
    stage.disk()?.empty()?;
    saved_and_killed(gateway, &sent)?;
    let stored = delivered(&mut stage, &proxy, name, &sent)?;
    println!(
        "count: {name}: {} sent, {unwritten} of them not written while the disk was full, all written when it was not \
         and the gateway killed; {stored} in MLflow once each",
        sent.len()
    );
    Ok(())
}

#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn a_disk_that_is_read_only() -> Result<()> {
    let name = "disk-read-only";
    let proxy = away(Mlflow::shared()?)?;
    let Some(mut stage) = stage_with_disk(name, &proxy)? else {
        return Ok(());
    };
    let gateway = stage.start()?;
    stage.disk()?.forbid_writing()?;
    let sent = degraded(&gateway, "read-only", "Read-only file system")?;
    stage.disk()?.allow_writing()?;
    saved_and_killed(gateway, &sent)?;

    stage.disk()?.forbid_writing()?;
    let refused = stage.start().err().context("it has started")?;
    let refused = format!("{refused:#}");
    ensure!(
        refused.contains("`spool.dir`") && refused.contains("Read-only file system"),
        "{refused}"
    );
    stage.disk()?.allow_writing()?;
    let stored = delivered(&mut stage, &proxy, name, &sent)?;
    println!(
        "count: {name}: {} sent while nothing could be written, all written later and the gateway killed; a start is \
         refused by name; {stored} in MLflow once each",
        sent.len()
    );
    Ok(())
}

#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn files_that_are_removed_under_a_running_gateway() -> Result<()> {
    let name = "disk-removed";
    let proxy = away(Mlflow::shared()?)?;
    let top = "drain_timeout_ms = 300";
    let mut stage = Stage::new(&proxy.url(), name, top, SOON)?.with_spool(ROOMY);
    let gateway = stage.start()?;
    let mut sent = gateway.calls("before", CALLS)?;
    let files = stage.files()?;
    for file in &files {
        fs::remove_file(file)?;
    }
    sent.extend(gateway.calls("after", CALLS)?);
    eventually("words about it", || {
        Ok(gateway.said().contains("were removed by somebody"))
    })?;
    saved_and_killed(gateway, &sent)?;
    let stored = delivered(&mut stage, &proxy, name, &sent)?;
    println!(
        "count: {name}: {} sent, {} files removed meanwhile, all calls written again and the gateway killed; {stored} in \
         MLflow once each",
        sent.len(),
        files.len()
    );
    Ok(())
}

/// `spool.max_bytes` is reached: the oldest go, and all that go are counted.
#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn a_spool_that_is_full() -> Result<()> {
    let name = "spool-full";
    let mlflow = Mlflow::shared()?;
    let proxy = away(mlflow)?;
    let top = "drain_timeout_ms = 300\n[queue]\nmax_bytes = 1048576\n";
    let mut stage = Stage::new(&proxy.url(), name, top, SOON)?.with_spool(TIGHT);
    let gateway = stage.start()?;
    let filling = "x".repeat(8 << 10);
    let mut sent = Vec::new();
    let mut most = 0.0;
    while gateway.logged("Dropped")? < 3 * CALLS {
        let marker = marker(name, sent.len());
        gateway.call(&format!("{marker}{filling}"), false)?;
        sent.push(marker);
        most = gateway.metric("gateway_spool_bytes")?.max(most);
    }
    ensure!(most <= gateway.metric("gateway_spool_max_bytes")?, "{most}");
    ensure!(gateway.said().contains("`spool.max_bytes`"));
    proxy.heal();
    gateway.empties_its_spool()?;
    let dropped = gateway.logged("Dropped")?;
    ensure!(gateway.stop()?.success());
    let stored = Stored::read(mlflow, name)?;
    stored.check_once()?;
    ensure!(
        stored.len() + dropped == sent.len(),
        "{} stored",
        stored.len()
    );
    let last = &sent[sent.len() - CALLS..];
    ensure!(last.iter().all(|marker| stored.has(marker)));
    println!(
        "count: {name}: {} sent, {dropped} dropped and counted, {} in MLflow once each, the last {CALLS} among them; at \
         most {most} bytes on the disk",
        sent.len(),
        stored.len()
    );
    Ok(())
}

/// The last call's end is missing, as when the machine died: that call is lost, and no other.
#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn a_file_that_is_cut_short() -> Result<()> {
    let name = "torn";
    let mlflow = Mlflow::shared()?;
    let nowhere = format!("http://{}", e2e::mlflow::free_address()?);
    let mut expected = BTreeSet::new();
    for cut in 0..CUTS {
        let top = "drain_timeout_ms = 300";
        let mut stage = Stage::new(&nowhere, name, top, SOON)?.with_spool(ROOMY);
        let gateway = stage.start()?;
        let whole = [marker("whole", cut as usize), marker("too", cut as usize)];
        for marker in &whole {
            gateway.call(marker, false)?;
        }
        let before = only_segment(&stage)?;
        gateway.call(&marker("torn", cut as usize), false)?;
        let after = only_segment(&stage)?;
        gateway.kill()?;
        // From nothing of it to all but a byte.
        let length = before.1 + cut * (after.1 - before.1 - 1) / (CUTS - 1);
        ensure!(before.0 == after.0 && length < after.1);
        OpenOptions::new()
            .write(true)
            .open(&after.0)?
            .set_len(length)?;

        stage.log_to(&mlflow.uri());
        let gateway = stage.start()?;
        let told = gateway.said().contains("was not written whole");
        ensure!(told == (length > before.1), "{}", gateway.said());
        gateway.empties_its_spool()?;
        ensure!(gateway.logged("Delivered")? == whole.len());
        ensure!(gateway.stop()?.success());
        expected.extend(whole);
    }
    let stored = Stored::exactly(mlflow, name, &expected)?;
    println!(
        "count: {name}: {CUTS} files cut at {CUTS} places of their last call; the other {} calls are in MLflow once each",
        stored.len()
    );
    Ok(())
}

/// The path and the length of the spool's only file of calls.
fn only_segment(stage: &Stage) -> Result<(std::path::PathBuf, u64)> {
    let segments = stage.segments()?;
    ensure!(segments.len() == 1, "{segments:?}");
    let length = fs::metadata(&segments[0])?.len();
    Ok((segments[0].clone(), length))
}

/// A second gateway would deliver what is the first one's: it is refused, and the first goes on.
#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn two_gateways_on_one_spool() -> Result<()> {
    let name = "two-gateways";
    let mlflow = Mlflow::shared()?;
    let mut stage = Stage::new(&mlflow.uri(), name, "", SOON)?.with_spool(ROOMY);
    let first = stage.start()?;
    let mut sent = first.calls("before", CALLS)?;
    let refused = stage.start().err().context("a second one has started")?;
    let refused = format!("{refused:#}");
    let words = format!("in use by another gateway (process {})", first.id());
    ensure!(
        refused.contains("`spool.dir`") && refused.contains(&words),
        "{refused}"
    );
    sent.extend(first.calls("meanwhile", CALLS)?);
    // One that is killed leaves the directory to the next.
    first.kill()?;
    let second = stage.start()?;
    sent.extend(second.calls("after", CALLS)?);
    second.empties_its_spool()?;
    let stored = Stored::exactly(mlflow, name, &sent)?;
    println!(
        "count: {name}: the second is refused; {} sent, {} in MLflow once each",
        sent.len(),
        stored.len()
    );
    Ok(())
}
