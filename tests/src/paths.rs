//! Where things are: the checkout and cargo's target directory.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The root of the checkout.
pub fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

/// Cargo's target directory, as cargo says it: environment and configuration count.
pub fn target() -> Result<&'static Path> {
    static TARGET: OnceLock<PathBuf> = OnceLock::new();
    if let Some(known) = TARGET.get() {
        return Ok(known);
    }
    let found = ask_cargo().context("cannot find cargo's target directory")?;
    Ok(TARGET.get_or_init(|| found))
}

/// A directory below the target directory, made if absent.
pub fn target_dir(name: &str) -> Result<PathBuf> {
    let path = target()?.join(name);
    std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
    Ok(path)
}

/// The plugin as `cargo xtask dist` leaves it.
pub fn plugin() -> Result<PathBuf> {
    Ok(target()?.join("dist/mlflow_logger.wasm"))
}

/// The plugin for proxies, as `cargo xtask dist` leaves it.
pub fn proxy_plugin() -> Result<PathBuf> {
    Ok(target()?.join("dist/mlflow_logger.proxy.wasm"))
}

/// The Python package's wheel, as `cargo xtask dist` leaves it.
pub fn wheel() -> Result<PathBuf> {
    let name = concat!(
        "mlflow_wasm_logger-",
        env!("CARGO_PKG_VERSION"),
        "-py3-none-any.whl"
    );
    Ok(target_dir("dist")?.join(name))
}

fn ask_cargo() -> Result<PathBuf> {
    #[derive(Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let output = Command::new(cargo())
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(root())
        .output()
        .context("cargo does not start")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    Ok(metadata.target_directory)
}

/// The cargo that runs us, or else the one on the path.
pub fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
