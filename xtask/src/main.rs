//! `cargo xtask`: the one entry for people and CI.

mod dist;
mod toolchain;

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
    /// Builds the plugin, `mlflow_logger.wasm`
    Dist,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Dist => dist::run().map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error: anyhow::Error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
