//! `cargo xtask dist`: the plugins as hosts load them, and what people need beside them.

mod artifact;
mod build;
mod files;
mod sums;
mod wheel;

use std::path::PathBuf;

use anyhow::Result;

use artifact::{LOGGER, MISBEHAVING, PROXY};
use build::Workshop;

/// Builds everything and says what came out.
pub fn run() -> Result<()> {
    let mut files = all()?;
    files.push(wheel()?);
    print!("{}", sums::write(&files)?);
    Ok(())
}

/// Builds `mlflow_logger.wasm` where it is not fresh, and returns its path.
pub fn build() -> Result<PathBuf> {
    Workshop::here()?.artifact(&LOGGER)
}

/// Builds `mlflow_logger.proxy.wasm` where it is not fresh, and returns its path.
pub fn build_proxy() -> Result<PathBuf> {
    Workshop::here()?.artifact(&PROXY)
}

/// Builds the Python package's wheel, and returns its path.
pub fn wheel() -> Result<PathBuf> {
    wheel::build(&build()?)
}

/// Builds the wheel once more and compares.
pub fn check_wheel() -> Result<()> {
    wheel::check_again(&build()?)
}

/// Builds all plugins where they are not fresh, and returns their paths.
pub fn all() -> Result<Vec<PathBuf>> {
    let workshop = Workshop::here()?;
    let artifacts = artifact::ALL.iter();
    artifacts
        .map(|artifact| workshop.artifact(artifact))
        .collect()
}

/// Builds the plugins that tests alone need where they are not fresh.
pub fn for_tests() -> Result<PathBuf> {
    Workshop::for_tests()?.artifact(&MISBEHAVING)
}

/// Builds a guest package as a core module, and returns its path.
pub fn module(package: &str) -> Result<PathBuf> {
    Workshop::here()?.module(package)
}
