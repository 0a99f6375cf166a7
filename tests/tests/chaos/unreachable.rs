//! MLflow is there and cannot be reached: a certificate that nobody vouches for, a name that does not
//! resolve. Both are mended while the gateway runs, and nothing is lost meanwhile.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use e2e::Mlflow;

use crate::play::{Running, SOON, Stage, Stored, eventually};
use crate::tls::Front;

const CALLS: usize = 40;

#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn a_certificate_that_is_not_trusted() -> Result<()> {
    let name = "tls";
    let mlflow = Mlflow::shared()?;
    let front = Front::start(mlflow.address())?;
    let mut stage = Stage::new(&front.url(), name, "", SOON)?;
    let trusted = stage.directory.path().join("ca.pem");
    std::fs::write(&trusted, front.trusted())?;
    let path = trusted.to_str().context("a path that is no text")?;
    stage.set("SSL_CERT_FILE", path);
    front.show_another();
    let gateway = stage.start()?;
    let sent = refused(&gateway, name, "invalid peer certificate")?;
    front.show_trusted();
    delivered(mlflow, name, gateway, sent)
}

#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn a_name_that_does_not_resolve() -> Result<()> {
    let name = "name";
    let mlflow = Mlflow::shared()?;
    // RFC 6761: there is never such a host.
    let mut stage = Stage::new("http://mlflow.invalid:5000", name, "", SOON)?;
    let gateway = stage.start()?;
    let sent = refused(&gateway, name, "mlflow.invalid")?;
    stage.log_to(&mlflow.uri());
    stage.write()?;
    gateway.signal("HUP")?;
    delivered(mlflow, name, gateway, sent)
}

/// Calls while MLflow cannot be reached: answered all the same, and the log says why they are not logged.
fn refused(gateway: &Running, name: &str, why: &str) -> Result<BTreeSet<String>> {
    let sent = gateway.calls(&format!("{name}-during"), CALLS)?;
    eventually("words about what is wrong", || {
        let said = gateway.said();
        let mut lines = said.lines();
        Ok(lines.any(|line| line.contains("not delivered for now") && line.contains(why)))
    })?;
    ensure!(gateway.logged("Delivered")? == 0);
    Ok(sent)
}

/// It is mended: these calls arrive, and further ones.
fn delivered(
    mlflow: &Mlflow,
    name: &str,
    gateway: Running,
    mut sent: BTreeSet<String>,
) -> Result<()> {
    sent.extend(gateway.calls(&format!("{name}-after"), CALLS)?);
    gateway.delivers(sent.len())?;
    let stored = Stored::exactly(mlflow, name, &sent)?;
    ensure!(gateway.stop()?.success());
    println!(
        "count: {name}: {} sent, {} of them while MLflow could not be reached, {} in MLflow once each",
        sent.len(),
        CALLS,
        stored.len()
    );
    Ok(())
}
