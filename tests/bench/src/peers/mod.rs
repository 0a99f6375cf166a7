//! This plugin against other ways to get the same calls into the same MLflow: litellm's own logger and OpenTelemetry's exporter.
//!
//! Each logs the same calls, and is done when MLflow has them. What counts is the CPU time of the process that logs, the time that
//! whoever made the call has to wait, and how long it takes until MLflow has all. At the end MLflow has to hold every trace.

mod ours;
mod python;
mod telemetry;

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::events::{Call, chat_of, stream_of};
use e2e::{Mlflow, Python};

use crate::component::Component;
use crate::row::{Bound, Group, Measured, Row};
use crate::workload::KIB;
use crate::{Effort, micros};
use ours::{Native, Queued, Sandboxed};
use python::MlflowLogger;
use telemetry::Exporter;

/// How much less CPU than `MlflowLogger` a small event is to take.
const LESS: f64 = 100.0;

/// What a caller may wait for a small event, in microseconds.
const CALLER_US: f64 = 2.0;

/// The share of the time until MLflow has all that the plugin may be busy: MLflow alone is to be the limit.
const BUSY: f64 = 0.05;

/// Something that logs calls to MLflow.
trait Peer {
    /// What it is, in words.
    fn name(&self) -> &'static str;

    /// Logs calls, and returns when MLflow has them.
    fn log(&mut self, calls: &[Call]) -> Result<Taken>;
}

/// What logging took, for all calls together.
#[derive(Clone, Copy, Debug)]
struct Taken {
    /// CPU of the process.
    cpu: Duration,
    /// Time of whoever made the calls.
    caller: Duration,
    /// Time until MLflow had them.
    wall: Duration,
}

/// The least of each, for one call, in microseconds.
#[derive(Clone, Copy, Debug)]
struct Best {
    cpu: f64,
    caller: f64,
    wall: f64,
}

impl Best {
    const NONE: Self = Self {
        cpu: f64::INFINITY,
        caller: f64::INFINITY,
        wall: f64::INFINITY,
    };

    fn add(&mut self, taken: Taken, calls: usize) {
        let each = |time: Duration| micros(time.as_secs_f64()) / calls as f64;
        self.cpu = self.cpu.min(each(taken.cpu));
        self.caller = self.caller.min(each(taken.caller));
        self.wall = self.wall.min(each(taken.wall));
    }
}

/// The order of the peers: this plugin's three forms, then the others.
const SANDBOXED: usize = 0;
const NATIVE: usize = 1;
const QUEUED: usize = 2;
const ASYNCHRONOUS: usize = 3;
const SYNCHRONOUS: usize = 4;
const EXPORTER: usize = 5;

/// All of it.
pub fn rows(component: &Component, effort: &Effort) -> Result<Vec<Row>> {
    let mlflow = Mlflow::start(&Python::prepare()?)?;
    let python = Python::with_litellm()?;
    let uri = mlflow.uri();
    let mut peers: [Box<dyn Peer>; 6] = [
        Box::new(Sandboxed::new(component, &uri)?),
        Box::new(Native::new(&uri)?),
        Box::new(Queued::new(component, &uri)?),
        Box::new(MlflowLogger::start(&python, &uri, true)?),
        Box::new(MlflowLogger::start(&python, &uri, false)?),
        Box::new(Exporter::new(&uri)?),
    ];
    let calls = calls(effort);
    let rounds = if effort.quick { 1 } else { 3 };
    let mut rows = Vec::new();
    for (what, call) in [
        ("small chat call", &chat_of(0) as &dyn Fn(&str, i64) -> Call),
        ("chat call of 32 KiB", &chat_of(32 * KIB)),
        ("stream of 50 chunks", &stream_of(50)),
    ] {
        let best = compare(&mut peers, what, call, calls, rounds)?;
        rows.extend(table(&peers, what, &best));
    }
    let sent = peers.len() * 3 * calls * (rounds + 1);
    drop(peers);
    let held = mlflow.trace_infos("Default")?.len();
    ensure!(held == sent, "of {sent} calls MLflow holds {held}");
    Ok(rows)
}

/// What a chat call of so many bytes takes `MlflowLogger`, in microseconds of CPU.
pub fn mlflow_logger(uri: &str, bytes: usize, effort: &Effort) -> Result<f64> {
    let mut logger = MlflowLogger::start(&Python::with_litellm()?, uri, true)?;
    let calls = calls(effort);
    let mut best = Best::NONE;
    for round in 0..3 {
        let made = made(&format!("alone {round}"), calls, &chat_of(bytes));
        let taken = logger.log(&made)?;
        // The first round does not count.
        if round > 0 {
            best.add(taken, calls);
        }
    }
    Ok(best.cpu)
}

/// How many calls are logged at a time.
fn calls(effort: &Effort) -> usize {
    if effort.quick { 16 } else { 128 }
}

/// So many calls with ids of their own, a second apart.
fn made(id: &str, calls: usize, call: &dyn Fn(&str, i64) -> Call) -> Vec<Call> {
    let begin = |n: usize| now() - (n as i64 + 1) * 1_000_000_000;
    let calls = (0..calls).map(|n| call(&format!("{id} {n}"), begin(n)));
    calls.collect()
}

/// Has the peers log in turns. The first round does not count: connections open, caches fill.
fn compare(
    peers: &mut [Box<dyn Peer>; 6],
    what: &str,
    call: &dyn Fn(&str, i64) -> Call,
    calls: usize,
    rounds: usize,
) -> Result<[Best; 6]> {
    let mut best = [Best::NONE; 6];
    for round in 0..=rounds {
        for turn in 0..peers.len() {
            let which = (round + turn) % peers.len();
            // Each call is logged once: MLflow has less to do where it knows it.
            let made = made(&format!("{what} {which} {round}"), calls, call);
            let taken = peers[which].log(&made)?;
            if round > 0 {
                best[which].add(taken, calls);
            }
        }
    }
    Ok(best)
}

fn table(peers: &[Box<dyn Peer>; 6], what: &str, best: &[Best; 6]) -> Vec<Row> {
    let small = what.starts_with("small");
    let row = |measure: &str, unit, of: fn(&Best) -> f64, one: usize, other: usize| {
        let side = |index: usize| (peers[index].name(), of(&best[index]));
        let what = format!("{what}: {measure}");
        Row::new(Group::Peers, what, unit, side(one), side(other))
    };
    let cpu = |one, other| row("CPU a call", "µs", |best| best.cpu, one, other);
    let caller = |one, other| row("the caller's time", "µs", |best| best.caller, one, other);
    let rate = |one, other| {
        row(
            "until MLflow has it",
            "traces/s",
            |best| 1e6 / best.wall,
            one,
            other,
        )
    };
    let goal = |row: Row| if small { row.at_least(LESS) } else { row };
    let queued = caller(QUEUED, SANDBOXED);
    let busy = &best[SANDBOXED];
    vec![
        goal(cpu(ASYNCHRONOUS, SANDBOXED)),
        goal(cpu(SYNCHRONOUS, SANDBOXED)),
        cpu(EXPORTER, SANDBOXED),
        cpu(SANDBOXED, NATIVE),
        cpu(QUEUED, SANDBOXED),
        caller(ASYNCHRONOUS, QUEUED),
        caller(SYNCHRONOUS, QUEUED),
        caller(EXPORTER, QUEUED),
        if small {
            queued.goal(Measured::One, Bound::AtMost, CALLER_US)
        } else {
            queued
        },
        rate(SANDBOXED, ASYNCHRONOUS),
        rate(SANDBOXED, SYNCHRONOUS),
        rate(SANDBOXED, EXPORTER),
        Row::new(
            Group::Peers,
            format!("{what}: the plugin's share of the time until MLflow has it"),
            "µs",
            ("its CPU", busy.cpu),
            ("all of the time", busy.wall),
        )
        .at_most(BUSY),
    ]
}

/// Nanoseconds since 1970.
fn now() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
