//! `cargo xtask bench`: what logging a call costs, against other ways to log it, as one table.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use e2e::{Step, paths};

use crate::{cargo, dist, instructions};

/// How to measure.
#[derive(Args, Debug)]
pub struct Options {
    /// Only these
    #[arg(long, value_enum)]
    only: Vec<Group>,
    /// What the filter costs stock Envoy, alone
    #[arg(long)]
    envoy: bool,
    /// JSON instead of a Markdown table
    #[arg(long)]
    json: bool,
    /// Write it to this file as well: JSON where it ends in `.json`, else Markdown
    #[arg(long)]
    out: Option<PathBuf>,
    /// A tenth of the work: to see that it runs
    #[arg(long)]
    quick: bool,
    /// Count the instructions of the core's hot paths anew instead, and keep them in tests/instructions.toml
    #[arg(long)]
    update_instructions: bool,
}

/// What the rows are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Group {
    /// This plugin against litellm's logger and OpenTelemetry's exporter, with a real MLflow behind
    Peers,
    /// The hooks in the sandbox against the same core natively, and what they allocate
    Hooks,
    /// How costs grow with events, streams and instances
    Growth,
    /// What goes over the wire
    Batches,
    /// A span's protobuf by hand against prost
    Encoding,
    /// From the file to the first event
    Start,
    /// What the gateway adds to a call
    Gateway,
    /// What the filter adds to stock Envoy
    Envoy,
}

impl Options {
    /// All but Envoy, unless something else was asked for.
    fn groups(&self) -> Vec<Group> {
        let all = Group::value_variants().iter().copied();
        match (self.envoy, self.only.as_slice()) {
            (true, _) => vec![Group::Envoy],
            (false, []) => all.filter(|group| *group != Group::Envoy).collect(),
            (false, only) => only.to_vec(),
        }
    }
}

/// Builds and runs the benchmark; its table goes to stdout, all else to stderr.
pub fn run(options: &Options) -> Result<()> {
    if options.update_instructions {
        return instructions::update();
    }
    let groups = options.groups();
    let plugin = dist::build()?;
    let encoder = dist::module("bench-encoder")?;
    if groups.contains(&Group::Envoy) {
        dist::build_proxy()?;
    }
    let build = ["build", "--release", "--locked", "-p", "bench"];
    Step::new("Build the benchmark").run(&mut cargo::command(build))?;
    let mut bench = Command::new(paths::target()?.join("release/bench"));
    bench.arg("--plugin").arg(plugin);
    bench.arg("--encoder").arg(encoder);
    for group in groups {
        let value = group
            .to_possible_value()
            .context("every group has a name")?;
        bench.args(["--only", value.get_name()]);
    }
    if let Some(out) = &options.out {
        bench.arg("--out").arg(out);
    }
    bench.args(options.json.then_some("--json"));
    bench.args(options.quick.then_some("--quick"));
    let status = bench.status().context("the benchmark does not start")?;
    if !status.success() {
        bail!("the benchmark failed, {status}");
    }
    Ok(())
}
