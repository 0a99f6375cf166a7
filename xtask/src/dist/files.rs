//! Files of the dist directory: written whole, dated, measured.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// Writes a file so that whoever reads it sees all of the old or all of the new.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
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
pub fn newer(made: &Path, source: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let program = std::env::current_exe().ok();
    let sources = [time(source), program.and_then(|program| time(&program))];
    time(made).is_some_and(|made| {
        sources
            .iter()
            .all(|source| source.is_some_and(|s| s < made))
    })
}

/// How many bytes gzip makes of these.
pub fn gzipped(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

/// The SHA-256 in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
