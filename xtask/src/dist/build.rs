//! Builds guests, out of whichever checkout, and refuses what tells where it was built.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use e2e::{Step, paths};
use wit_component::ComponentEncoder;

use super::artifact::{ALL, Artifact, Form};
use super::files;
use crate::toolchain::{self, TARGET, Toolchain};

/// The sources of guests, and where what is built of them goes.
#[derive(Debug)]
pub struct Workshop {
    root: PathBuf,
    target: PathBuf,
    dist: PathBuf,
    toolchain: Toolchain,
}

impl Workshop {
    /// This checkout and its target directory.
    pub fn here() -> Result<Self> {
        Ok(Self {
            root: paths::root().to_owned(),
            target: paths::target_dir("guest")?,
            dist: paths::target_dir("dist")?,
            toolchain: toolchain::pick()?,
        })
    }

    /// The same, for what tests need and nobody else should come upon.
    pub fn for_tests() -> Result<Self> {
        let dist = paths::target_dir("test-guests")?;
        Self::here().map(|here| Self { dist, ..here })
    }

    /// Another checkout, which everything stays in.
    pub fn at(root: &Path) -> Result<Self> {
        let target = root.join("target");
        let dist = target.join("dist");
        fs::create_dir_all(&dist)?;
        Ok(Self {
            root: root.to_owned(),
            target: target.join("guest"),
            dist,
            toolchain: toolchain::pick()?,
        })
    }

    /// Builds all artifacts that people use where they are not fresh, and returns their paths.
    pub fn all(&self) -> Result<Vec<PathBuf>> {
        let artifacts = ALL.iter();
        artifacts.map(|artifact| self.artifact(artifact)).collect()
    }

    /// Writes a file beside the artifacts, and returns its path.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.dist.join(name);
        files::write_whole(&path, bytes)?;
        Ok(path)
    }

    /// Builds an artifact where it is not fresh, and returns its path.
    pub fn artifact(&self, artifact: &Artifact) -> Result<PathBuf> {
        let module = self.module(artifact.package)?;
        let path = self.dist.join(artifact.file);
        if !files::newer(&path, &module) {
            let bytes = fs::read(&module)?;
            let bytes = finished(bytes, artifact.form)
                .with_context(|| format!("{} does not become a plugin", module.display()))?;
            self.refuse_paths(&bytes)?;
            files::write_whole(&path, &bytes)?;
        }
        Ok(path)
    }

    /// Builds a guest package as a core module, and returns its path.
    pub fn module(&self, package: &str) -> Result<PathBuf> {
        let mut cargo = self.toolchain.build(&self.root, &self.target, package)?;
        Step::new(&format!("Build {package}")).run(&mut cargo)?;
        let file = format!("guest/{}.wasm", package.replace('-', "_"));
        Ok(self.target.join(TARGET).join(file))
    }

    /// A plugin must not depend on where it was built, nor tell it.
    fn refuse_paths(&self, bytes: &[u8]) -> Result<()> {
        for path in [self.root.clone(), toolchain::cargo_home()] {
            let text = path.display().to_string();
            let mut windows = bytes.windows(text.len().max(1));
            if text.len() > 1 && windows.any(|window| window == text.as_bytes()) {
                bail!("the path {text} got into it: something escaped --remap-path-prefix");
            }
        }
        Ok(())
    }
}

/// What a core module becomes.
fn finished(module: Vec<u8>, form: Form) -> Result<Vec<u8>> {
    match form {
        Form::Module => Ok(module),
        Form::Component => ComponentEncoder::default()
            .validate(true)
            .module(&module)?
            .encode(),
    }
}
