//! A real MLflow server on SQLite in a directory of its own, on a port that the system chose.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use crate::keeper::Kept;
use crate::python::Python;
use crate::traces::{self, Trace};

/// How long a server may take to answer for the first time, on a machine that is busy otherwise.
const START: Duration = Duration::from_secs(180);

/// How often a port that somebody else took in between is replaced.
const ATTEMPTS: usize = 5;

/// A running server; it ends when this is dropped, and when this process ends in whatever way.
#[derive(Debug)]
pub struct Mlflow {
    python: Python,
    kept: Kept,
    address: SocketAddr,
}

impl Mlflow {
    /// Starts a server and waits until it answers.
    pub fn start(python: &Python) -> Result<Self> {
        Self::start_with(python, &[], &[])
    }

    /// One that wants to know who asks: MLflow's own basic authentication, with a user `admin`.
    pub fn with_login(python: &Python, password: &str) -> Result<Self> {
        let environment = [
            ("MLFLOW_AUTH_ADMIN_PASSWORD", password),
            ("MLFLOW_FLASK_SERVER_SECRET_KEY", "for tests alone"),
        ];
        Self::start_with(python, &["--app-name=basic-auth"], &environment)
    }

    fn start_with(python: &Python, options: &[&str], environment: &[(&str, &str)]) -> Result<Self> {
        let mut attempt = 1;
        loop {
            let mut server = Self::spawn(python, options, environment)?;
            match server.wait_until_healthy() {
                Ok(()) => return Ok(server),
                Err(_) if attempt < ATTEMPTS && server.port_was_taken() => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The one server that the tests of a binary share, each with an experiment of its own.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<Mlflow>> = OnceLock::new();
        let start = || Self::start(&Python::prepare()?);
        SHARED
            .get_or_init(start)
            .as_ref()
            .map_err(|error| anyhow!("{error:#}"))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Kills the server, as a crash would end it. Its address and what it holds stay its own.
    pub fn kill(&mut self) -> Result<()> {
        self.kept.kill()
    }

    /// Starts the server again, where it was.
    pub fn revive(&mut self) -> Result<()> {
        self.kept.revive()?;
        self.wait_until_healthy()
    }

    /// The tracking URI.
    pub fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The Python environment the server runs in.
    pub fn python(&self) -> &Python {
        &self.python
    }

    /// An experiment's traces with their spans, oldest first.
    pub fn traces(&self, experiment: &str) -> Result<Vec<Trace>> {
        self.traces_of(&[experiment])
    }

    /// The traces of several experiments with their spans, in one go.
    pub fn traces_of(&self, experiments: &[impl AsRef<str>]) -> Result<Vec<Trace>> {
        traces::read(
            &self.python,
            &self.uri(),
            experiments,
            traces::Detail::Spans,
        )
    }

    /// An experiment's traces without their spans, oldest first: much faster.
    pub fn trace_infos(&self, experiment: &str) -> Result<Vec<Trace>> {
        traces::read(
            &self.python,
            &self.uri(),
            &[experiment],
            traces::Detail::Infos,
        )
    }

    /// An error if the server has ended by itself.
    pub fn check(&mut self) -> Result<()> {
        match self.kept.ended()? {
            None => Ok(()),
            Some(status) => bail!(
                "MLflow ended by itself, {status}; its output ended so:\n{}",
                self.kept.log_tail()
            ),
        }
    }

    fn spawn(python: &Python, options: &[&str], environment: &[(&str, &str)]) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("mlflow-").tempdir()?;
        let address = free_address()?;
        let database = directory.path().join("mlflow.db").display().to_string();
        let artifacts = directory.path().join("artifacts").display().to_string();
        let mut arguments = vec![
            "server".to_owned(),
            "--workers=1".to_owned(),
            "--host=127.0.0.1".to_owned(),
            format!("--port={}", address.port()),
            format!("--backend-store-uri=sqlite:///{database}"),
            format!("--artifacts-destination={artifacts}"),
        ];
        let program = python.program("mlflow");
        arguments.extend(options.iter().map(|option| (*option).to_owned()));
        let quiet = [("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")];
        let environment = [&quiet[..], environment].concat();
        Ok(Self {
            python: python.clone(),
            kept: Kept::start(python, directory, &program, arguments, &environment)?,
            address,
        })
    }

    fn wait_until_healthy(&mut self) -> Result<()> {
        let begun = Instant::now();
        while !healthy(self.address) {
            if let Some(status) = self.kept.ended()? {
                bail!("MLflow did not start, {status}:\n{}", self.kept.log_tail());
            }
            if begun.elapsed() > START {
                bail!(
                    "MLflow did not answer within {START:?}:\n{}",
                    self.kept.log_tail()
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        // What answered was ours only if ours still runs.
        match self.kept.ended()? {
            Some(_) => bail!("another program took the port: address already in use"),
            None => Ok(()),
        }
    }

    fn port_was_taken(&mut self) -> bool {
        let ended = matches!(self.kept.ended(), Ok(Some(_)));
        ended
            && self
                .kept
                .log_tail()
                .to_lowercase()
                .contains("address already in use")
    }
}

/// An address of this machine at which nothing listens.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Whether a server answers `GET /health` with 200.
fn healthy(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET /health HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(head.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}
