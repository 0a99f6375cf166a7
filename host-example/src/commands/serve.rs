//! `serve`: the gateway, until a signal ends it.

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use host_example::config::{Config, ConfigError};
use host_example::gateway::{Gateway, StartError};
use host_example::{Limits, Origin, Plugin, Settings};
use rustix::process;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{PluginOptions, bad_setting, settings};
use watched::Watched;

mod files;
mod watched;

/// Ended by a second signal, before all was delivered.
const CUT_SHORT: u8 = 1;
/// Ended in order, but calls could not be delivered in time and are in no spool.
const LOST: u8 = 3;
/// How long threads may take to end once all has been delivered or kept.
const LAST: Duration = Duration::from_secs(1);
/// How often the configuration file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Run the gateway: forward requests, log each call through the plugin
#[derive(clap::Args)]
pub struct Options {
    /// The configuration file. Changes are taken while the gateway runs, and on SIGHUP
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    plugin: PluginOptions,
}

struct Signals {
    end: [Signal; 2],
    reload: Signal,
    /// A file that grew past the process's limit. Listened to, it is an error of that write instead
    /// of the process's end.
    _file_size: Signal,
}

/// What a signal asks for.
enum Told {
    End,
    Reload,
}

/// Serves until SIGTERM or SIGINT, and ends when calls have ended and were delivered.
pub fn run(options: Options) -> Result<ExitCode> {
    files::raise_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads())
        .enable_all()
        .build()
        .context("the runtime did not start")?;
    let served = runtime.block_on(serve(options));
    // A thread that waits for a disk is not waited for.
    runtime.shutdown_timeout(LAST);
    served
}

/// One a core, and one more where there is one core: a thread that writes to a disk that hangs leaves
/// another for all other calls.
fn threads() -> usize {
    let cores = std::thread::available_parallelism();
    cores.map_or(2, |cores| cores.get().max(2))
}

async fn serve(options: Options) -> Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let mut watched = Watched::new(&options.config);
    let config = Config::load(&options.config)?;
    // Each worker may be between two instances, and one more judges settings.
    let limits = Limits {
        instances: u32::from(config.queue.workers) * 2 + 2,
        memory_bytes: config.limits.plugin_memory_bytes,
        cpu_per_call: config.limits.plugin_cpu,
    };
    let plugin = options.plugin.load_within(limits).await?;
    let settings = judged(&plugin, &config).await?;
    let server = settings.text("tracking_uri").and_then(Origin::parse);
    let gateway = Gateway::start(&plugin, config, settings).await;
    let mut gateway = gateway.map_err(|error| in_file(&options.config, error))?;
    announce(&gateway, server.as_ref())?;
    loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Told::End => break,
                Told::Reload => {
                    watched.see();
                    reload(&mut gateway, &plugin, &options.config).await;
                }
            },
            () = tokio::time::sleep(LOOK) => {
                if watched.look() {
                    reload(&mut gateway, &plugin, &options.config).await;
                }
            }
        }
    }
    tracing::info!("no more connections are taken; calls under way end first");
    tokio::select! {
        drained = gateway.drain() => {
            if drained.undelivered > 0 {
                tracing::error!(calls = drained.undelivered, "calls could not be delivered in time, and are lost");
            }
            if drained.spooled > 0 {
                tracing::warn!(calls = drained.spooled, "calls stay in the spool; the next start delivers them");
            }
            Ok(ExitCode::from(if drained.undelivered > 0 { LOST } else { 0 }))
        }
        () = signals.end() => {
            tracing::error!("ended at once by a second signal; what was not delivered and is in no spool is lost");
            Ok(ExitCode::from(CUT_SHORT))
        }
    }
}

/// The settings, once the plugin has found them good.
async fn judged(plugin: &Plugin, config: &Config) -> Result<Settings> {
    let (settings, fault) = settings(plugin, [config.logger.clone()]).await?;
    if let Some((key, reason)) = fault {
        bail!("{}", bad_setting(&settings, &key, &reason));
    }
    Ok(settings)
}

async fn reload(gateway: &mut Gateway, plugin: &Plugin, path: &Path) {
    let result = take(gateway, plugin, path).await;
    gateway.count_reload(result.is_ok());
    match result {
        Ok(waiting) if waiting.is_empty() => tracing::info!("the configuration was reloaded"),
        Ok(waiting) => tracing::warn!(
            "the configuration was reloaded, but for what takes effect at the next start: {}",
            waiting.join(", ")
        ),
        Err(error) => {
            tracing::error!("the configuration was refused, the old one goes on: {error:#}")
        }
    }
}

async fn take(gateway: &mut Gateway, plugin: &Plugin, path: &Path) -> Result<Vec<&'static str>> {
    let config = Config::load(path)?;
    let settings = judged(plugin, &config).await?;
    let taken = gateway.reload(config, settings);
    taken.map_err(|faults| in_file(path, StartError::Config(faults)))
}

/// Names the file where the configuration is at fault.
fn in_file(path: &Path, error: StartError) -> anyhow::Error {
    match error {
        StartError::Config(faults) => {
            let path = path.to_owned();
            ConfigError { path, faults }.into()
        }
        other => other.into(),
    }
}

/// One line on stdout, for people and for scripts that wait for it.
fn announce(gateway: &Gateway, server: Option<&Origin>) -> Result<()> {
    let mut line = format!("mlflow-gateway listens on http://{}", gateway.address());
    if let Some(address) = gateway.metrics_address() {
        line.push_str(&format!(", metrics on http://{address}/metrics"));
    }
    if let Some(server) = server {
        line.push_str(&format!(", and logs to {server}"));
    }
    let mut out = stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .context("stdout cannot be written")
}

impl Signals {
    fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context("signals cannot be listened to");
        Ok(Self {
            end: [
                listen(SignalKind::terminate())?,
                listen(SignalKind::interrupt())?,
            ],
            reload: listen(SignalKind::hangup())?,
            _file_size: listen(SignalKind::from_raw(process::Signal::XFSZ.as_raw()))?,
        })
    }

    async fn next(&mut self) -> Told {
        let [terminate, interrupt] = &mut self.end;
        tokio::select! {
            _ = terminate.recv() => Told::End,
            _ = interrupt.recv() => Told::End,
            _ = self.reload.recv() => Told::Reload,
        }
    }

    async fn end(&mut self) {
        while !matches!(self.next().await, Told::End) {}
    }
}
