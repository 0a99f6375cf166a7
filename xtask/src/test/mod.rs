//! `cargo xtask test`: all the lints and all the tests, counted in one last line.
//!
//! A step that fails does not hide the later ones.

mod tally;

use std::process::{Command, ExitCode};

use anyhow::Context;
use clap::{Args, ValueEnum};
use e2e::{Python, Step};

use crate::{cargo, dist, fuzz, instructions, supply};
use tally::Tally;

/// The crates whose tests need nothing but the plugin.
const CRATES: [&str; 3] = ["--workspace", "--exclude=e2e", "--exclude=bench"];

/// How long each fuzz target runs among the tests, where somebody waits for them and where nobody does.
const FUZZ_SECONDS: (u64, u64) = (5, 60);

/// What to test.
#[derive(Args, Debug, Default)]
pub struct Selection {
    /// Only tests whose names contain this; no lints
    filter: Option<String>,
    /// Only these
    #[arg(long, value_enum)]
    only: Vec<Group>,
}

/// A kind of checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Group {
    /// Formatting, clippy, documentation, dependencies; each counts as one
    Lint,
    /// Unit and property tests, and the tests of each crate
    Unit,
    /// Tests with the gateway and a real MLflow
    E2e,
    /// The same with everything going wrong around them
    Chaos,
    /// MLflow's UI in a browser
    Browser,
    /// The instructions of the core's hot paths, against those kept; each path counts as one
    Instructions,
    /// The fuzz targets, a few seconds each, a minute each where CI is set; each counts as one
    Fuzz,
    /// The plugins built elsewhere, which have to be the same bytes
    Rebuild,
}

impl Selection {
    fn has(&self, group: Group) -> bool {
        if self.only.is_empty() {
            match group {
                Group::Lint | Group::Instructions | Group::Fuzz | Group::Rebuild => {
                    self.filter.is_none()
                }
                _ => true,
            }
        } else {
            self.only.contains(&group)
        }
    }

    fn needs_plugins(&self) -> bool {
        let needing = [
            Group::Unit,
            Group::E2e,
            Group::Chaos,
            Group::Browser,
            Group::Fuzz,
        ];
        needing.iter().any(|group| self.has(*group))
    }
}

/// Runs what is selected.
pub fn run(selection: &Selection) -> ExitCode {
    let mut tally = Tally::default();
    if selection.has(Group::Lint) {
        lint(&mut tally);
    }
    if selection.needs_plugins() {
        // The crates' own tests load the plugin as well.
        tally.check("the plugins build", dist::all().map(drop));
        tally.check("the tests' guests build", dist::for_tests());
    }
    if selection.has(Group::E2e) {
        tally.check("the Python package builds", dist::wheel().map(drop));
        tally.check("its wheel is the same each time", dist::check_wheel());
    }
    if selection.has(Group::Unit) {
        let mut command = tests(CRATES, selection);
        tally.tests("Run the crates' tests", &mut command);
    }
    let live = [Group::E2e, Group::Chaos, Group::Browser];
    if live.iter().any(|group| selection.has(*group)) {
        end_to_end(&mut tally, selection);
    }
    if selection.has(Group::Instructions) {
        instructions::check(|what, result| tally.check(what, result));
    }
    if selection.has(Group::Fuzz) {
        let nobody_waits = std::env::var_os("CI").is_some();
        let seconds = if nobody_waits {
            FUZZ_SECONDS.1
        } else {
            FUZZ_SECONDS.0
        };
        fuzz::check(seconds, |what, result| tally.check(what, result));
    }
    if selection.has(Group::Rebuild) {
        tally.check(
            "the plugins are the same bytes, built elsewhere",
            dist::check_rebuild(),
        );
    }
    tally.close()
}

fn lint(tally: &mut Tally) {
    let mut check = |title: &str, command: &mut Command| {
        let result = Step::new(title).tail(80).run(command);
        tally.check(title, result.map(drop));
    };
    check(
        "Check the formatting",
        &mut cargo::command(["fmt", "--all", "--check"]),
    );
    let mut fuzz = cargo::command(["fmt", "--check", "--manifest-path", "fuzz/Cargo.toml"]);
    check("Check the formatting of the fuzz targets", &mut fuzz);
    // One profile for lints, tests and binaries, so that dependencies are looked at once. The guests
    // are checked for this machine, since the compiler in use may not have their target.
    let workspace = ["--release", "--locked", "--workspace"];
    let mut clippy = cargo::command(["clippy"]);
    clippy
        .args(workspace)
        .args(["--all-targets", "--", "-Dwarnings"]);
    check("Run clippy", &mut clippy);
    let mut doc = cargo::command(["doc", "--no-deps", "--document-private-items"]);
    doc.args(workspace).env("RUSTDOCFLAGS", "-Dwarnings");
    check("Build the documentation", &mut doc);
    supply::check(|what, result| tally.check(what, result));
}

fn end_to_end(tally: &mut Tally, selection: &Selection) {
    // Cargo builds a package's programs along with its tests. Building the gateway by itself would take
    // wasmtime once more, with other features.
    let mut build = tests(CRATES, &Selection::default());
    let prepared = Step::new("Build the gateway")
        .run(build.arg("--no-run"))
        .and_then(|_| Python::prepare().map(drop))
        .context("the end-to-end tests cannot run");
    match prepared {
        Ok(()) => {
            if selection.has(Group::E2e) {
                let mut command = tests(["-p", "e2e"], selection);
                tally.tests("Run the end-to-end tests", &mut command);
            }
            if selection.has(Group::Chaos) {
                chaos(tally, selection);
            }
            if selection.has(Group::Browser) {
                let mut command = tests(["-p", "e2e", "--test", "browser"], selection);
                command.args(["--", "--ignored"]);
                tally.tests("Run the browser's tests", &mut command);
            }
        }
        Err(_) => tally.check("the end-to-end tests can run", prepared),
    }
}

/// Each of these tests says in a line what it counted.
fn chaos(tally: &mut Tally, selection: &Selection) {
    let mut command = tests(["-p", "e2e", "--test", "chaos"], selection);
    // Most of the time they wait.
    command.args(["--", "--ignored", "--show-output", "--test-threads=4"]);
    let output = tally.tests("Run the chaos tests", &mut command);
    for line in output.lines().filter(|line| line.starts_with("count: ")) {
        println!("{line}");
    }
}

fn tests<const N: usize>(packages: [&str; N], selection: &Selection) -> Command {
    let mut command = cargo::command(["test", "--release", "--locked", "--no-fail-fast"]);
    command.args(packages).args(&selection.filter);
    command
}
