//! The npm package, as npm would publish it: the component, made a module for Node, is inside.

use std::path::{Path, PathBuf};

use anyhow::Result;
use e2e::{node, paths};

/// Packs it into the dist directory. None: there is no Node here, and nobody asked for one to be installed.
pub fn build(component: &Path, install_node: bool) -> Result<Option<PathBuf>> {
    if !install_node && !node::is_there() {
        return Ok(None);
    }
    let package = node::Package::prepare(component)?;
    package.pack(&paths::target_dir("dist")?).map(Some)
}
