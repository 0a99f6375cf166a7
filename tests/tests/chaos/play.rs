//! What the tests share: a provider that is played, a gateway that can be killed, and calls that are
//! counted where they arrive.

#![allow(dead_code, reason = "not every test uses all of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use e2e::load::{self, Outcome};
use e2e::{Gateway, Mlflow, Serving, Trace};
use mock_provider::Provider;
use tempfile::TempDir;

use crate::mount::Disk;

/// How long anything may take to come about, on a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// A setting: batches need not fill up.
pub const SOON: &str = "flush_interval_ms = 50";

/// A gateway with its configuration, its log, and what it leaves in its directory.
pub struct Stage {
    pub directory: TempDir,
    config: String,
    gateway: Gateway,
    environment: Vec<(String, String)>,
    disk: Option<Disk>,
    starts: usize,
}

/// A running gateway.
pub struct Running {
    serving: Serving,
    log: PathBuf,
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

impl Running {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.serving.id()
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        self.serving.url()
    }

    /// A metric's value, summed over what it is labelled with.
    pub fn metric(&self, name: &str) -> Result<f64> {
        Ok(load::metric(&self.metrics()?, name))
    }

    /// The page with the metrics.
    pub fn metrics(&self) -> Result<String> {
        self.page("/metrics")
    }

    /// Whether it is ready, in its words.
    pub fn ready(&self) -> Result<String> {
        self.page("/readyz")
    }

    fn page(&self, path: &str) -> Result<String> {
        let url = self.serving.urls().nth(1).context("no metrics")?;
        let page = load::get(url, path)?;
        Ok(String::from_utf8_lossy(&page.body).into_owned())
    }

    /// How many calls' logs ended so.
    pub fn logged(&self, fate: &str) -> Result<usize> {
        let name = format!("gateway_logged_total{{fate=\"{fate}\"}}");
        Ok(self.metric(&name)? as usize)
    }

    /// What it has said on stderr.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The most memory that it ever took, in bytes.
    pub fn peak_memory(&self) -> Result<u64> {
        self.memory("VmHWM:")
    }

    /// Has the peak be what it takes now, and answers that: proc(5), `clear_refs`.
    pub fn forget_peak_memory(&self) -> Result<u64> {
        fs::write(format!("/proc/{}/clear_refs", self.serving.id()), "5")?;
        self.memory("VmRSS:")
    }

    fn memory(&self, kind: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.serving.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(kind));
        let kilobytes = line.context("not told")?.trim().trim_end_matches(" kB");
        Ok(kilobytes.parse::<u64>()? * 1024)
    }

    /// Sends it a signal, by its name.
    pub fn signal(&self, name: &str) -> Result<()> {
        self.serving.signal(name)
    }

    /// Ends it with SIGTERM.
    pub fn stop(self) -> Result<ExitStatus> {
        self.serving.stop()
    }

    /// Ends it with SIGKILL.
    pub fn kill(self) -> Result<()> {
        self.serving.kill().map(drop)
    }

    /// Waits until it has delivered so many calls.
    pub fn delivers(&self, calls: usize) -> Result<()> {
        eventually("all deliveries", || Ok(self.logged("Delivered")? >= calls))
    }

    /// Waits until nothing is left in its spool.
    pub fn empties_its_spool(&self) -> Result<()> {
        eventually("an empty spool", || {
            Ok(self.metric("gateway_spool_calls")? == 0.0)
        })
    }

    /// Makes so many calls, some of them streamed, and expects each to be answered whole.
    pub fn calls(&self, name: &str, count: usize) -> Result<BTreeSet<String>> {
        let mut markers = BTreeSet::new();
        for number in 0..count {
            let marker = marker(name, number);
            self.call(&marker, number.is_multiple_of(4))?;
            markers.insert(marker);
        }
        Ok(markers)
    }

    /// Makes a call with this text, and expects it to be answered whole.
    pub fn call(&self, text: &str, streamed: bool) -> Result<()> {
        let outcome = load::chat(self.url(), text, streamed);
        ensure!(
            outcome != Outcome::Cut,
            "{text:.100} was cut off:\n{}",
            self.said()
        );
        Ok(())
    }
}

/// A text that is in no other call's.
pub fn marker(name: &str, number: usize) -> String {
    format!("marker-{name}-{number}-end")
}

/// The URL of the provider that all tests share. It ends with this process.
pub fn provider() -> Result<&'static str> {
    static PROVIDER: OnceLock<Result<String>> = OnceLock::new();
    let url = PROVIDER.get_or_init(|| {
        let (started, has_started) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let listen = ([127, 0, 0, 1], 0).into();
                let provider = Provider::start(listen, Duration::from_millis(5)).await?;
                // Whoever asked waits for it.
                let _ = started.send(provider.url());
                std::future::pending::<Result<()>>().await
            })
        });
        has_started.recv().context("the provider does not start")
    });
    let url = url.as_deref();
    url.map_err(|error| anyhow!("{error:#}"))
}

/// The seed of this run, which `CHAOS_SEED` sets.
pub fn seed(test: &str) -> fastrand::Rng {
    let asked = std::env::var("CHAOS_SEED").ok();
    let seed = asked.and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("{test}: CHAOS_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// Whether tests are to take the time that they are about.
pub fn long() -> bool {
    std::env::var_os("CHAOS_LONG").is_some()
}

/// Asks again and again until it is so.
pub fn eventually(what: &str, mut so: impl FnMut() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !so()? {
        ensure!(began.elapsed() < PATIENCE, "{what}: it never came to that");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// What MLflow's client finds of an experiment's calls, by their markers.
pub struct Stored {
    traces: BTreeMap<String, Vec<Trace>>,
}

impl Stored {
    /// Reads them.
    pub fn read(mlflow: &Mlflow, experiment: &str) -> Result<Self> {
        let mut traces = BTreeMap::<String, Vec<Trace>>::new();
        for trace in mlflow.trace_infos(experiment)? {
            let asked = trace.info.request_preview.clone().unwrap_or_default();
            let marker = asked.find("marker-").and_then(|from| {
                let rest = &asked[from..];
                Some(rest[..rest.find("-end")? + 4].to_owned())
            });
            let marker = marker.with_context(|| format!("no marker in {asked:?}"))?;
            traces.entry(marker).or_default().push(trace);
        }
        Ok(Self { traces })
    }

    /// Reads them again and again until all of these are there.
    pub fn wait(mlflow: &Mlflow, experiment: &str, expected: &BTreeSet<String>) -> Result<Self> {
        let began = Instant::now();
        loop {
            let stored = Self::read(mlflow, experiment)?;
            let missing: Vec<_> = expected
                .iter()
                .filter(|marker| !stored.has(marker))
                .collect();
            if missing.is_empty() {
                return Ok(stored);
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "{} of {} calls are not in MLflow: {missing:.10?}",
                missing.len(),
                expected.len()
            );
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// Waits until these calls are there, each once and no other.
    pub fn exactly(mlflow: &Mlflow, experiment: &str, expected: &BTreeSet<String>) -> Result<Self> {
        let stored = Self::wait(mlflow, experiment, expected)?;
        stored.check_exactly(expected)?;
        Ok(stored)
    }

    /// How many calls there are.
    pub fn len(&self) -> usize {
        self.traces.len()
    }

    /// Whether a call is there.
    pub fn has(&self, marker: &str) -> bool {
        self.traces.contains_key(marker)
    }

    /// The markers of calls that are there.
    pub fn markers(&self) -> impl Iterator<Item = &String> {
        self.traces.keys()
    }

    /// All traces.
    pub fn traces(&self) -> impl Iterator<Item = &Trace> {
        self.traces.values().flatten()
    }

    /// The state of a call's trace.
    pub fn state(&self, marker: &str) -> Option<&str> {
        let traces = self.traces.get(marker)?;
        Some(&traces.first()?.info.state)
    }

    /// What a call's trace shows of its answer.
    pub fn answer(&self, marker: &str) -> &str {
        let trace = self.traces.get(marker).and_then(|traces| traces.first());
        let shown = trace.and_then(|trace| trace.info.response_preview.as_deref());
        shown.unwrap_or_default()
    }

    /// No call has two traces, none is unfinished, and these are the calls.
    pub fn check_exactly(&self, expected: &BTreeSet<String>) -> Result<()> {
        self.check_once()?;
        let strange: Vec<_> = self
            .markers()
            .filter(|marker| !expected.contains(*marker))
            .collect();
        ensure!(strange.is_empty(), "not expected: {strange:?}");
        ensure!(self.len() == expected.len());
        for marker in expected {
            ensure!(
                self.state(marker) == Some("OK"),
                "{marker}: {:?}",
                self.state(marker)
            );
        }
        Ok(())
    }

    /// No call has two traces, and none is unfinished.
    pub fn check_once(&self) -> Result<()> {
        for (marker, traces) in &self.traces {
            let ids: Vec<_> = traces.iter().map(|trace| &trace.info.trace_id).collect();
            ensure!(
                traces.len() == 1,
                "{marker} is there more than once: {ids:?}"
            );
            let state = &traces[0].info.state;
            ensure!(state != "IN_PROGRESS", "{marker} is unfinished: {ids:?}");
        }
        Ok(())
    }
}
