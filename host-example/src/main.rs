//! The gateway binary: calls forwarded, recordings replayed, configurations checked, the way to
//! MLflow tried, the plugin looked at.

#![forbid(unsafe_code)]

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::log::LogOptions;
use commands::{check, doctor, plugin_info, replay, serve};

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
    Serve(serve::Options),
    Check(check::Options),
    Doctor(doctor::Options),
    PluginInfo(plugin_info::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let serving = matches!(cli.command, Command::Serve(_));
    cli.log.install(serving);
    let result = match cli.command {
        Command::Replay(options) => replay::run(options, cli.log.quiet),
        Command::Serve(options) => serve::run(options),
        Command::Check(options) => check::run(options),
        Command::Doctor(options) => doctor::run(options),
        Command::PluginInfo(options) => plugin_info::run(options),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(commands::COULD_NOT_START)
    })
}
