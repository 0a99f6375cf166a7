//! `cargo xtask`: the one entry for people and CI.

use std::process::{Command, ExitCode};

use anyhow::{Context, bail};

fn main() -> anyhow::Result<ExitCode> {
    match std::env::args().nth(1).as_deref() {
        Some("test") => test(),
        _ => bail!("usage: cargo xtask test"),
    }
}

/// Runs the lints and the tests; each lint counts as one.
fn test() -> anyhow::Result<ExitCode> {
    let steps: [&[&str]; 3] = [
        &["fmt", "--check"],
        &[
            "clippy",
            "--quiet",
            "-p",
            "logger-core",
            "-p",
            "xtask",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
        &["test", "-p", "logger-core"],
    ];
    let (mut passed, mut failed) = (0, 0);
    for step in steps {
        println!("==> cargo {}", step.join(" "));
        let status = Command::new(env!("CARGO"))
            .args(step)
            .status()
            .context("cargo does not start")?;
        if status.success() {
            passed += 1
        } else {
            failed += 1
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
