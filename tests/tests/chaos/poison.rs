//! A call in a hundred is one that MLflow refuses: it alone is.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use e2e::Mlflow;
use e2e::faults::{Fault, Proxy};

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
    let mut stage = Stage::new(&proxy.url(), name, "", SOON)?;
    let gateway = stage.start()?;
    let mut sent = gateway.calls(name, CALLS)?;
    sent.retain(|marker| !poison.contains(marker));
    eventually("all ends", || {
        Ok(gateway.logged("Delivered")? + gateway.logged("Refused")? >= CALLS)
    })?;
    ensure!(gateway.logged("Refused")? == poison.len());
    let stored = Stored::wait(mlflow, name, &sent)?;
    stored.check_exactly(&sent)?;
    println!(
        "count: {name}: {CALLS} sent, {} in MLflow once each, {} refused",
        stored.len(),
        poison.len()
    );
    Ok(())
}
