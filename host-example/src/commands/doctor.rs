//! `doctor`: would calls reach MLflow, and if not, what is to be mended?

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use host_example::config::{Config, ConfigError};
use host_example::doctor::{Case, Report, examine};
use host_example::{Plugin, Settings};
use serde_json::json;

use super::{PluginOptions, ServerOptions, bad_setting, runtime, say, settings};

/// Check settings, MLflow, experiment, clocks, spool and upstreams, and say how to mend what is wrong:
/// a line each; 0 if nothing failed, 1 if something did
#[derive(clap::Args)]
pub struct Options {
    /// A configuration file; its spool and its upstreams are checked too
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    server: ServerOptions,
    /// Write no test trace: nothing is changed on the server
    #[arg(long)]
    no_trace: bool,
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    plugin: PluginOptions,
}

/// Looks, and tells.
pub fn run(options: Options) -> Result<ExitCode> {
    let mut report = Report::default();
    runtime()?.block_on(look(&options, &mut report));
    if options.json {
        let whole = json!({"ok": report.is_good(), "checks": report.checks, "not_checked": report.not_checked});
        say(&format!("{whole}\n"))?;
    } else {
        say(&report.to_string())?;
    }
    Ok(match report.is_good() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// None: what is wrong keeps the rest from being looked at.
async fn look(options: &Options, report: &mut Report) -> Option<()> {
    let config = read(options, report)?;
    let plugin = plugin(options, report).await?;
    let settings = judged(options, config.as_ref(), &plugin, report).await?;
    let case = Case {
        plugin: &plugin,
        settings: &settings,
        config: config.as_ref(),
        trace: !options.no_trace,
    };
    examine(&case, report).await;
    Some(())
}

/// The configuration, if one is named; each fault is a finding.
fn read(options: &Options, report: &mut Report) -> Option<Option<Config>> {
    let Some(path) = &options.config else {
        return Some(None);
    };
    let loaded = Config::load(path).and_then(|config| {
        let faults = host_example::gateway::check(&config);
        if faults.is_empty() {
            Ok(config)
        } else {
            let path = path.clone();
            Err(ConfigError { path, faults })
        }
    });
    loaded
        .map_err(|error| {
            for line in error.to_string().lines() {
                report.fail(
                    "settings",
                    line,
                    "correct it there; host-example/gateway.toml shows every key",
                );
            }
        })
        .ok()
        .map(Some)
}

async fn plugin(options: &Options, report: &mut Report) -> Option<Plugin> {
    // One instance judges the settings, one logs.
    match options.plugin.load(2).await {
        Ok(plugin) => Some(plugin),
        Err(error) => {
            let mend = "build it with `cargo xtask dist`, or name it with --plugin";
            report.fail("plugin", format!("{error:#}"), mend);
            None
        }
    }
}

/// The settings, once the plugin has found them good.
async fn judged(
    options: &Options,
    config: Option<&Config>,
    plugin: &Plugin,
    report: &mut Report,
) -> Option<Settings> {
    let file = config
        .map(|config| config.logger.clone())
        .unwrap_or_default();
    match settings(plugin, [options.server.layer(), file]).await {
        Ok((settings, None)) => {
            let uri = settings.text("tracking_uri").unwrap_or_default();
            let source = settings.source("tracking_uri");
            let source = source
                .map(|source| format!(" ({source})"))
                .unwrap_or_default();
            report.ok(
                "settings",
                format!("they are valid; traces go to {uri}{source}"),
            );
            let about = plugin.description();
            report.ok(
                "plugin",
                format!("{} {} runs in its sandbox", about.name, about.version),
            );
            Some(settings)
        }
        Ok((settings, Some((key, reason)))) => {
            let told = bad_setting(&settings, &key, &reason);
            let (said, mend) = told.split_once("; ").unwrap_or((
                told.as_str(),
                "correct it there; `mlflow-gateway plugin-info` lists the settings",
            ));
            report.fail("settings", said, mend);
            None
        }
        Err(error) => {
            let mend = "try the plugin that came with this gateway";
            report.fail("plugin", format!("{error:#}"), mend);
            None
        }
    }
}
