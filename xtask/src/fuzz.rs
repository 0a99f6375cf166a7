//! `cargo xtask fuzz`: runs the fuzz targets, each for some seconds, from the corpus and from seeds made of fixtures.
//!
//! The targets are built with the instrumentation that `cargo fuzz` uses, which the stable compiler has as well, so that
//! nothing has to be installed; whoever has `cargo fuzz` can use that in `fuzz/` just so (`cargo fuzz run -s none wire`).
//! No sanitizer: the core forbids `unsafe`, and what a panic, an overflow or a failed assertion shows is what is looked for.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use e2e::step::{Step, succeeds};
use e2e::{debian, paths};

use crate::{cargo, dist};

/// All targets; `fuzz/Cargo.toml` has the same.
const TARGETS: [&str; 9] = [
    "wire",
    "frames",
    "hooks",
    "json",
    "otlp",
    "configure",
    "feedback",
    "redact",
    PLUGIN,
];

/// The target that has wasmtime in it, and needs the built plugin.
const PLUGIN: &str = "plugin";

/// What `cargo fuzz` passes to the compiler, less the sanitizer: LLVM's SanitizerCoverage, as libFuzzer wants it.
const FLAGS: [&str; 8] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions",
    "--cfg",
    "fuzzing",
];

/// How long to fuzz what.
#[derive(Args, Debug)]
pub struct Options {
    /// Only this target
    target: Option<String>,
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Keep what was found to cover more in `fuzz/corpus`, reduced to what is needed for it
    #[arg(long)]
    keep: bool,
}

/// Fuzzes, and says what each target did.
pub fn run(options: &Options) -> Result<()> {
    let targets: Vec<_> = match &options.target {
        None => TARGETS.to_vec(),
        Some(name) => TARGETS
            .iter()
            .copied()
            .filter(|target| target == name)
            .collect(),
    };
    ensure!(
        !targets.is_empty(),
        "no such target; there are {}",
        TARGETS.join(", ")
    );
    if targets.contains(&PLUGIN) {
        dist::all()?;
    }
    let built = build(&targets)?;
    for target in targets {
        let corpus = paths::target_dir(&format!("fuzz/corpus/{target}"))?;
        let done = built.fuzz(target, options.seconds, &corpus)?;
        println!("{target}: {done}");
        if options.keep {
            built.keep(target)?;
        }
    }
    Ok(())
}

/// The same for the tests: each target is a check. They begin with the same inputs each time, whatever was found before.
pub fn check(seconds: u64, mut tell: impl FnMut(&str, Result<()>)) {
    let built = match build(&TARGETS) {
        Ok(built) => built,
        Err(error) => return tell("the fuzz targets build", Err(error)),
    };
    for target in TARGETS {
        let done = tempfile::tempdir()
            .context("a directory for the corpus")
            .and_then(|corpus| built.fuzz(target, seconds, corpus.path()));
        tell(
            &format!("fuzz {target}"),
            done.map(|done| println!("{target}: {done}")),
        );
    }
}

/// Targets that were built.
struct Built {
    programs: PathBuf,
    seeds: PathBuf,
}

fn build(targets: &[&str]) -> Result<Built> {
    if !succeeds(Command::new("c++").arg("--version")) {
        debian::install(&["g++"], "a C++ compiler for libFuzzer")?;
    }
    let target = paths::target_dir("fuzz")?;
    let seeds = target.join("seeds");
    let mut make = cargo("run", &target);
    make.args(["--no-default-features", "--example", "seeds", "--"])
        .arg(&seeds);
    Step::new("Make seeds of the fixtures").run(&mut make)?;
    let host = host()?;
    if targets.iter().any(|name| *name != PLUGIN) {
        let mut build = cargo("build", &target);
        build
            .args(["--bins", "--target", &host])
            .env("RUSTFLAGS", FLAGS.join(" "));
        Step::new("Build the fuzz targets").run(&mut build)?;
    }
    if targets.contains(&PLUGIN) {
        let mut build = cargo("build", &target);
        build
            .args(["--bin", PLUGIN, "--features", PLUGIN, "--target", &host])
            .env("RUSTC_WRAPPER", folder().join("instrument"))
            .env("INSTRUMENTATION", FLAGS.join(" "));
        Step::new("Build the fuzz target with wasmtime").run(&mut build)?;
    }
    Ok(Built {
        programs: target.join(host).join("release"),
        seeds,
    })
}

/// A cargo command in the targets' workspace.
fn cargo(command: &str, target: &Path) -> Command {
    let mut cargo = cargo::command([command, "--release"]);
    cargo.current_dir(folder()).env("CARGO_TARGET_DIR", target);
    cargo
}

fn folder() -> PathBuf {
    paths::root().join("fuzz")
}

/// The triple of this machine. With a target named, build scripts are not instrumented.
fn host() -> Result<String> {
    let told = Command::new("rustc").arg("-vV").output().context("rustc")?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .context("rustc does not say what machine this is")
}

impl Built {
    /// Runs a target, which adds to the corpus. What it found is an error that says how to see it again.
    fn fuzz(&self, target: &str, seconds: u64, corpus: &Path) -> Result<String> {
        let artifacts = paths::target_dir(&format!("fuzz/artifacts/{target}"))?;
        let (kept, seeds) = (
            folder().join("corpus").join(target),
            self.seeds.join(target),
        );
        let mut fuzz = self.program(target)?;
        fuzz.arg(format!("-max_total_time={seconds}"))
            .args([
                "-seed=1",
                "-max_len=32768",
                "-timeout=20",
                "-rss_limit_mb=2048",
                "-print_final_stats=1",
                "-verbosity=1",
            ])
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .arg(corpus)
            .args([&kept, &seeds].into_iter().filter(|folder| folder.is_dir()));
        let limit = Duration::from_secs(seconds * 2 + 120);
        let finished = Step::new(&format!("Fuzz {target}"))
            .limit(limit)
            .tail(30)
            .attempt(&mut fuzz)?;
        let output = String::from_utf8_lossy(&std::fs::read(&finished.log)?).into_owned();
        if !finished.status.success() {
            let program = self.programs.join(target);
            bail!(
                "{target} found something: {}\nIts input is in {}; to see it again: {} FILE",
                panicked(&output),
                artifacts.display(),
                program.display()
            );
        }
        Ok(summary(&output))
    }

    fn program(&self, target: &str) -> Result<Command> {
        let mut program = Command::new(self.programs.join(target));
        program.env("MLFLOW_LOGGER_PLUGIN", paths::plugin()?);
        Ok(program)
    }

    /// Adds what covers more to the corpus of the repository.
    fn keep(&self, target: &str) -> Result<()> {
        let kept = folder().join("corpus").join(target);
        std::fs::create_dir_all(&kept)?;
        let mut merge = self.program(target)?;
        merge
            .args(["-merge=1", "-max_len=4096"])
            .arg(&kept)
            .arg(self.seeds.join(target))
            .arg(paths::target_dir(&format!("fuzz/corpus/{target}"))?);
        Step::new(&format!("Reduce the corpus of {target}")).run(&mut merge)?;
        Ok(())
    }
}

/// What a run says at its end.
fn summary(output: &str) -> String {
    let number = |label: &str| {
        let after = output.split(label).last().unwrap_or_default();
        let digits = after
            .trim_start()
            .split(|c: char| !c.is_ascii_digit())
            .next();
        digits.unwrap_or_default().to_owned()
    };
    let (runs, cover) = (number("number_of_executed_units:"), number("cov: "));
    format!("{runs} inputs, {cover} places of the code covered")
}

fn panicked(output: &str) -> String {
    let lines: Vec<_> = output.lines().collect();
    let at = lines
        .iter()
        .position(|line| line.contains("panicked at") || line.contains("ERROR:"));
    let at = at.unwrap_or(lines.len().saturating_sub(5));
    lines[at..]
        .iter()
        .take(4)
        .copied()
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_are_those_of_the_manifest() {
        let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).unwrap();
        for target in TARGETS {
            assert!(
                manifest.contains(&format!("name = \"{target}\"")),
                "{target}"
            );
        }
        assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
    }

    #[test]
    fn a_run_is_summed_up() {
        let output = "#7 INITED cov: 12 ft: 3\n#99 DONE   cov: 45 ft: 6\nstat::number_of_executed_units: 99\n";
        assert_eq!(summary(output), "99 inputs, 45 places of the code covered");
        assert!(panicked("a\nthread panicked at x:\nno\n").starts_with("thread panicked"));
    }
}
