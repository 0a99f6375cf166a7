//! Which compiler builds the guests, whose target rustup does not install by itself.
//!
//! The compiler that builds everything else does if it has the target's standard library, or can get it
//! from rustup. Where it cannot, Debian's compiler comes with the standard library's sources and builds
//! that as well; its version has nothing to do with the other one's, so neither sees the other's
//! environment or build directory.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use e2e::step::{Step, succeeds};
use e2e::{debian, paths};

use crate::cargo;

/// The guests' target.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// How long rustup may take to say that it cannot install a target.
const RUSTUP: Duration = Duration::from_secs(60);

/// What Debian's compiler needs to build for the target.
const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];

/// Where crates are optimised together, only what is small is copied into its callers: what is hot has been copied
/// within its crate, and a seventh of the code is nothing but copies else, for no gain in time.
const LINKING: &str = "-Cllvm-args=-inline-threshold=50";

/// A compiler that can build guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toolchain {
    /// The one that builds everything else.
    Ours,
    /// Debian's, in /usr/bin, building the standard library from source.
    Debian,
}

/// Picks a compiler, says which, and installs what it lacks.
pub fn pick() -> Result<Toolchain> {
    let (toolchain, why) = choose()?;
    eprintln!("Guest toolchain: {why}");
    Ok(toolchain)
}

fn choose() -> Result<(Toolchain, &'static str)> {
    if has_target() {
        return Ok((
            Toolchain::Ours,
            "the one in use, which has the target wasm32-unknown-unknown",
        ));
    }
    let debian = (
        Toolchain::Debian,
        "Debian's, with the standard library built from source, as the one in use has no target wasm32-unknown-unknown",
    );
    if debian_is_complete() {
        return Ok(debian);
    }
    if succeeds(Command::new("rustup").arg("--version")) {
        let mut add = Command::new("rustup");
        add.args(["target", "add", TARGET]);
        let step = Step::new("Ask rustup for the guest target").limit(RUSTUP);
        if step.attempt(&mut add)?.status.success() && has_target() {
            return Ok((
                Toolchain::Ours,
                "the one in use, to which rustup added the target wasm32-unknown-unknown",
            ));
        }
    }
    debian::install(&PACKAGES, "a compiler for wasm32-unknown-unknown")
        .context("the guests need the target wasm32-unknown-unknown; `rustup target add wasm32-unknown-unknown` did not give it")?;
    Ok(debian)
}

/// Whether the compiler in use has the target's standard library.
fn has_target() -> bool {
    let print = Command::new(rustc())
        .args(["--print=target-libdir", "--target", TARGET])
        .current_dir(paths::root())
        .output();
    let Ok(print) = print else { return false };
    let directory = PathBuf::from(String::from_utf8_lossy(&print.stdout).trim());
    let Ok(files) = directory.read_dir() else {
        return false;
    };
    let mut names = files.flatten().map(|file| file.file_name());
    names.any(|name| name.to_string_lossy().starts_with("libstd-"))
}

fn rustc() -> OsString {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
}

fn debian_is_complete() -> bool {
    let files = [
        "/usr/bin/cargo",
        "/usr/bin/rustc",
        "/usr/lib/rustlib/src/rust/library/std/Cargo.toml",
    ];
    files.iter().all(|file| Path::new(file).exists()) && debian_linker().is_some()
}

/// The linker, which Debian installs under its version's name, and rustc would look for as `rust-lld`.
fn debian_linker() -> Option<PathBuf> {
    let version = |name: &str| name.strip_prefix("wasm-ld-")?.parse::<u32>().ok();
    let names = Path::new("/usr/bin").read_dir().ok()?.flatten();
    let versions = names.filter_map(|file| version(&file.file_name().to_string_lossy()));
    let newest = versions.max()?;
    Some(Path::new("/usr/bin").join(format!("wasm-ld-{newest}")))
}

impl Toolchain {
    /// A command that builds a guest package of a checkout into a target directory.
    pub fn build(self, root: &Path, target: &Path, package: &str) -> Result<Command> {
        let mut command = match self {
            Self::Ours => Command::new(paths::cargo()),
            Self::Debian => debian_cargo(),
        };
        command
            .args(["rustc", "--locked", "--profile=guest", "--target", TARGET])
            .args(["--lib", "-p", package, "--target-dir"])
            .arg(target)
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags(root))
            .env_remove("RUSTFLAGS")
            .current_dir(root);
        if self == Self::Debian {
            let linker = debian_linker().context("no wasm-ld in /usr/bin: install lld")?;
            command
                .arg("-Zbuild-std=std,panic_abort")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        command.args(["--", LINKING]);
        Ok(command)
    }

    /// Flags that keep this machine's paths out of the guests: the same sources give the same bytes. And vectors of 128
    /// bits, which every engine with the component model has, and every proxy's V8.
    fn flags(self, root: &Path) -> String {
        let mut remaps = vec![(root.to_owned(), ".")];
        if let Ok(indexes) = cargo_home().join("registry/src").read_dir() {
            let mut indexes: Vec<_> = indexes.flatten().map(|index| index.path()).collect();
            indexes.sort();
            remaps.extend(indexes.into_iter().map(|index| (index, "/crates")));
        }
        if self == Self::Debian {
            let library = Path::new("/usr/lib/rustlib/src/rust");
            let real = library.canonicalize();
            remaps.extend(real.ok().map(|path| (path, "/rust")));
            remaps.push((library.to_owned(), "/rust"));
        }
        let remaps = remaps
            .into_iter()
            .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
        let flags = std::iter::once("-Ctarget-feature=+simd128".to_owned()).chain(remaps);
        flags.collect::<Vec<_>>().join("\u{1f}")
    }
}

/// Cargo's own directory.
pub fn cargo_home() -> PathBuf {
    let home = || std::env::home_dir().unwrap_or_default().join(".cargo");
    std::env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from)
}

/// Debian's cargo, with nothing of what the cargo that runs us left in the environment.
fn debian_cargo() -> Command {
    const LEFT: [&str; 4] = [
        "RUST_RECURSION_COUNT",
        "RUSTDOC",
        "LD_LIBRARY_PATH",
        "CARGO",
    ];
    const LEFT_PREFIXES: [&str; 4] = ["CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_TARGET_", "RUSTUP_"];
    let mut command = Command::new("/usr/bin/cargo");
    cargo::forget_package(&mut command);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if LEFT.contains(&&*text) || LEFT_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    let mut path = OsString::from("/usr/bin:");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    command
        .env("PATH", path)
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1");
    command
}
