//! `cargo xtask`: the one entry for people and CI.

#![forbid(unsafe_code)]

mod bench;
mod cargo;
mod demo;
mod dist;
mod fuzz;
mod generate;
mod instructions;
mod new_provider;
mod parity;
mod screenshot;
mod supply;
mod test;
mod toolchain;
mod wit;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Shows, tests, builds and measures the project. Installs by itself what it needs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Logs calls to a real MLflow and shows the traces it then holds
    Demo {
        /// End when they are shown, with 0 if they are what was sent
        #[arg(long)]
        once: bool,
        /// Calls through stock Envoy with the filter instead
        #[arg(long)]
        envoy: bool,
    },
    /// Runs the lints and all tests; ends with `N passed, N failed`
    Test(test::Selection),
    /// Measures what logging a call costs, against other ways to log it
    Bench(bench::Options),
    /// Runs the fuzz targets
    Fuzz(fuzz::Options),
    /// Builds all that is given to people, with checksums and a bill of materials
    Dist(dist::Options),
    /// Writes the documents that are made from the code: docs/settings.md, docs/wit.md
    Generate,
    /// Looks at what the project depends on: licences, sources, advisories
    Supply {
        /// `check`, or `advisories DIR` with a checkout of RustSec's database
        #[arg(default_value = "check")]
        arguments: Vec<String>,
    },
    /// Compares with litellm's own logger and writes docs/parity.md
    Parity,
    /// Takes the pictures in docs/images of MLflow's UI
    Screenshot,
    /// Adds a provider's wire format, from a template that passes the tests
    NewProvider {
        /// The module's name, such as `acme_chat`
        name: String,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Demo { once, envoy: true } => demo::run_envoy(once),
        Task::Demo { once, .. } => demo::run(once),
        Task::Test(selection) => Ok(test::run(&selection)),
        Task::Bench(options) => bench::run(&options).map(|()| ExitCode::SUCCESS),
        Task::Fuzz(options) => fuzz::run(&options).map(|()| ExitCode::SUCCESS),
        Task::Dist(options) => dist::run(&options).map(|()| ExitCode::SUCCESS),
        Task::NewProvider { name } => new_provider::run(&name).map(|()| ExitCode::SUCCESS),
        Task::Screenshot => screenshot::run().map(|()| ExitCode::SUCCESS),
        Task::Generate => generate::run().map(|()| ExitCode::SUCCESS),
        Task::Supply { arguments } => supply::run(&arguments).map(|()| ExitCode::SUCCESS),
        Task::Parity => parity::run().map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error: anyhow::Error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
