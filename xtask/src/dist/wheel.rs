//! The Python package as a wheel, with the component and the payload's schema inside.
//!
//! It is built by hatchling out of a copy of the sources that these two are put into, so the checkout stays as it is. Hatchling sorts what
//! it packs and dates it as it is told: the same sources give the same bytes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use e2e::{Python, Step, paths};
use tempfile::TempDir;

use super::files;

/// What every file in the wheel is dated: 2020-02-02, hatchling's own choice where there is none.
const DATE: &str = "1580601600";
/// The package within the sources.
const PACKAGE: &str = "mlflow_wasm_logger";

/// Builds the wheel into the dist directory.
pub fn build(component: &Path) -> Result<PathBuf> {
    let path = paths::wheel()?;
    let (_staged, wheel) = hatch(component)?;
    files::write_whole(&path, &fs::read(wheel)?)?;
    Ok(path)
}

/// Builds the wheel once more, elsewhere, and compares.
pub fn check_again(component: &Path) -> Result<()> {
    let (staged, wheel) = hatch(component)?;
    if fs::read(wheel)? != fs::read(paths::wheel()?)? {
        bail!("{} holds a wheel of other bytes", staged.keep().display());
    }
    Ok(())
}

fn hatch(component: &Path) -> Result<(TempDir, PathBuf)> {
    let staged = tempfile::Builder::new()
        .prefix("wheel-")
        .tempdir_in(paths::target_dir("tmp")?)?;
    let sources = paths::root().join("host-example/python");
    let package = staged.path().join(PACKAGE);
    fs::create_dir(&package)?;
    fs::copy(
        sources.join("pyproject.toml"),
        staged.path().join("pyproject.toml"),
    )?;
    let schema = paths::root().join("wit/event-payload.schema.json");
    let within = fs::read_dir(sources.join(PACKAGE))?;
    let within = within.map(|entry| entry.map(|entry| entry.path()));
    for file in within.chain([Ok(component.to_owned()), Ok(schema)]) {
        let file = file?;
        if file.is_file() {
            let name = file.file_name().context("a file has a name")?;
            fs::copy(&file, package.join(name))
                .with_context(|| format!("cannot copy {}", file.display()))?;
        }
    }
    let python = Python::with_wheel_tools()?;
    Step::new("Build the Python package").run(
        python
            .command()
            .args(["-m", "hatchling", "build", "-t", "wheel", "-d", "out"])
            .current_dir(&staged)
            .env("SOURCE_DATE_EPOCH", DATE),
    )?;
    let name = paths::wheel()?;
    let name = name.file_name().context("a file has a name")?;
    let wheel = staged.path().join("out").join(name);
    if !wheel.exists() {
        bail!(
            "no {} came out: is the version in pyproject.toml another than the workspace's?",
            name.display()
        );
    }
    Ok((staged, wheel))
}
