//! The Python package, installed from its wheel beside litellm, and its own tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, bail};
use tempfile::TempDir;

use crate::python::quiet;
use crate::{Mlflow, Python, paths};

/// The package where nothing but it is installed; the environment with litellm is shared with others.
#[derive(Debug)]
pub struct Package {
    python: Python,
    site: TempDir,
}

impl Package {
    /// The wheel of the dist directory, installed once.
    pub fn installed() -> Result<&'static Self> {
        static PACKAGE: OnceLock<Result<Package, String>> = OnceLock::new();
        let installed =
            PACKAGE.get_or_init(|| Self::install().map_err(|error| format!("{error:#}")));
        installed.as_ref().map_err(|error| anyhow!("{error}"))
    }

    fn install() -> Result<Self> {
        let wheel = paths::wheel()?;
        if !wheel.exists() {
            bail!("no {}: `cargo xtask dist` makes it", wheel.display());
        }
        let python = Python::with_litellm()?;
        let site = tempfile::Builder::new().prefix("package-").tempdir()?;
        let output = python
            .command()
            .args([
                "-m",
                "pip",
                "install",
                "--disable-pip-version-check",
                "--no-input",
            ])
            .args(["--no-deps", "--no-index", "--target"])
            .args([site.path(), &wheel])
            .output()?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(Self { python, site })
    }

    /// A command with the package and litellm, undisturbed by the caller's settings, in a directory.
    pub fn command(&self, program: &str, directory: &Path) -> Command {
        let mut command = Command::new(self.python.program(program));
        quiet(&mut command)
            .env("PYTHONPATH", self.site.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            // What is not given in the pinned package is not asked of the internet.
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            .current_dir(directory);
        command
    }

    /// The package's own tests in this file, against a real MLflow.
    pub fn tests(&self, mlflow: &Mlflow, file: &str) -> Result<()> {
        let directory = directory();
        let misbehaving = paths::target()?.join("test-guests/misbehaving.wasm");
        let output = self
            .command("python", &directory)
            .args([
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                "-rA",
                "--tb=short",
            ])
            .arg(file)
            .env("MLFLOW_UNDER_TEST", mlflow.uri())
            .env("MISBEHAVING", misbehaving)
            .output()
            .context("pytest does not start")?;
        let told = String::from_utf8_lossy(&output.stdout);
        println!("{told}");
        if !output.status.success() {
            bail!("{told}\n{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// Has mypy look at the sources in the checkout, as strictly as it can.
    pub fn types(&self) -> Result<()> {
        let sources = paths::root().join("host-example/python");
        let cache = paths::target_dir("mypy")?;
        let output = self
            .command("mypy", &sources)
            .arg("--cache-dir")
            .arg(cache)
            .output()
            .context("mypy does not start")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stdout));
        }
        Ok(())
    }
}

/// Where the package's tests are.
fn directory() -> PathBuf {
    paths::root().join("tests/python/package")
}

/// The files of tests, by name.
pub fn files() -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("test_") {
            files.push(name);
        }
    }
    files.sort();
    Ok(files)
}
