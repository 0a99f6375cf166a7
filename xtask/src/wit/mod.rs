//! The WIT package of the hooks: read, printed, and encoded as registries take it.

#[cfg(test)]
mod frozen;

use std::path::Path;

use anyhow::{Context, Result};
use e2e::paths;
use wit_parser::{PackageId, Resolve};

/// A WIT package with what it depends on.
pub struct Package {
    /// All that was read.
    pub resolve: Resolve,
    /// The package itself.
    pub id: PackageId,
}

impl Package {
    /// The package of today.
    pub fn current() -> Result<Self> {
        Self::read(&paths::root().join("wit"))
    }

    /// The package in a directory, its dependencies in `deps` below.
    pub fn read(directory: &Path) -> Result<Self> {
        let mut resolve = Resolve::default();
        let (id, _) = resolve
            .push_dir(directory)
            .with_context(|| format!("{} is no WIT package", directory.display()))?;
        Ok(Self { resolve, id })
    }

    /// Its version.
    pub fn version(&self) -> Result<String> {
        let name = &self.resolve.packages[self.id].name;
        let version = name.version.as_ref();
        Ok(version
            .with_context(|| format!("the package {name} has no version"))?
            .to_string())
    }

    /// The package in the binary form that `wkg publish` takes.
    pub fn encode(&self) -> Result<Vec<u8>> {
        wit_component::encode(&self.resolve, self.id, false)
    }
}
