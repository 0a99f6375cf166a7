//! A call in a hundred is one that MLflow refuses: it alone is, and it is written down for somebody to look at.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use e2e::Mlflow;
use e2e::faults::{Fault, Proxy};
use serde_json::Value;

use crate::disk::stage_with_disk;
use crate::play::{Running, SOON, Stage, Stored, eventually, marker};

const CALLS: usize = 400;

/// MLflow behind a proxy that refuses a call in a hundred, and those calls.
fn refusing(mlflow: &Mlflow, name: &str) -> Result<(Proxy, BTreeSet<String>)> {
    let proxy = Proxy::start(mlflow.address())?;
    let numbers = (50..CALLS).step_by(100);
    let poison: BTreeSet<_> = numbers.map(|number| marker(name, number)).collect();
    let refused = poison.clone();
    proxy.plan(move |request| {
        let text = request.text();
        let poisoned = refused.iter().any(|marker| text.contains(marker.as_str()));
        poisoned.then_some(Fault::Status(422, None))
    });
    Ok((proxy, poison))
}

fn all_ends(gateway: &Running, refused: usize) -> Result<()> {
    eventually("all ends", || {
        Ok(gateway.logged("Delivered")? + gateway.logged("Refused")? >= CALLS)
    })?;
    ensure!(gateway.logged("Refused")? == refused);
    Ok(())
}

/// The file of dead letters has these calls, each once and with the reason.
fn check_letters(spool: &Path, poison: &BTreeSet<String>) -> Result<usize> {
    let letters = fs::read_to_string(spool.join("dead-letters.jsonl"))?;
    let letters: Vec<Value> = letters
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    for letter in &letters {
        let reason = letter["reason"].as_str().unwrap_or_default();
        ensure!(reason.contains("answered 422: "), "{letter}");
    }
    let asked = |letter: &Value| letter["event"]["request"]["text"].to_string();
    let told: Vec<_> = letters.iter().map(asked).collect();
    ensure!(told.len() == poison.len(), "{} letters", told.len());
    for marker in poison {
        let having = told.iter().filter(|text| text.contains(marker.as_str()));
        ensure!(having.count() == 1, "{marker} is not among {told:?}");
    }
    Ok(told.len())
}

#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn every_hundredth_call_is_poison() -> Result<()> {
    let name = "poison";
    let mlflow = Mlflow::shared()?;
    let (proxy, poison) = refusing(mlflow, name)?;
    let mut stage = Stage::new(&proxy.url(), name, "", SOON)?.with_spool(64 << 20);
    let gateway = stage.start()?;
    let mut sent = gateway.calls(name, CALLS)?;
    sent.retain(|marker| !poison.contains(marker));
    all_ends(&gateway, poison.len())?;
    let stored = Stored::exactly(mlflow, name, &sent)?;
    let letters = check_letters(&stage.spool(), &poison)?;
    println!(
        "count: {name}: {CALLS} sent, {} in MLflow once each, {letters} refused and in the file of dead letters with the \
         reason",
        stored.len(),
    );
    Ok(())
}

/// The disk is full when MLflow refuses calls, so that neither they nor their letters can be written.
#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn dead_letters_on_a_full_disk() -> Result<()> {
    let name = "poison-full";
    let mlflow = Mlflow::shared()?;
    let (proxy, poison) = refusing(mlflow, name)?;
    let Some(mut stage) = stage_with_disk(name, &proxy)? else {
        return Ok(());
    };
    let gateway = stage.start()?;
    stage.disk()?.fill()?;
    let mut sent = gateway.calls(name, CALLS)?;
    sent.retain(|marker| !poison.contains(marker));
    eventually("all others are delivered, and letters wait", || {
        Ok(gateway.logged("Delivered")? == sent.len()
            && gateway.metric("gateway_dead_letters_waiting")? as usize == poison.len())
    })?;
    ensure!(gateway.metric("gateway_dead_letters_failing")? == 1.0);
    ensure!(gateway.ready()?.starts_with("ready, degraded"));
    ensure!(gateway.logged("Refused")? == 0);
    let words = "dead letters cannot be written to";
    eventually("words about it", || Ok(gateway.said().contains(words)))?;

    stage.disk()?.empty()?;
    all_ends(&gateway, poison.len())?;
    eventually("no trouble", || Ok(gateway.ready()? == "ready\n"))?;
    let spool = stage.disk()?.path();
    let letters = check_letters(&spool, &poison)?;
    gateway.kill()?;
    let gateway = stage.start()?;
    gateway.empties_its_spool()?;
    ensure!(gateway.stop()?.success());
    check_letters(&spool, &poison)?;
    let stored = Stored::exactly(mlflow, name, &sent)?;
    println!(
        "count: {name}: {CALLS} sent to a full disk, {} in MLflow once each; {letters} refused, in the file of dead letters \
         once each when the disk had room, and after a kill",
        stored.len(),
    );
    Ok(())
}
