//! The cargo that runs us, for what runs on this machine rather than in a sandbox.

use std::process::Command;

use anyhow::Result;
use e2e::{Step, paths};

/// A cargo command in the checkout.
pub fn command<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(paths::cargo());
    command.args(arguments).current_dir(paths::root());
    command
}

/// Builds the gateway as people run it.
pub fn build_gateway() -> Result<()> {
    let arguments = ["build", "--release", "--locked", "-p", "host-example"];
    Step::new("Build the gateway").run(&mut command(arguments))?;
    Ok(())
}
