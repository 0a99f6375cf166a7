//! RustSec's advisories, held against the lock files.
//!
//! `tests/advisories/crates` has the advisories of the crates that are in use, as the database has them, and
//! `names.txt` every crate that the database has advisories of. So a new dependency that has some and whose advisories
//! were not taken over is told, too.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use rustsec::advisory::Informational;
use rustsec::report::Settings;
use rustsec::{Database, Lockfile, Report};

/// How to mend what is out of date.
const MEND: &str = "run `cargo xtask supply advisories DIR` with a checkout of rustsec/advisory-db";

/// Checks lock files that hold these names. Returns how many advisories were looked at, and what is told and no fault.
pub fn check(locks: &[PathBuf], names: &[String]) -> Result<(usize, String)> {
    let missing = missing(
        names,
        &fs::read_to_string(folder().join("names.txt"))?,
        |name| folder().join("crates").join(name).is_dir(),
    );
    ensure!(
        missing.is_empty(),
        "tests/advisories lacks what is known of {}: {MEND}",
        missing.join(", ")
    );
    let database = Database::open(&folder()).context("tests/advisories")?;
    let settings = Settings {
        informational_warnings: vec![
            Informational::Unsound,
            Informational::Unmaintained,
            Informational::Notice,
        ],
        ..Settings::default()
    };
    let (mut faults, mut told) = (BTreeSet::new(), BTreeSet::new());
    for lock in locks {
        let report = Report::generate(&database, &lockfile(lock)?, &settings);
        for found in &report.vulnerabilities.list {
            faults.insert(line(&found.package, &found.advisory));
        }
        for warning in report.warnings.values().flatten() {
            if let Some(advisory) = &warning.advisory {
                // Unsound code is a weakness; what nobody maintains is none yet.
                let unsound = advisory.informational == Some(Informational::Unsound);
                let lines = if unsound { &mut faults } else { &mut told };
                lines.insert(line(&warning.package, advisory));
            }
        }
    }
    if !faults.is_empty() {
        bail!("{}", Vec::from_iter(faults).join("\n"));
    }
    let told = told.iter().map(|line| format!("\ntold: {line}")).collect();
    Ok((database.iter().count(), told))
}

fn line(package: &rustsec::package::Package, advisory: &rustsec::advisory::Metadata) -> String {
    let rustsec::advisory::Metadata { id, title, .. } = advisory;
    format!("{} {}: {id}, {title}", package.name, package.version)
}

/// Reads a lock file.
pub fn lockfile(path: &Path) -> Result<Lockfile> {
    Lockfile::load(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Copies what a checkout of the database has of these crates.
pub fn take_over(from: &Path, names: &[String]) -> Result<()> {
    let crates = from.join("crates");
    let mut known = BTreeSet::new();
    for entry in fs::read_dir(&crates)
        .with_context(|| format!("no advisory database in {}", from.display()))?
    {
        known.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    let ours = folder().join("crates");
    if ours.exists() {
        fs::remove_dir_all(&ours)?;
    }
    for name in names.iter().filter(|name| known.contains(*name)) {
        fs::create_dir_all(ours.join(name))?;
        for advisory in fs::read_dir(crates.join(name))? {
            let advisory = advisory?;
            fs::copy(advisory.path(), ours.join(name).join(advisory.file_name()))?;
        }
    }
    let list = Vec::from_iter(known).join("\n") + "\n";
    fs::write(folder().join("names.txt"), list)?;
    println!("Say in tests/advisories/README.md which commit of the database this is.");
    Ok(())
}

/// Those of the names that the list has and we do not.
fn missing<'a>(names: &'a [String], list: &str, has: impl Fn(&str) -> bool) -> Vec<&'a str> {
    let known: BTreeSet<_> = list.lines().collect();
    let names = names.iter().map(String::as_str);
    names
        .filter(|name| known.contains(name) && !has(name))
        .collect()
}

fn folder() -> PathBuf {
    crate::root().join("tests/advisories")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_weakness_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("Cargo.lock");
        let package = "name = \"time\"\nversion = \"0.1.42\"\n\
             source = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
        fs::write(&lock, format!("version = 4\n\n[[package]]\n{package}")).unwrap();
        let found = check(&[lock], &[]).unwrap_err().to_string();
        assert!(found.contains("time 0.1.42: RUSTSEC-2020-0071"), "{found}");
    }

    #[test]
    fn a_crate_whose_advisories_are_not_here_is_told() {
        let names = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        assert_eq!(missing(&names, "a\nb\n", |name| name == "b"), ["a"]);
    }
}
