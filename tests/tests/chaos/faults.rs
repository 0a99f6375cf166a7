//! One fault at a time between the gateway and MLflow: no call is lost, none is doubled, and clients see
//! nothing of it.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::Mlflow;
use e2e::faults::{Fault, Proxy};

use crate::play::{SOON, Stage, Stored, eventually};

/// Calls while the fault lasts, and as many once it is over.
const CALLS: usize = 20;

/// Calls while requests meet a fault, so many of them at least, and after that. The first request asks for the
/// experiment; later ones of that kind meet nothing, so that batches do.
fn overcome(
    name: &str,
    least: usize,
    mut fault: impl FnMut(usize) -> Option<Fault> + Send + 'static,
) -> Result<()> {
    let mlflow = Mlflow::shared()?;
    let proxy = Proxy::start(mlflow.address())?;
    let mut stage = Stage::new(&proxy.url(), name, "", SOON)?;
    let gateway = stage.start()?;
    let mut number = 0;
    proxy.plan(move |request| {
        if number > 0 && !request.is_batch() {
            return None;
        }
        number += 1;
        fault(number)
    });
    let mut sent = gateway.calls(&format!("{name}-during"), CALLS)?;
    let mut more = 0;
    eventually("requests that met the fault", || {
        more += 1;
        sent.extend(gateway.calls(&format!("{name}-more-{more}"), 1)?);
        Ok(proxy.faults() >= least)
    })?;
    let met = proxy.faults();
    proxy.heal();
    sent.extend(gateway.calls(&format!("{name}-after"), CALLS)?);
    gateway.delivers(sent.len())?;
    let stored = Stored::exactly(mlflow, name, &sent)?;
    ensure!(gateway.logged("Delivered")? == sent.len() && gateway.logged("Refused")? == 0);
    println!(
        "count: {name}: {} sent, {} in MLflow once each, {met} requests met the fault",
        sent.len(),
        stored.len()
    );
    Ok(())
}

#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn too_many_requests() -> Result<()> {
    overcome("answer-429", 4, |_| Some(Fault::Status(429, Some(1))))
}

#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn server_error() -> Result<()> {
    overcome("answer-500", 4, |_| Some(Fault::Status(500, None)))
}

#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn unavailable() -> Result<()> {
    overcome("answer-503", 4, |_| Some(Fault::Status(503, Some(1))))
}

#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn unauthorized() -> Result<()> {
    overcome("answer-401", 2, |_| Some(Fault::Status(401, None)))
}

/// A proxy with a login before MLflow: it answers 200, and nothing is stored.
#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn a_page_to_sign_in() -> Result<()> {
    overcome("page", 2, |_| Some(Fault::Page))
}

/// A server, or a proxy before it, that takes small requests only: batches are split.
#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn too_large() -> Result<()> {
    let name = "answer-413";
    let mlflow = Mlflow::shared()?;
    let proxy = Proxy::start(mlflow.address())?;
    proxy.plan(|request| {
        let spans = request.text().matches("mlflow.spanInputs").count();
        (request.is_batch() && spans > 2).then_some(Fault::Status(413, None))
    });
    let mut stage = Stage::new(&proxy.url(), name, "", "flush_interval_ms = 2000")?;
    let gateway = stage.start()?;
    let sent = gateway.calls(name, 2 * CALLS)?;
    let stored = Stored::exactly(mlflow, name, &sent)?;
    ensure!(proxy.faults() > 0, "no batch was ever too large");
    println!(
        "count: {name}: {} sent, {} in MLflow once each, {} batches too large",
        sent.len(),
        stored.len(),
        proxy.faults()
    );
    Ok(())
}

#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn reset() -> Result<()> {
    overcome("reset", 4, |_| Some(Fault::Reset))
}

/// What was stored while its answer was lost is sent again, and still is there once.
#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn half_an_answer() -> Result<()> {
    overcome("half", 4, |_| Some(Fault::Half))
}

#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn an_answer_byte_by_byte() -> Result<()> {
    overcome("slow", 4, |_| Some(Fault::Slow(Duration::from_millis(5))))
}

/// Every fault in turn, and in between none.
#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn one_after_the_other() -> Result<()> {
    let faults = [
        Fault::Reset,
        Fault::Status(503, None),
        Fault::Half,
        Fault::Status(429, Some(0)),
        Fault::Slow(Duration::from_millis(1)),
        Fault::Delay(Duration::from_millis(200)),
        Fault::Status(502, None),
    ];
    overcome("in-turn", faults.len(), move |number| {
        (number % 2 == 1).then(|| faults[number / 2 % faults.len()].clone())
    })
}
