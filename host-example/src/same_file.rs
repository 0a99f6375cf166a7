//! Whether an open file is still the one that its path leads to.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Whether this is the file at this path. Where somebody has moved or removed it, what is written to it
/// goes elsewhere, or nowhere.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    let place = |file: Metadata| (file.dev(), file.ino());
    let own = file.metadata().map(place);
    let there = std::fs::metadata(path).map(place);
    own.is_ok_and(|own| there.is_ok_and(|there| own == there))
}
