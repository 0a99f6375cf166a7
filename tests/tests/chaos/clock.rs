//! The machine's clock is set back, and forth, while calls come: each arrives once, and none takes less than no time.
//!
//! `libfaketime` stands between the gateway and the clock; the clock that never goes back is left alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use e2e::{Mlflow, debian};

use crate::play::{SOON, Stage, Stored, marker};

/// How far off the clock is, one after the other.
const OFFSETS: [&str; 5] = ["+0", "-3600", "-1", "-2d", "+1d"];
const CALLS: usize = 20;

#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn a_clock_that_is_set_back() -> Result<()> {
    let name = "clock";
    let mlflow = Mlflow::shared()?;
    let mut stage = Stage::new(&mlflow.uri(), name, "", SOON)?.with_spool(64 << 20);
    let offset = stage.directory.path().join("offset");
    fs::write(&offset, OFFSETS[0])?;
    stage.set("LD_PRELOAD", &library()?.display().to_string());
    stage.set("FAKETIME_TIMESTAMP_FILE", &offset.display().to_string());
    stage.set("FAKETIME_NO_CACHE", "1");
    stage.set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let mut gateway = stage.start()?;
    let mut sent = BTreeSet::new();
    for (round, shift) in OFFSETS.iter().enumerate() {
        let streamed = marker(name, round);
        // While a stream is under way, too.
        std::thread::scope(|scope| {
            let call = scope.spawn(|| gateway.call(&streamed, true));
            std::thread::sleep(std::time::Duration::from_millis(10));
            let set = fs::write(&offset, shift);
            call.join().expect("a client panicked").and(Ok(set?))
        })?;
        sent.insert(streamed);
        sent.extend(gateway.calls(&format!("{name}{shift}"), CALLS)?);
        // What is written at one time is read at another.
        gateway.kill()?;
        gateway = stage.start()?;
    }
    gateway.empties_its_spool()?;
    ensure!(gateway.stop()?.success());
    let stored = Stored::exactly(mlflow, name, &sent)?;
    let days: BTreeSet<_> = stored
        .traces()
        .map(|trace| trace.info.request_time_ms / 86_400_000)
        .collect();
    ensure!(days.len() >= 3, "the clock was never set: {days:?}");
    for trace in stored.traces() {
        ensure!(
            trace.info.duration_ms.is_some_and(|time| time >= 0),
            "{:?}",
            trace.info
        );
    }
    println!(
        "count: {name}: the clock set to {OFFSETS:?} while calls came; {} sent, {} in MLflow once each, none of negative \
         duration",
        sent.len(),
        stored.len()
    );
    Ok(())
}

/// The library; it is installed where it is missing.
fn library() -> Result<PathBuf> {
    if let Some(path) = find() {
        return Ok(path);
    }
    debian::install(&["libfaketime"], "a clock that can be set")?;
    find().context("the package libfaketime has no libfaketime.so.1")
}

fn find() -> Option<PathBuf> {
    let listed = Command::new("dpkg").args(["-L", "libfaketime"]).output();
    let listed = String::from_utf8(listed.ok()?.stdout).ok()?;
    let mut files = listed.lines();
    let file = files.find(|file| file.ends_with("/libfaketimeMT.so.1"))?;
    Some(file.into())
}
