//! `cargo xtask supply`: runs `tests/supply`, which is a workspace of its own.

use std::process::Command;

use anyhow::{Result, ensure};
use e2e::{Step, paths};

use crate::cargo;

/// Runs it with these arguments.
pub fn run(arguments: &[String]) -> Result<()> {
    let status = command("run")?.arg("--").args(arguments).status()?;
    ensure!(
        status.success(),
        "the dependencies are not as they should be"
    );
    Ok(())
}

/// Its own lints and tests, and what it checks.
pub fn check(mut tell: impl FnMut(&str, Result<()>)) {
    let mut steps = || {
        let title = "Check the formatting of the check of dependencies";
        let mut format = cargo::command(["fmt", "--check", "--manifest-path", MANIFEST]);
        tell(title, Step::new(title).run(&mut format).map(drop));
        let title = "Test the check of dependencies";
        tell(title, Step::new(title).run(&mut command("test")?).map(drop));
        let title = "Check licences, sources and advisories";
        let mut check = command("run")?;
        let done = Step::new(title).tail(40).run(check.args(["--", "check"]));
        tell(title, done.map(drop));
        anyhow::Ok(())
    };
    if let Err(error) = steps() {
        tell("the dependencies can be checked", Err(error));
    }
}

const MANIFEST: &str = "tests/supply/Cargo.toml";

fn command(what: &str) -> Result<Command> {
    let mut command = cargo::command([what, "--quiet", "--locked", "--manifest-path", MANIFEST]);
    command.env("CARGO_TARGET_DIR", paths::target_dir("supply")?);
    Ok(command)
}
