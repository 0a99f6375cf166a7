//! The sizes of what was built, and its checksums in a file that `sha256sum --check` reads.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::files;

/// Writes `SHA256SUMS` beside the files, and returns a table for people.
pub fn write(paths: &[PathBuf]) -> Result<String> {
    let (mut sums, mut table) = (String::new(), String::new());
    writeln!(
        table,
        "{:>10} {:>10}  {:64}  file",
        "bytes", "gzipped", "sha256"
    )?;
    for path in paths {
        let bytes = fs::read(path)?;
        let (hash, gzipped) = (files::sha256(&bytes), files::gzipped(&bytes)?);
        let name = path.file_name().unwrap_or_default().display();
        writeln!(sums, "{hash}  {name}")?;
        writeln!(
            table,
            "{:>10} {gzipped:>10}  {hash}  {}",
            bytes.len(),
            path.display()
        )?;
    }
    let directory = paths.first().and_then(|path| path.parent());
    let directory = directory.context("nothing was built")?;
    files::write_whole(&directory.join("SHA256SUMS"), sums.as_bytes())?;
    Ok(table)
}
