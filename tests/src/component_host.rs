//! Hosts that serve HTTP with components, as people run them: `wasmtime serve` and wasmCloud's `wash dev`.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::keeper::Kept;
use crate::mlflow::free_address;
use crate::python::Python;

/// How long one may take to start: it compiles the component, on a machine that may be busy.
const START: Duration = Duration::from_secs(240);

/// A running host; it ends when this is dropped.
#[derive(Debug)]
pub struct ComponentHost {
    kept: Kept,
    /// Where it listens.
    pub address: SocketAddr,
}

impl ComponentHost {
    /// wasmtime with a component that has its settings in an environment variable.
    pub fn wasmtime(component: &Path, variable: &str, settings: &Value) -> Result<Self> {
        let python = Python::with_wasmtime()?;
        let directory = tempfile::Builder::new().prefix("wasmtime-").tempdir()?;
        let component = component.display().to_string();
        let variable = format!("{variable}={settings}");
        let arguments = [
            "serve",
            "--addr=127.0.0.1:0",
            "-Scli",
            "--env",
            &variable,
            &component,
        ];
        let kept = Kept::start(&python, directory, &python.wasmtime()?, arguments, &[])?;
        Self::once(kept, "Serving HTTP on")
    }

    /// wasmCloud with a project's configuration, in a directory and on a port of its own.
    pub fn wasmcloud(mut config: Value) -> Result<Self> {
        let python = Python::with_wasmcloud()?;
        let directory = tempfile::Builder::new().prefix("wasmcloud-").tempdir()?;
        config["dev"] = json!({"address": free_address()?.to_string()});
        let project = directory.path().join(".wash");
        fs::create_dir_all(&project)?;
        // What is JSON is YAML.
        fs::write(project.join("config.yaml"), config.to_string())?;
        let home = directory.path().display().to_string();
        let environment = [
            ("HOME", home.as_str()),
            ("XDG_CONFIG_HOME", &home),
            ("XDG_CACHE_HOME", &home),
            ("XDG_DATA_HOME", &home),
        ];
        let arguments = ["--non-interactive", "dev"];
        let wash = python.wash()?;
        let kept = Kept::start(&python, directory, &wash, arguments, &environment)?;
        Self::once(kept, "listening for HTTP requests")
    }

    /// All that it and its components said.
    pub fn log(&self) -> String {
        self.kept.log()
    }

    /// Waits until it says in a line with these words where it listens.
    fn once(mut kept: Kept, words: &str) -> Result<Self> {
        let begun = Instant::now();
        loop {
            let log = kept.log();
            if let Some(line) = log.lines().find(|line| line.contains(words)) {
                let url = line.split("http://").nth(1);
                let url = url.with_context(|| format!("no address: {line}"))?;
                let end = |c: char| !(c.is_ascii_digit() || c == '.' || c == ':');
                let address = url.split(end).next().unwrap_or_default().parse()?;
                return Ok(Self { kept, address });
            }
            if let Some(status) = kept.ended()? {
                bail!("the host did not start, {status}:\n{log}");
            }
            if begun.elapsed() > START {
                bail!("the host does not say where it listens:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
