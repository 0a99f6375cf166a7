//! `cargo xtask dist`: the plugin as hosts load it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use e2e::{Step, paths};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use wit_component::ComponentEncoder;

use crate::toolchain::{self, TARGET};

/// Builds the component and says what came out.
pub fn run() -> Result<()> {
    let component = build()?;
    let bytes = fs::read(&component)?;
    println!("{}", component.display());
    println!("size     {} bytes", bytes.len());
    println!("gzipped  {} bytes", gzipped(&bytes)?.len());
    println!("sha256   {}", sha256(&bytes));
    Ok(())
}

/// Builds `mlflow_logger.wasm` where it is not fresh, and returns its path.
pub fn build() -> Result<PathBuf> {
    let module = module("logger-component")?;
    let component = paths::target_dir("dist")?.join("mlflow_logger.wasm");
    if !newer(&component, &module) {
        componentise(&module, &component)
            .with_context(|| format!("{} does not become a component", module.display()))?;
    }
    Ok(component)
}

/// Builds a guest package as a core module, and returns its path.
pub fn module(package: &str) -> Result<PathBuf> {
    let mut cargo = toolchain::pick()?.build()?;
    Step::new(&format!("Build {package}")).run(cargo.args(["-p", package]))?;
    let file = format!("guest/{}.wasm", package.replace('-', "_"));
    Ok(paths::target()?.join("guest").join(TARGET).join(file))
}

/// Wraps a core module, which carries its WIT in a custom section, into a component.
fn componentise(module: &Path, component: &Path) -> Result<()> {
    let module = fs::read(module)?;
    let bytes = ComponentEncoder::default()
        .validate(true)
        .module(&module)?
        .encode()?;
    refuse_paths(&bytes)?;
    write_whole(component, &bytes)
}

/// The plugin must not depend on where it was built, nor tell it.
fn refuse_paths(bytes: &[u8]) -> Result<()> {
    for path in [paths::root().to_owned(), toolchain::cargo_home()] {
        let text = path.display().to_string();
        let mut windows = bytes.windows(text.len().max(1));
        if text.len() > 1 && windows.any(|window| window == text.as_bytes()) {
            bail!("the path {text} got into it: something escaped --remap-path-prefix");
        }
    }
    Ok(())
}

/// Writes a file so that whoever reads it sees all of the old or all of the new.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let directory = path.parent().context("a file has a directory")?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let readable = fs::Permissions::from_mode(0o644);
        file.as_file().set_permissions(readable)?;
    }
    file.persist(path)?;
    Ok(())
}

/// Whether a file was made from another, and by this very program, after they last changed.
fn newer(made: &Path, source: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let program = std::env::current_exe().ok();
    let sources = [time(source), program.and_then(|program| time(&program))];
    time(made).is_some_and(|made| {
        sources
            .iter()
            .all(|source| source.is_some_and(|s| s < made))
    })
}

fn gzipped(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
