//! `cargo xtask dist`: the plugins as hosts load them, and what people need beside them.

mod artifact;
mod build;
mod files;
mod npm;
mod rebuild;
mod sbom;
mod sums;
mod wheel;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::wit;
use artifact::{ALL, HANDLER, LOGGER, MISBEHAVING, PROXY};
use build::Workshop;

pub use rebuild::check as check_rebuild;

/// What to build.
#[derive(Args, Debug)]
pub struct Options {
    /// The npm package as well where Node is not there: it is installed (on Debian)
    #[arg(long)]
    npm: bool,
}

/// Builds everything and says what came out.
pub fn run(options: &Options) -> Result<()> {
    let workshop = Workshop::here()?;
    let built = ALL
        .iter()
        .map(|artifact| Ok((*artifact, workshop.artifact(artifact)?)));
    let built = built.collect::<Result<Vec<_>>>()?;
    let hooks = wit::Package::current()?;
    let name = format!("llm-gateway-hooks-{}.wasm", hooks.version()?);
    let hooks = workshop.put(&name, &hooks.encode()?)?;
    let bill = format!("{:#}\n", sbom::document(&built)?);
    let bill = workshop.put(sbom::FILE, bill.as_bytes())?;

    let mut files: Vec<_> = built.into_iter().map(|(_, path)| path).collect();
    let logger = workshop.artifact(&LOGGER)?;
    files.extend([wheel::build(&logger)?, hooks, bill]);
    let packed = npm::build(&logger, options.npm)?;
    let without_node = packed.is_none();
    files.extend(packed);
    print!("{}", sums::write(&files)?);
    if without_node {
        println!(
            "The npm package is left out: it takes Node 20 or later with npm. `cargo xtask dist --npm` installs them."
        );
    }
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
    Workshop::here()?.all()
}

/// Builds the plugins that tests alone need where they are not fresh.
pub fn for_tests() -> Result<()> {
    let workshop = Workshop::for_tests()?;
    for artifact in [&HANDLER, &MISBEHAVING] {
        workshop.artifact(artifact)?;
    }
    Ok(())
}

/// Builds a guest package as a core module, and returns its path.
pub fn module(package: &str) -> Result<PathBuf> {
    Workshop::here()?.module(package)
}
