//! The gateway's process.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Mlflow, Upstream, eventually};
use crate::common::plugin_path;

/// A running gateway; it ends with the test.
pub struct Gateway {
    /// Where it listens: host and port.
    pub address: String,
    /// Where its metrics are: host and port.
    pub metrics: String,
    child: Child,
    directory: TempDir,
}

impl Gateway {
    /// Starts it before one upstream, under the prefix `/up`.
    pub async fn before(upstream: &Upstream, mlflow: &Mlflow) -> Self {
        Self::start(&Self::config(&upstream.url, mlflow, "", "")).await
    }

    /// The configuration for one upstream, with lines of its own and for the whole.
    pub fn config(url: &str, mlflow: &Mlflow, upstream: &str, whole: &str) -> String {
        let tracking = &mlflow.url;
        format!(
            "listen = \"127.0.0.1:0\"\n{whole}\n[metrics]\nlisten = \"127.0.0.1:0\"\n\
             [[upstream]]\nprefix = \"/up\"\nbase_url = \"{url}\"\n{upstream}\n\
             [logger]\ntracking_uri = \"{tracking}\"\nexperiment_id = \"0\"\nflush_interval_ms = 10\n"
        )
    }

    /// Starts it with this configuration.
    pub async fn start(config: &str) -> Self {
        Self::start_with(config, &plugin_path()).await
    }

    /// Starts it with this configuration and a plugin.
    pub async fn start_with(config: &str, plugin: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gateway.toml");
        std::fs::write(&path, config).unwrap();
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_mlflow-gateway"))
            .args(["-vv", "serve", "--config"])
            .arg(&path)
            .arg("--plugin")
            .arg(plugin)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).unwrap();
            line
        });
        let line = line.await.unwrap();
        let mut addresses = line
            .split("http://")
            .skip(1)
            .map(|rest| rest.split([',', '/', '\n']).next().unwrap().to_owned());
        let mut address = || {
            addresses
                .next()
                .unwrap_or_else(|| panic!("it did not start: {line}"))
        };
        Self {
            address: address(),
            metrics: address(),
            child,
            directory,
        }
    }

    /// Puts another configuration in the place of the old.
    pub fn write(&self, config: &str) {
        std::fs::write(self.config_path(), config).unwrap();
    }

    fn config_path(&self) -> PathBuf {
        self.directory.path().join("gateway.toml")
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// What it has said on stderr.
    pub fn log(&self) -> String {
        let mut text = String::new();
        let path = self.directory.path().join("log");
        std::fs::File::open(path)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        text
    }

    /// Waits until it has said this.
    pub async fn said(&self, words: &str) {
        eventually(words, async || self.log().contains(words).then_some(())).await;
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended, and tells its exit code.
    pub async fn ended(&mut self) -> i32 {
        let child = &mut self.child;
        let status = eventually("the gateway's end", async || child.try_wait().unwrap()).await;
        status.code().unwrap_or(-1)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the gateway said:\n{}", self.log());
        }
    }
}
