//! `check`: is this configuration good?

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use host_example::Source;
use host_example::config::{Config, ConfigError, Fault};

use super::{PluginOptions, runtime, say, settings};

/// Check a configuration file and exit: 0 if it is good, 1 if not
#[derive(clap::Args)]
pub struct Options {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    plugin: PluginOptions,
}

/// Tells what is wrong with the file, or that it is good.
pub fn run(options: Options) -> Result<ExitCode> {
    let config = match Config::load(&options.config) {
        Ok(config) => config,
        Err(error) => return Ok(bad(&error.to_string())),
    };
    let faults = host_example::gateway::check(&config);
    if !faults.is_empty() {
        let path = options.config.clone();
        return Ok(bad(&ConfigError { path, faults }.to_string()));
    }
    let fault = runtime()?.block_on(async {
        let plugin = options.plugin.load(2).await?;
        let (settings, fault) = settings(&plugin, [config.logger]).await?;
        let told = fault.map(|(key, reason)| match settings.source(&key) {
            Some(source @ Source::Environment(_)) => format!("{source}: `{key}`: {reason}"),
            source => {
                let line = match source {
                    Some(Source::File(_, line)) => *line,
                    _ => None,
                };
                let key = format!("logger.{key}");
                let faults = vec![Fault { line, key, reason }];
                let path = options.config.clone();
                ConfigError { path, faults }.to_string()
            }
        });
        anyhow::Ok(told)
    })?;
    if let Some(fault) = fault {
        return Ok(bad(&fault));
    }
    say(&format!("{}: ok\n", options.config.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn bad(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}
