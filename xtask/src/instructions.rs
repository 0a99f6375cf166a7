//! The instructions of the core's hot paths, counted by callgrind and held against what `tests/instructions.toml` keeps.
//!
//! Time is never the same twice, least of all on a machine that others use as well; counts are. They are of the core's own code
//! alone, compiled as in the sandbox but for this machine: what the C library does for it differs between machines, and shows
//! in the allocations, which are counted too. Another compiler makes other code, so the file says whose counts it holds.

mod callgrind;
mod kept;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use e2e::events::{Call, chat_of, prose, stream_of};
use e2e::{Step, debian, paths, step};
use serde_json::Value;

use crate::cargo;
use kept::{Counts, Kept};

/// A hot path.
struct Case {
    /// What the file calls it.
    name: &'static str,
    /// What the program calls what it does.
    path: &'static str,
    /// What it does that to.
    lines: Vec<String>,
}

const KIB: usize = 1024;

fn cases() -> [Case; 7] {
    let case = |name, path, lines| Case { name, path, lines };
    let calls = |count: i64, call: &dyn Fn(&str, i64) -> Call| {
        let calls = (0..count).flat_map(|n| call(&format!("call-{n}"), n).lines);
        calls.collect::<Vec<Value>>()
    };
    let text = |lines: Vec<Value>| lines.iter().map(Value::to_string).collect();
    let mut chunks = calls(1, &stream_of(64));
    chunks.pop();
    let on_the_wire = chunks.iter().map(|line| line["response_obj"].to_string());
    let on_the_wire = on_the_wire.collect();
    // What somebody may send who wants it to take long.
    let begins = ["sk-", "SG.", "glc_", "Bearer:"];
    let begins = begins.map(|begin| begin.repeat(32 * KIB / begin.len()));
    let texts = (0..4).map(|seed| prose(32 * KIB, seed).replace('\n', " "));
    [
        case("chat-call", "success", text(calls(64, &chat_of(0)))),
        case(
            "chat-call-of-32-kib",
            "success",
            text(calls(8, &chat_of(32 * KIB))),
        ),
        case("chunk-through-the-hook", "stream", text(chunks)),
        case("chunk-on-the-wire", "wire", on_the_wire),
        case("secrets-in-32-kib", "redact", texts.collect()),
        case("beginnings-of-secrets-in-32-kib", "redact", begins.into()),
        case("call-of-a-batch", "batch", text(calls(64, &chat_of(0)))),
    ]
}

/// Counts, and tells of each case whether it has kept to its counts.
pub fn check(mut tell: impl FnMut(&str, Result<()>)) {
    let title = "the core's instructions";
    if let Some(why) = unsupported() {
        println!("Skipped: {title}, because {why}");
        return;
    }
    let read = Kept::read(&file()).and_then(|kept| Ok((kept, compiler()?)));
    let (kept, compiler) = match read {
        Ok(read) => read,
        Err(error) => return tell(title, Err(error)),
    };
    if kept.compiler != compiler {
        let of = &kept.compiler;
        println!("Skipped: {title}, because the counts kept are of {of}, and here is {compiler}");
        return;
    }
    match count() {
        Ok(counted) => {
            for (name, counts) in counted {
                tell(name, kept.compare(name, counts));
            }
        }
        Err(error) => tell(title, Err(error)),
    }
}

/// Counts, and keeps the counts.
pub fn update() -> Result<()> {
    if let Some(why) = unsupported() {
        bail!("they cannot be counted: {why}");
    }
    let compiler = compiler()?;
    let counted = count()?.into_iter();
    let counts = counted.map(|(name, counts)| (name.to_owned(), counts));
    let kept = Kept {
        compiler,
        counts: counts.collect(),
    };
    kept.write(&file())?;
    print!("{kept}");
    Ok(())
}

fn file() -> PathBuf {
    paths::root().join("tests/instructions.toml")
}

fn unsupported() -> Option<&'static str> {
    let here = cfg!(all(target_os = "linux", target_arch = "x86_64"));
    (!here).then_some("they are of Linux on x86-64")
}

fn compiler() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut rustc = Command::new(rustc);
    let output = rustc.arg("--version").current_dir(paths::root()).output();
    let output = output.context("rustc does not start")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn count() -> Result<Vec<(&'static str, Counts)>> {
    if !step::succeeds(Command::new("valgrind").arg("--version")) {
        debian::install(&["valgrind"], "valgrind")?;
    }
    let program = build()?;
    let directory = tempfile::tempdir()?;
    let step = Step::new("Count the core's instructions");
    step.during(|| {
        let cases = cases().into_iter();
        let counted = cases.map(|case| Ok((case.name, run(&program, &case, directory.path())?)));
        counted.collect()
    })
}

/// Neither the environment nor other builds change the code.
fn build() -> Result<PathBuf> {
    let target = paths::target()?.join("instructions");
    let mut build = cargo::command(["build", "--locked", "--profile=instructions"]);
    build
        .args([
            "-p",
            "bench-counts",
            "--bin",
            "instructions",
            "--target-dir",
        ])
        .arg(&target)
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-cpu=x86-64")
        .env_remove("RUSTFLAGS");
    Step::new("Build the core for callgrind").run(&mut build)?;
    Ok(target.join("instructions/instructions"))
}

fn run(program: &Path, case: &Case, directory: &Path) -> Result<Counts> {
    let [input, profile] = ["lines", "callgrind"].map(|name| directory.join(name));
    fs::write(&input, case.lines.join("\n"))?;
    let mut callgrind = Command::new("valgrind");
    callgrind
        .args(["--tool=callgrind", "--toggle-collect=counted"])
        .args(["--compress-strings=no", "--compress-pos=no"])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(program)
        .arg(case.path)
        .arg(&input);
    let output = callgrind.output().context("valgrind does not start")?;
    if !output.status.success() {
        bail!("{}: {}", case.name, String::from_utf8_lossy(&output.stderr));
    }
    let said = String::from_utf8(output.stdout)?;
    let said = said.split_whitespace().map(str::parse);
    let [runs, allocations, bytes] = said.collect::<Result<Vec<u64>, _>>()?[..] else {
        bail!("{}: the program said something else", case.name);
    };
    let profile = fs::read_to_string(&profile)?;
    let instructions = callgrind::instructions_of(&profile, program);
    if runs == 0 || instructions == 0 {
        bail!("{}: nothing was counted", case.name);
    }
    Ok(Counts {
        instructions: instructions / runs,
        allocations: allocations / runs,
        allocated_bytes: bytes / runs,
    })
}
