//! A call in a hundred is one that MLflow refuses: it alone is.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Result, ensure};
use e2e::Mlflow;
use e2e::faults::{Fault, Proxy};
use serde_json::Value;

use crate::play::{SOON, Stage, Stored, eventually, marker};

const CALLS: usize = 400;

#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn every_hundredth_call_is_poison() -> Result<()> {
    let name = "poison";
    let mlflow = Mlflow::shared()?;
    let proxy = Proxy::start(mlflow.address())?;
    let is_poison = |number: usize| number % 100 == 50;
    let poison: BTreeSet<_> = (0..CALLS)
        .filter(|number| is_poison(*number))
        .map(|number| marker(name, number))
        .collect();
    let refused = poison.clone();
    proxy.plan(move |request| {
        let text = request.text();
        let poisoned = refused.iter().any(|marker| text.contains(marker.as_str()));
        poisoned.then_some(Fault::Status(422, None))
    });
    let mut stage = Stage::new(&proxy.url(), name, "", SOON)?.with_spool(64 << 20);
    let gateway = stage.start()?;
    let mut sent = gateway.calls(name, CALLS)?;
    sent.retain(|marker| !poison.contains(marker));
    eventually("all ends", || {
        Ok(gateway.logged("Delivered")? + gateway.logged("Refused")? >= CALLS)
    })?;
    ensure!(gateway.logged("Refused")? == poison.len());
    let stored = Stored::exactly(mlflow, name, &sent)?;
    let letters = fs::read_to_string(stage.spool().join("dead-letters.jsonl"))?;
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
    ensure!(told.len() == poison.len());
    for marker in &poison {
        let having = told.iter().filter(|text| text.contains(marker.as_str()));
        ensure!(having.count() == 1, "{marker} is not among {told:?}");
    }
    println!(
        "count: {name}: {CALLS} sent, {} in MLflow once each, {} refused and in the file of dead letters with the reason",
        stored.len(),
        letters.len()
    );
    Ok(())
}
