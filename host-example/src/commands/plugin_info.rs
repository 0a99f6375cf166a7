//! `plugin-info`: what the plugin asks for, offers, weighs and can be told.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use host_example::bindings::llm_gateway::hooks::types::Setting;
use host_example::{CodeCache, Engine, Limits, Plugin};
use serde::Serialize;
use wasmparser::{Parser, Payload};

use super::{PluginOptions, runtime, say};

/// Print the plugin's imports, exports, sizes and settings
#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    plugin: PluginOptions,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Info {
    name: String,
    version: String,
    path: PathBuf,
    imports: Vec<String>,
    exports: Vec<String>,
    file_bytes: usize,
    core_module_bytes: usize,
    compiled_bytes: usize,
    compile_ms: u128,
    settings: Vec<SettingInfo>,
}

#[derive(Serialize)]
struct SettingInfo {
    key: String,
    doc: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    env: Option<String>,
    secret: bool,
}

/// Prints it all.
pub fn run(options: Options) -> Result<ExitCode> {
    let path = options.plugin.path()?;
    let bytes =
        std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    // Compiled anew, so that the time is that of compiling.
    let engine = Engine::new(Limits::default(), CodeCache::Off)?;
    let began = Instant::now();
    let plugin = runtime()?
        .block_on(Plugin::compile(&engine, &bytes))
        .with_context(|| format!("{} cannot be used", path.display()))?;
    let info = Info::of(&plugin, path, &bytes, began.elapsed())?;
    if options.json {
        say(&format!("{}\n", serde_json::to_string(&info)?))?;
    } else {
        say(&info.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Info {
    fn of(plugin: &Plugin, path: PathBuf, bytes: &[u8], compiling: Duration) -> Result<Self> {
        let compiled = plugin
            .component()
            .serialize()
            .map_err(|error| anyhow::anyhow!("the compiled size is not known: {error:#}"))?;
        let description = plugin.description();
        Ok(Self {
            name: description.name.clone(),
            version: description.version.clone(),
            path,
            imports: plugin.imports(),
            exports: plugin.exports(),
            file_bytes: bytes.len(),
            core_module_bytes: core_module_bytes(bytes)?,
            compiled_bytes: compiled.len(),
            compile_ms: compiling.as_millis(),
            settings: description.settings.iter().map(SettingInfo::of).collect(),
        })
    }
}

impl SettingInfo {
    fn of(setting: &Setting) -> Self {
        let json = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| text.into());
        Self {
            key: setting.key.clone(),
            doc: setting.doc.clone(),
            default: setting.default.as_deref().map(json),
            env: setting.env.clone(),
            secret: setting.secret,
        }
    }
}

/// The largest module of the component is the plugin; the others are adapters.
fn core_module_bytes(component: &[u8]) -> Result<usize> {
    let mut largest = 0;
    for payload in Parser::new(0).parse_all(component) {
        if let Payload::ModuleSection {
            unchecked_range, ..
        } = payload?
        {
            largest = largest.max(unchecked_range.len());
        }
    }
    Ok(largest)
}

impl std::fmt::Display for Info {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} {}", self.name, self.version)?;
        writeln!(
            f,
            "  file         {} ({} bytes)",
            self.path.display(),
            self.file_bytes
        )?;
        writeln!(f, "  core module  {} bytes", self.core_module_bytes)?;
        writeln!(
            f,
            "  compiled     {} bytes, in {} ms",
            self.compiled_bytes, self.compile_ms
        )?;
        for (title, names) in [("imports", &self.imports), ("exports", &self.exports)] {
            writeln!(f, "\n{title}")?;
            for name in names {
                writeln!(f, "  {name}")?;
            }
        }
        writeln!(f, "\nsettings")?;
        for setting in &self.settings {
            let secret = if setting.secret { " (secret)" } else { "" };
            writeln!(f, "  {}{secret}", setting.key)?;
            writeln!(f, "      {}", setting.doc)?;
            if let Some(default) = &setting.default {
                writeln!(f, "      default: {default}")?;
            }
            if let Some(variable) = &setting.env {
                writeln!(f, "      environment: {variable}")?;
            }
        }
        Ok(())
    }
}
