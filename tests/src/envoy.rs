//! Stock Envoy with the filter, in the configuration that `host-example/envoy/envoy.yaml` shows, before other
//! upstreams.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::keeper::Kept;
use crate::paths;
use crate::python::Python;

/// How long Envoy may take to start: it compiles the filter, on a machine that may be busy.
const START: Duration = Duration::from_secs(120);

/// How long its admin interface may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The example as data, to be changed.
#[derive(Clone, Debug)]
pub struct Config(pub Value);

/// A running Envoy; it ends when this is dropped.
#[derive(Debug)]
pub struct Envoy {
    kept: Kept,
    admin: SocketAddr,
    /// Where the gateway listens.
    pub address: SocketAddr,
}

impl Config {
    /// The example, with its providers played by one upstream and without TLS. It listens on a port that the system
    /// chooses.
    pub fn example(python: &Python, provider: SocketAddr, mlflow: SocketAddr) -> Result<Self> {
        let file = paths::root().join("host-example/envoy/envoy.yaml");
        let mut config = Self(documents(python, &file)?.swap_remove(0));
        config.0["admin"]["address"] = address(([127, 0, 0, 1], 0).into());
        config.listener()["address"] = address(([127, 0, 0, 1], 0).into());
        for cluster in config.clusters() {
            let leads = match cluster["name"].as_str() {
                Some("mlflow") => mlflow,
                _ => provider,
            };
            let endpoint =
                &mut cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"];
            endpoint["address"] = address(leads);
            endpoint["hostname"] = json!(leads.to_string());
            cluster
                .as_object_mut()
                .map(|cluster| cluster.remove("transport_socket"));
        }
        let plugin = paths::proxy_plugin()?;
        config.filter()["vm_config"]["code"]["local"]["filename"] = json!(plugin);
        config.settings(json!({"tracking_uri": format!("http://{mlflow}")}))?;
        Ok(config)
    }

    /// The clusters.
    pub fn clusters(&mut self) -> impl Iterator<Item = &mut Value> {
        let clusters = self.0["static_resources"]["clusters"].as_array_mut();
        clusters.into_iter().flatten()
    }

    /// Has a cluster lead elsewhere.
    pub fn lead(&mut self, cluster: &str, to: SocketAddr) {
        for found in self.clusters().filter(|found| found["name"] == cluster) {
            found["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"] =
                address(to);
        }
    }

    /// The listener.
    pub fn listener(&mut self) -> &mut Value {
        &mut self.0["static_resources"]["listeners"][0]
    }

    /// The HTTP connection manager.
    pub fn http(&mut self) -> &mut Value {
        &mut self.listener()["filter_chains"][0]["filters"][0]["typed_config"]
    }

    /// What configures the filter.
    pub fn filter(&mut self) -> &mut Value {
        &mut self.http()["http_filters"][0]["typed_config"]["config"]
    }

    /// Changes settings of the logger; null removes one.
    pub fn settings(&mut self, change: Value) -> Result<()> {
        let text = &mut self.filter()["configuration"]["value"];
        let mut settings: Value = serde_json::from_str(text.as_str().unwrap_or_default())?;
        for (key, value) in change.as_object().context("settings are an object")? {
            settings[key] = value.clone();
        }
        *text = json!(settings.to_string());
        Ok(())
    }
}

impl Envoy {
    /// Starts it with two workers and waits until it is ready.
    pub fn start(config: &Config) -> Result<Self> {
        let mut envoy = Self::spawn(config)?;
        let begun = Instant::now();
        loop {
            if let Some(status) = envoy.kept.ended()? {
                bail!("Envoy did not start, {status}:\n{}", envoy.kept.log_tail());
            }
            if envoy.find().is_ok() {
                return Ok(envoy);
            }
            if begun.elapsed() > START {
                bail!(
                    "Envoy was not ready within {START:?}:\n{}",
                    envoy.kept.log_tail()
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Has Envoy look at a configuration: whether it takes it, and what it says.
    pub fn validate(config: &Config) -> Result<(bool, String)> {
        let directory = tempfile::tempdir()?;
        let file = write(config, directory.path())?;
        let output = Command::new(Python::with_envoy()?.envoy()?)
            .args(["--mode", "validate", "--disable-hot-restart", "-c"])
            .arg(file)
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((output.status.success(), said))
    }

    fn spawn(config: &Config) -> Result<Self> {
        let python = Python::with_envoy()?;
        let directory = tempfile::Builder::new().prefix("envoy-").tempdir()?;
        let file = write(config, directory.path())?.display().to_string();
        let arguments = [
            "-c",
            &file,
            "--disable-hot-restart",
            "--concurrency",
            "2",
            // What a replaced configuration still serves is soon over.
            "--drain-time-s",
            "2",
            "--admin-address-path",
            "admin.txt",
        ];
        let kept = Kept::start(&python, directory, &python.envoy()?, arguments, &[])?;
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        Ok(Self {
            kept,
            admin: nowhere,
            address: nowhere,
        })
    }

    /// Finds out where it listens; an error until it does.
    fn find(&mut self) -> Result<()> {
        let admin = fs::read_to_string(self.kept.directory().join("admin.txt"))?;
        self.admin = admin.trim().parse()?;
        if !self.ask("GET", "/ready")?.starts_with("LIVE") {
            bail!("not ready");
        }
        self.address = self.listener("gateway")?;
        Ok(())
    }

    /// Where a listener listens.
    pub fn listener(&self, name: &str) -> Result<SocketAddr> {
        let listeners = self.ask("GET", "/listeners")?;
        let found = listeners.lines().find_map(|line| {
            let (found, address) = line.split_once("::")?;
            (found == name).then_some(address)
        });
        Ok(found
            .with_context(|| format!("no listener {name}"))?
            .parse()?)
    }

    /// Asks its admin interface.
    pub fn ask(&self, method: &str, path: &str) -> Result<String> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let url = format!("http://{}{path}", self.admin);
        let mut answer = match method {
            "POST" => agent.post(url).send_empty()?,
            _ => agent.get(url).call()?,
        };
        Ok(answer.body_mut().read_to_string()?)
    }

    /// A statistic of the filter's: `wasmcustom.mlflow_logger.<name>`.
    pub fn metric(&self, name: &str) -> Result<u64> {
        self.statistic(&format!("wasmcustom.mlflow_logger.{name}"))
    }

    fn statistic(&self, name: &str) -> Result<u64> {
        let stats = self.ask("GET", &format!("/stats?filter=^{name}$"))?;
        let value = stats
            .trim()
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix(": "));
        let value = value.with_context(|| format!("no statistic {name} in {stats:?}"))?;
        Ok(value.parse()?)
    }

    /// Waits until a statistic of the filter's has reached a number.
    pub fn reaches(&self, name: &str, number: u64) -> Result<()> {
        self.counts(&format!("wasmcustom.mlflow_logger.{name}"), number)
    }

    /// Waits until any statistic has reached a number.
    pub fn counts(&self, name: &str, number: u64) -> Result<()> {
        let begun = Instant::now();
        loop {
            // Some are there only once they count something.
            let value = self.statistic(name).unwrap_or(0);
            if value >= number {
                return Ok(());
            }
            if begun.elapsed() > START {
                let stats = self.ask("GET", "/stats?filter=wasmcustom")?;
                bail!(
                    "{name} is {value}, not {number}, for {START:?}:\n{stats}\n{}",
                    self.log_tail()
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The CPU time that it has taken.
    pub fn cpu(&self) -> Result<Duration> {
        self.kept.cpu()
    }

    /// Waits until its log holds this.
    pub fn says(&self, words: &str) -> Result<()> {
        let begun = Instant::now();
        while !self.log().contains(words) {
            if begun.elapsed() > START {
                bail!("Envoy does not say {words:?}:\n{}", self.log_tail());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Its log.
    pub fn log(&self) -> String {
        self.kept.log()
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        self.kept.log_tail()
    }
}

/// The documents of a YAML file, read by MLflow's own parser.
pub fn documents(python: &Python, file: &Path) -> Result<Vec<Value>> {
    let read = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(open(sys.argv[1]))), sys.stdout)";
    let output = python.command().args(["-c", read]).arg(file).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} is no YAML: {said}", file.display());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn write(config: &Config, directory: &Path) -> Result<PathBuf> {
    let file = directory.join("envoy.json");
    fs::write(&file, config.0.to_string())?;
    Ok(file)
}

/// An address as Envoy has it.
pub fn address(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}
