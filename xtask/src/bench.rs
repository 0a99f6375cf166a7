//! `cargo xtask bench`: what the hooks cost, and what logging adds to a gateway's first byte, as tables.

mod envoy;

use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use e2e::{Step, paths};

use crate::{cargo, dist};

/// How to measure.
#[derive(Args, Debug)]
pub struct Options {
    /// JSON instead of a Markdown table
    #[arg(long)]
    json: bool,
    /// A tenth of the work: to see that it runs
    #[arg(long)]
    quick: bool,
    /// What the filter costs stock Envoy instead
    #[arg(long)]
    envoy: bool,
}

/// Builds and runs the benchmark; its table goes to stdout, all else to stderr.
pub fn run(options: &Options) -> Result<()> {
    if options.envoy {
        return envoy::run(options.quick);
    }
    let plugin = dist::build()?;
    let encoder = dist::module("bench-encoder")?;
    let build = ["build", "--release", "--locked", "-p", "bench"];
    Step::new("Build the benchmark").run(&mut cargo::command(build))?;
    let mut bench = Command::new(paths::target()?.join("release/bench"));
    bench.arg("--plugin").arg(plugin);
    bench.arg("--encoder").arg(encoder);
    bench.args(options.json.then_some("--json"));
    bench.args(options.quick.then_some("--quick"));
    let status = bench.status().context("the benchmark does not start")?;
    if !status.success() {
        bail!("the benchmark failed, {status}");
    }
    Ok(())
}
