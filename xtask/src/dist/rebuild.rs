//! Whether the same sources give the same bytes: all of them built once more, elsewhere.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use e2e::paths;

use super::build::Workshop;

/// Builds a copy of this checkout in a directory of another name and compares.
pub fn check() -> Result<()> {
    let elsewhere = tempfile::Builder::new()
        .prefix("somewhere-else-")
        .tempdir_in(paths::target_dir("rebuild")?)?;
    let copy = elsewhere.path().join("checkout");
    copy_sources(&copy)?;
    let here = Workshop::here()?.all()?;
    let there = Workshop::at(&copy)?.all()?;
    for (one, other) in here.iter().zip(&there) {
        if fs::read(one)? != fs::read(other)? {
            // The other one is kept, for whoever wants to know where they differ.
            let kept = elsewhere.keep();
            bail!(
                "{} is not what the same sources give in {}",
                one.display(),
                kept.display()
            );
        }
    }
    Ok(())
}

/// Copies what git would: all files but those that it ignores.
fn copy_sources(to: &Path) -> Result<()> {
    let list = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(paths::root())
        .output()
        .context("git does not start, which knows what belongs to the sources")?;
    if !list.status.success() {
        bail!("{}", String::from_utf8_lossy(&list.stderr).trim());
    }
    let names = String::from_utf8(list.stdout)?;
    for name in names.split_terminator('\0') {
        let (from, to) = (paths::root().join(name), to.join(name));
        if from.is_file() {
            fs::create_dir_all(to.parent().context("a file has a directory")?)?;
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}
