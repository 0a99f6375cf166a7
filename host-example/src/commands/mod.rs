//! The commands, and what they share: the way to a plugin and its settings.

pub mod check;
pub mod doctor;
pub mod log;
pub mod plugin_info;
pub mod replay;
pub mod serve;

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use host_example::{
    CodeCache, Engine, Layer, Limits, LoggerError, Plugin, Refusal, Settings, Source, environment,
    find,
};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// The exit code where nothing was done: options, configuration or plugin are at fault.
pub const COULD_NOT_START: u8 = 2;

/// Which plugin.
#[derive(clap::Args)]
pub struct PluginOptions {
    /// The plugin's file [default: mlflow_logger.wasm beside this program, else in ../dist]
    #[arg(long, value_name = "PATH", env = find::VARIABLE)]
    plugin: Option<PathBuf>,
}

impl PluginOptions {
    /// Where the plugin is.
    pub fn path(&self) -> Result<PathBuf> {
        let executable = std::env::current_exe().ok();
        Ok(find::find(
            self.plugin.as_deref(),
            None,
            executable.as_deref(),
        )?)
    }

    /// The plugin, with `instances` at a time.
    pub async fn load(&self, instances: u32) -> Result<Plugin> {
        self.load_within(Limits {
            instances,
            ..Limits::default()
        })
        .await
    }

    /// The plugin, its instances within these limits.
    pub async fn load_within(&self, limits: Limits) -> Result<Plugin> {
        let path = self.path()?;
        let engine = Engine::new(limits, CodeCache::User)?;
        let plugin = Plugin::load(&engine, &path).await;
        plugin.with_context(|| format!("{} cannot be used", path.display()))
    }
}

/// Where the traces go, and which experiment they go to.
#[derive(clap::Args)]
pub struct ServerOptions {
    /// The MLflow server, such as http://127.0.0.1:5000
    #[arg(long, value_name = "URL")]
    tracking_uri: Option<String>,
    /// The experiment the traces go to; created if absent
    #[arg(long, value_name = "NAME")]
    experiment_name: Option<String>,
}

impl ServerOptions {
    /// The settings that options give.
    pub fn layer(&self) -> Layer {
        let given = [
            ("tracking_uri", "--tracking-uri", &self.tracking_uri),
            (
                "experiment_name",
                "--experiment-name",
                &self.experiment_name,
            ),
        ];
        let entry = |(key, option, value): (&str, _, &Option<String>)| {
            let value = Value::String(value.clone()?);
            Some((key.to_owned(), (value, Source::Option(option))))
        };
        given.into_iter().filter_map(entry).collect()
    }
}

/// Puts a text out. Whoever has read enough of it may leave.
pub fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("stdout cannot be written")
        }
        _ => Ok(()),
    }
}

/// A runtime for what a command does itself.
pub fn runtime() -> Result<Runtime> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.context("the runtime did not start")
}

/// Settings from these layers, the strongest first, and last the environment; judged by the plugin.
/// The inner error is the plugin's: a setting and what is wrong with it.
pub async fn settings(
    plugin: &Plugin,
    layers: impl IntoIterator<Item = Layer>,
) -> Result<(Settings, Option<(String, String)>)> {
    let environment = environment(&plugin.description().settings, |name| {
        std::env::var(name).ok()
    });
    let settings = Settings::merge(layers.into_iter().chain([environment]));
    let fault = match plugin.instantiate().await?.configure(&settings).await {
        Ok(()) => None,
        Err(LoggerError::Refused(Refusal::InvalidSetting { key, reason })) => Some((key, reason)),
        Err(error) => return Err(error.into()),
    };
    Ok((settings, fault))
}

/// The settings of a configuration file, if one is named.
pub fn file_layer(path: Option<&Path>) -> Result<Layer> {
    Ok(match path {
        Some(path) => host_example::config::Config::load(path)?.logger,
        None => Layer::new(),
    })
}

/// A setting that the plugin refused, by where it stands.
pub fn bad_setting(settings: &Settings, key: &str, reason: &str) -> String {
    match settings.source(key) {
        Some(source) => format!("{source}: `{key}`: {reason}"),
        None if key == "tracking_uri" => {
            "no MLflow server is named; pass --tracking-uri http://127.0.0.1:5000, set `tracking_uri` \
             under [logger] of the file for --config, or set MLFLOW_TRACKING_URI"
                .to_owned()
        }
        None => format!("`{key}`: {reason}"),
    }
}
