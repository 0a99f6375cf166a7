//! `replay`: a recording of hook calls, logged through the plugin.

use std::fs::File;
use std::io::{Read, Write, stdin, stdout};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use host_example::bindings::llm_gateway::hooks::types::DeferralCause;
use host_example::replay::{Replay, Report, Stop};
use host_example::{Origin, Settings};
use indicatif::{ProgressBar, ProgressStyle};

use super::{PluginOptions, ServerOptions, bad_setting, file_layer, runtime, settings};

/// Some lines were rejected; the others were delivered.
const REJECTED: u8 = 3;
/// MLflow could not be reached, or the replay ended early otherwise.
const UNDELIVERED: u8 = 1;

/// Log the hook calls of a recording, one JSON object a line, and print a report
#[derive(clap::Args)]
pub struct Options {
    /// The recording; - for standard input
    #[arg(value_name = "FILE.jsonl|-")]
    file: PathBuf,
    #[command(flatten)]
    server: ServerOptions,
    /// How many instances of the plugin share the work
    #[arg(long, value_name = "N", default_value = "1")]
    threads: NonZero<u8>,
    /// A configuration file, of which the table `logger` is used
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    plugin: PluginOptions,
}

/// Replays and reports.
pub fn run(options: Options, quiet: bool) -> Result<ExitCode> {
    let (input, size) = open(&options.file)?;
    let file = file_layer(options.config.as_deref())?;
    let (plugin, settings) = runtime()?.block_on(async {
        // One more instance than threads, for the check of the settings.
        let plugin = options
            .plugin
            .load(u32::from(options.threads.get()) + 1)
            .await?;
        let (settings, fault) = settings(&plugin, [options.server.layer(), file]).await?;
        if let Some((key, reason)) = fault {
            bail!("{}", bad_setting(&settings, &key, &reason));
        }
        Ok((plugin, settings))
    })?;
    let replay = Replay {
        input,
        ends: size.is_some(),
        threads: options.threads.into(),
        progress: if quiet {
            ProgressBar::hidden()
        } else {
            progress(size)
        },
    };
    let (report, result) = replay.run(&plugin, &settings);
    let mut out = stdout().lock();
    writeln!(out, "{}", serde_json::to_string(&report)?).context("the report was not written")?;
    if let Err(stop) = &result {
        eprintln!("error: {}", explain(stop, &settings));
    }
    Ok(ExitCode::from(exit_code(&report, result.is_err())))
}

fn exit_code(report: &Report, stopped: bool) -> u8 {
    if stopped || report.undelivered > 0 {
        UNDELIVERED
    } else if report.rejected.is_empty() {
        0
    } else {
        REJECTED
    }
}

/// The input, and its size where it is a file.
fn open(path: &Path) -> Result<(Box<dyn Read>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(stdin()), None));
    }
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, file) = opened.with_context(|| format!("{} cannot be read", path.display()))?;
    if metadata.is_dir() {
        bail!(
            "{} is a directory; name a file of JSON lines, or -",
            path.display()
        );
    }
    Ok((Box::new(file), metadata.is_file().then_some(metadata.len())))
}

fn progress(size: Option<u64>) -> ProgressBar {
    let (bar, template) = match size {
        Some(size) => (
            ProgressBar::new(size),
            "{bar:30} {percent:>3} % {msg} {elapsed_precise}, {eta} left",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {msg} {elapsed_precise}",
        ),
    };
    let style = ProgressStyle::with_template(template);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// What ended the replay, where, and how to mend it.
fn explain(stop: &Stop, settings: &Settings) -> String {
    let address = settings
        .text("tracking_uri")
        .unwrap_or("the configured address");
    let Stop::GaveUp { cause, reason } = stop else {
        return stop.to_string();
    };
    let reason = reason.trim_end_matches('.');
    // The plugin's words may name the address already.
    let at = if reason.contains(address) {
        String::new()
    } else {
        format!("MLflow at {address}: ")
    };
    match cause {
        DeferralCause::Unreachable => {
            let port = Origin::parse(address).map_or(5000, |origin| origin.port);
            format!(
                "{at}{reason}. Start MLflow there with `mlflow server --port {port}`, or pass \
                 --tracking-uri with the right address"
            )
        }
        DeferralCause::Unavailable => format!(
            "{at}the server answers but takes no traces: {reason}. See its log, and replay the file again: \
             what is stored already is not doubled"
        ),
        DeferralCause::Misconfigured => {
            format!("{at}the server takes no traces as things are set: {reason}")
        }
    }
}
