//! Node, and the npm package in it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::python::quiet;
use crate::step::Step;
use crate::{debian, paths};

/// The oldest Node that the package runs on.
const OLDEST: u32 = 20;

/// What of the package is sources.
const SOURCES: [&str; 5] = [
    "package.json",
    "package-lock.json",
    "build.js",
    "src",
    "test",
];

/// The package, installed with what it needs and built around a plugin.
#[derive(Debug)]
pub struct Package {
    directory: PathBuf,
}

impl Package {
    /// A copy of the package in the target directory, which the plugin is built into. What it needs is installed
    /// from its lock file, once.
    pub fn prepare(plugin: &Path) -> Result<Self> {
        find()?;
        let directory = paths::target_dir("node")?.join("package");
        let lock = File::create(directory.with_extension("lock"))?;
        lock.lock().context("cannot lock the package's directory")?;
        let package = Self { directory };
        package.copy()?;
        package.install()?;
        package.build(plugin)?;
        Ok(package)
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A command of npm in the package.
    pub fn npm(&self, arguments: &[&str]) -> Command {
        npm(&self.directory, arguments)
    }

    /// Builds a plugin into it.
    pub fn build(&self, plugin: &Path) -> Result<()> {
        let mut build = node(&self.directory);
        Step::new("Turn the plugin into a module for Node")
            .run(build.arg("build.js").arg(plugin))?;
        Ok(())
    }

    /// The package as npm would publish it, in this directory.
    pub fn pack(&self, directory: &Path) -> Result<PathBuf> {
        let mut pack = self.npm(&["pack", "--silent", "--pack-destination"]);
        let output = pack.arg(directory).output()?;
        if !output.status.success() {
            bail!("npm pack: {}", String::from_utf8_lossy(&output.stderr));
        }
        let name = String::from_utf8_lossy(&output.stdout);
        Ok(directory.join(name.trim()))
    }

    /// The package as npm would publish it, installed into a directory of its own beside others of the registry.
    pub fn installed(&self, directory: &Path, others: &[&str]) -> Result<()> {
        let packed = self.pack(directory)?;
        fs::write(
            directory.join("package.json"),
            "{\"type\":\"module\",\"private\":true}",
        )?;
        let mut install = npm(
            directory,
            &["install", "--no-audit", "--no-fund", "--prefer-offline"],
        );
        install.arg(packed).args(others);
        Step::new("Install the packed package").run(&mut install)?;
        Ok(())
    }

    fn copy(&self) -> Result<()> {
        let from = paths::root().join("host-example/node");
        fs::create_dir_all(&self.directory)?;
        for name in SOURCES {
            let (from, to) = (from.join(name), self.directory.join(name));
            if from.is_dir() {
                fs::create_dir_all(&to)?;
                for file in from.read_dir()? {
                    let file = file?;
                    fs::copy(file.path(), to.join(file.file_name()))?;
                }
            } else {
                fs::copy(from, to)?;
            }
        }
        Ok(())
    }

    fn install(&self) -> Result<()> {
        let lock = fs::read(self.directory.join("package-lock.json"))?;
        let stamp = self.directory.join("node_modules/.installed");
        if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
            return Ok(());
        }
        let mut install = self.npm(&["ci", "--no-audit", "--no-fund"]);
        Step::new("Install what the npm package needs").run(&mut install)?;
        fs::write(stamp, lock)?;
        Ok(())
    }
}

/// A command of Node in a directory, undisturbed by what leads MLflow elsewhere.
pub fn node(directory: &Path) -> Command {
    command("node", directory)
}

fn npm(directory: &Path, arguments: &[&str]) -> Command {
    let mut npm = command("npm", directory);
    npm.args(arguments);
    npm
}

fn command(program: &str, directory: &Path) -> Command {
    let mut command = Command::new(program);
    quiet(command.current_dir(directory));
    command
}

/// Whether Node and npm are there, new enough.
pub fn is_there() -> bool {
    version().is_some_and(|version| version >= OLDEST) && has_npm()
}

/// Looks for Node and npm; on Debian they are installed if they are not there.
fn find() -> Result<()> {
    if version().is_none() || !has_npm() {
        debian::install(&["nodejs", "npm"], "Node with npm")?;
    }
    match version() {
        Some(version) if version >= OLDEST => Ok(()),
        Some(version) => bail!("Node {version} is too old: install Node {OLDEST} or later"),
        None => bail!("Node is missing: install Node {OLDEST} or later"),
    }
}

fn version() -> Option<u32> {
    let output = Command::new("node").arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn has_npm() -> bool {
    crate::step::succeeds(Command::new("npm").arg("--version"))
}
