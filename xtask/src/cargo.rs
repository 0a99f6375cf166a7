//! The cargo that runs us, for what runs on this machine rather than in a sandbox.

use std::process::Command;

use anyhow::Result;
use e2e::{Step, paths};

/// A cargo command in the checkout.
pub fn command<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(paths::cargo());
    command.args(arguments).current_dir(paths::root());
    forget_package(&mut command);
    command
}

/// Takes out of a command's environment what cargo tells `xtask` of its own package: build scripts that
/// watch it would run again, and what depends on them would be built again, each time that cargo is
/// called from here and not from a shell.
pub fn forget_package(command: &mut Command) {
    const PREFIXES: [&str; 5] = [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_",
        "CARGO_PRIMARY_",
    ];
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
}

/// Builds the provider that is played.
pub fn build_provider() -> Result<()> {
    let arguments = ["build", "--release", "--locked", "-p", "mock-provider"];
    Step::new("Build the provider").run(&mut command(arguments))?;
    Ok(())
}

/// Builds the gateway as people run it, and a provider for it to stand before.
pub fn build_gateway() -> Result<()> {
    let mut arguments = vec!["build", "--release", "--locked"];
    arguments.extend(["-p", "host-example", "-p", "mock-provider"]);
    Step::new("Build the gateway").run(&mut command(arguments))?;
    Ok(())
}
