//! Calls through stock Envoy with the filter, before providers that are played.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context, Result};
use e2e::envoy::Config;
use e2e::{Envoy, Mlflow, Python, Step};
use serde_json::json;

use super::{address, live, show, wait_for_interrupt};
use crate::{cargo, dist};

/// Where these traces go.
const EXPERIMENT: &str = "demo-envoy";

/// Shows it all. With `once`, everything ends with the demo; otherwise it runs on until ctrl-c.
pub fn run(once: bool) -> Result<ExitCode> {
    dist::build_proxy()?;
    cargo::build_provider()?;
    let python = Python::prepare()?;
    let mut mlflow = Step::new("Start MLflow").during(|| Mlflow::start(&python))?;
    let provider = live::provider()?;
    let mut config = Config::example(&python, host(provider.url())?, host(&mlflow.uri())?)?;
    config.settings(json!({"experiment_name": EXPERIMENT}))?;
    let envoy = Step::new("Start Envoy").during(|| Envoy::start(&config))?;
    let gateway = format!("http://{}", envoy.address);
    println!("\nCalls through Envoy, configured as in host-example/envoy/envoy.yaml:");

    let calls = live::calls();
    let mut good = true;
    for call in &calls {
        good &= live::make(call, &gateway, None)?;
    }
    let delivered = || envoy.reaches("delivered", calls.len() as u64);
    Step::new("Wait until they are delivered").during(delivered)?;
    let read = || mlflow.traces(EXPERIMENT);
    let traces = Step::new("Read the traces back with MLflow's own client").during(read)?;
    println!("\nWhat MLflow holds of them:\n");
    for trace in &traces {
        println!("{}", show::trace(trace));
    }
    println!("Envoy's statistics of it:\n");
    println!(
        "{}",
        envoy.ask("GET", "/stats?filter=mlflow_logger&usedonly")?
    );
    good &= live::as_made(&calls, &traces);
    let address = address(&mlflow, EXPERIMENT)?;
    if once {
        println!("They were at {address}; without --once all keeps running.");
    } else {
        println!("Call {gateway}, and look at the traces in MLflow: {address}\nctrl-c ends it.");
        wait_for_interrupt(&mut mlflow)?;
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Host and port of a URL.
fn host(url: &str) -> Result<SocketAddr> {
    let host = url.trim_start_matches("http://");
    host.parse().with_context(|| format!("{url} is no address"))
}
