//! The gateway binary: recordings replayed, configurations checked, the plugin looked at.

#![forbid(unsafe_code)]

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::log::LogOptions;
use commands::{check, plugin_info, replay};

/// Logs LLM calls to MLflow through a sandboxed WebAssembly plugin.
#[derive(Parser)]
#[command(name = "mlflow-gateway", version, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    log: LogOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Replay(replay::Options),
    Check(check::Options),
    PluginInfo(plugin_info::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.log.install();
    let result = match cli.command {
        Command::Replay(options) => replay::run(options, cli.log.quiet),
        Command::Check(options) => check::run(options),
        Command::PluginInfo(options) => plugin_info::run(options),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(commands::COULD_NOT_START)
    })
}
