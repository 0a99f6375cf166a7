//! Packages of Debian and its kin, for what neither cargo nor pip can install.

use std::process::Command;

use anyhow::{Result, bail};

use crate::step::{Step, succeeds};

/// Installs packages, as root or through a `sudo` that asks no questions. `purpose` is what for, in
/// a few words. Where that cannot be, the error says what to run.
pub fn install(packages: &[&str], purpose: &str) -> Result<()> {
    let by_hand = format!(
        "apt-get update && apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    );
    if !succeeds(Command::new("apt-get").arg("--version")) {
        bail!(
            "{purpose} is missing, and there is no apt-get to install it with. On Debian or Ubuntu it is: {by_hand}"
        );
    }
    let Some(prefix) = root_prefix() else {
        bail!(
            "{purpose} is missing, and installing it takes root. Run as root, then try again: {by_hand}"
        );
    };
    Step::new("Update the package lists").run(apt(prefix).arg("update"))?;
    Step::new(&format!("Install {purpose}")).run(
        apt(prefix)
            .args(["install", "-y", "--no-install-recommends"])
            .args(packages),
    )?;
    Ok(())
}

/// What has to stand before a command for it to run as root.
fn root_prefix() -> Option<&'static [&'static str]> {
    let id = Command::new("id").arg("-u").output().ok()?;
    if id.stdout.trim_ascii() == b"0" {
        Some(&[])
    } else if succeeds(Command::new("sudo").args(["-n", "true"])) {
        Some(&["sudo", "-n"])
    } else {
        None
    }
}

fn apt(prefix: &[&str]) -> Command {
    let words = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
    let mut words = prefix.iter().chain(&words);
    let mut command = Command::new(words.next().copied().unwrap_or("apt-get"));
    command.args(words).args(["-q", "-o", "Acquire::Retries=3"]);
    command
}
