//! What was measured on.

use std::fmt;
use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use serde::Serialize;

/// The machine, its compiler and the day.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Its processor, as the kernel calls it.
    pub cpu: String,
    /// How many threads run at once.
    pub cores: usize,
    /// How many threads ran or waited to, in the mean of the minute before.
    pub load: String,
    /// The day, in UTC.
    pub date: String,
    /// The compiler.
    pub rustc: String,
    /// Whether a tenth of the work was done.
    pub quick: bool,
}

impl Machine {
    /// This one, now.
    pub fn here(quick: bool) -> Self {
        let rustc = Command::new("rustc").arg("--version").output();
        let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        Self {
            cpu: cpu().unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: available_parallelism().map_or(1, usize::from),
            load: load().unwrap_or_else(|| UNKNOWN.to_owned()),
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            rustc: rustc.unwrap_or_else(|_| UNKNOWN.to_owned()),
            quick,
        }
    }
}

const UNKNOWN: &str = "unknown";

fn cpu() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let name = info.lines().find(|line| line.starts_with("model name"))?;
    Some(name.split_once(':')?.1.trim().to_owned())
}

fn load() -> Option<String> {
    let loads = fs::read_to_string("/proc/loadavg").ok()?;
    loads.split(' ').next().map(str::to_owned)
}

impl fmt::Display for Machine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cpu,
            cores,
            load,
            date,
            rustc,
            quick,
        } = self;
        let run = if *quick {
            "a `--quick` run"
        } else {
            "a full run"
        };
        write!(
            out,
            "{cpu}, {cores} cores, load {load} when it began; {rustc}; {date}; {run}"
        )
    }
}
