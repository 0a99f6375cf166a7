//! A gateway with its configuration, to be started and killed as often as a test likes.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use e2e::{Gateway, Serving};
use tempfile::TempDir;

use super::provider;
use super::running::Running;
use crate::mount::Disk;

/// A gateway with its configuration, its log, and what it leaves in its directory.
pub struct Stage {
    pub directory: TempDir,
    config: String,
    gateway: Gateway,
    environment: Vec<(String, String)>,
    disk: Option<Disk>,
    starts: usize,
}

impl Stage {
    /// A gateway before the provider that logs to `tracking`, into an experiment. `more` are lines of the
    /// configuration, from the top level on; `logger` are lines for the end of `[logger]`.
    pub fn new(tracking: &str, experiment: &str, more: &str, logger: &str) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("chaos-").tempdir()?;
        let config = format!(
            "listen = \"127.0.0.1:0\"\n{more}\n[metrics]\nlisten = \"127.0.0.1:0\"\n\
             [[upstream]]\nprefix = \"/openai\"\nbase_url = \"{provider}\"\nprovider = \"openai\"\n\
             [[upstream]]\nprefix = \"/unlogged\"\nbase_url = \"{provider}\"\nlog = false\n\
             [logger]\ntracking_uri = \"{tracking}\"\nexperiment_name = \"{experiment}\"\n{logger}\n",
            provider = provider()?,
        );
        Ok(Self {
            directory,
            config,
            gateway: Gateway::find()?,
            environment: Vec::new(),
            disk: None,
            starts: 0,
        })
    }

    /// The directory for a spool.
    pub fn spool(&self) -> PathBuf {
        self.directory.path().join("spool")
    }

    /// Adds the table `[spool]` with a size.
    pub fn with_spool(mut self, max_bytes: u64) -> Self {
        let spool = self.spool();
        let table = format!(
            "\n[spool]\ndir = \"{}\"\nmax_bytes = {max_bytes}\n",
            spool.display()
        );
        self.config.push_str(&table);
        self
    }

    /// Has the gateway run where this disk is.
    pub fn on(mut self, disk: Disk) -> Self {
        self.disk = Some(disk);
        self
    }

    /// The disk that the gateway has to itself.
    pub fn disk(&self) -> Result<&Disk> {
        self.disk.as_ref().context("it has no disk to itself")
    }

    /// The spool's files.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        let spool = self.disk.as_ref().map_or_else(|| self.spool(), Disk::path);
        let files = fs::read_dir(spool)?.map(|file| Ok(file?.path()));
        files.collect()
    }

    /// Those of them that hold calls.
    pub fn segments(&self) -> Result<Vec<PathBuf>> {
        let mut files = self.files()?;
        files.retain(|file| file.extension().is_some_and(|kind| kind == "calls"));
        Ok(files)
    }

    /// Sets an environment variable of the gateway.
    pub fn set(&mut self, variable: &str, value: &str) {
        self.environment
            .push((variable.to_owned(), value.to_owned()));
    }

    /// Has the gateway log elsewhere, from its next start or reload on.
    pub fn log_to(&mut self, tracking: &str) {
        let lines = self
            .config
            .lines()
            .map(|line| match line.starts_with("tracking_uri") {
                true => format!("tracking_uri = \"{tracking}\"\n"),
                false => format!("{line}\n"),
            });
        self.config = lines.collect();
    }

    /// Writes its configuration, and answers where.
    pub fn write(&self) -> Result<PathBuf> {
        let path = self.directory.path().join("gateway.toml");
        fs::write(&path, &self.config)?;
        Ok(path)
    }

    /// The command that serves.
    pub fn command(&mut self) -> Result<(Command, PathBuf)> {
        self.starts += 1;
        let log = self.directory.path().join(format!("log-{}", self.starts));
        let mut command = self.gateway.command(["serve", "--config"]);
        command.arg(self.write()?);
        let environment = self.environment.iter();
        command.envs(environment.map(|(variable, value)| (variable, value)));
        if let Some(disk) = &self.disk {
            command = disk.within(&command);
        }
        command.stderr(File::create(&log)?);
        Ok((command, log))
    }

    /// Starts it.
    pub fn start(&mut self) -> Result<Running> {
        let (mut command, log) = self.command()?;
        let serving = Serving::start(&mut command);
        let said = || fs::read_to_string(&log).unwrap_or_default();
        let serving = serving.with_context(said)?;
        Ok(Running { serving, log })
    }
}
