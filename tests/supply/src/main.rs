//! What the project depends on: licences, sources and crates as `deny.toml` allows them, and RustSec's advisories.
//!
//! `cargo deny` and `cargo audit` ask the same of whoever has them installed. Installing them takes many minutes of
//! building, and their database comes over a network that not everyone has: so the tests use the libraries that these
//! programs are made of, and a copy of what the database says of the crates in use (`tests/advisories`).

mod advisories;
mod policy;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};

/// The workspaces, and the lock file of each.
const WORKSPACES: [&str; 3] = [".", "fuzz", "tests/supply"];

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

/// What to do about dependencies.
#[derive(Subcommand)]
enum Action {
    /// Checks licences, sources and advisories
    Check,
    /// Takes over what a copy of RustSec's advisory database says of the crates in use
    Advisories {
        /// The copy: a checkout of rustsec/advisory-db
        from: PathBuf,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().action {
        Action::Check => {
            println!("{}", check()?);
            Ok(())
        }
        Action::Advisories { from } => advisories::take_over(&from, &names()?),
    }
}

/// Checks all of it, and says what was looked at.
fn check() -> Result<String> {
    let packages = packages()?;
    let faults = policy::Policy::read()?.faults(&packages);
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    let (known, told) = advisories::check(&WORKSPACES.map(lock), &names()?)?;
    Ok(format!(
        "{} packages: licences and sources as deny.toml allows; none of {known} advisories concerns them{told}",
        packages.len()
    ))
}

/// A package that something of ours is built with.
#[derive(serde::Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

/// The packages of all workspaces.
fn packages() -> Result<Vec<Package>> {
    #[derive(serde::Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let mut all = Vec::new();
    for workspace in WORKSPACES {
        let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--format-version=1", "--locked"])
            .current_dir(root().join(workspace))
            .output()
            .context("cargo does not start")?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "cargo metadata: {told}");
        all.extend(serde_json::from_slice::<Metadata>(&output.stdout)?.packages);
    }
    all.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    all.dedup_by(|a, b| (&a.name, &a.version) == (&b.name, &b.version));
    Ok(all)
}

/// The names of all packages that a lock file has, also of those that are for other systems.
fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for workspace in WORKSPACES {
        let locked = advisories::lockfile(&lock(workspace))?;
        names.extend(locked.packages.iter().map(|one| one.name.to_string()));
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn lock(workspace: &str) -> PathBuf {
    root().join(workspace).join("Cargo.lock")
}

/// The root of the checkout.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
