//! `cargo xtask demo`: the main job, from nothing to traces in a real MLflow.

mod envoy;
mod live;
mod show;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use e2e::events::{self, Call};
use e2e::parent::Parent;
use e2e::{Gateway, Mlflow, Python, Replay, Step, paths};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::{cargo, dist};

pub use envoy::run as run_envoy;

/// Where the demo's traces go.
const EXPERIMENT: &str = "demo";

/// Shows it all. With `once`, MLflow ends with the demo; otherwise it runs on until ctrl-c.
pub fn run(once: bool) -> Result<ExitCode> {
    dist::build()?;
    cargo::build_gateway()?;
    let python = Python::prepare()?;
    let mut mlflow = Step::new("Start MLflow").during(|| Mlflow::start(&python))?;
    let gateway = Gateway::find()?;

    let as_sent = good_calls(&gateway, &mlflow)?;
    bad_lines(&gateway, &mlflow)?;
    let live = live::run(&gateway, &mlflow)?;
    let address = address(&mlflow, EXPERIMENT)?;
    if once {
        println!("\nThey were at {address}; without --once MLflow keeps running there.");
    } else {
        println!("\nLook at them in MLflow: {address}\nctrl-c ends it.");
        wait_for_interrupt(&mut mlflow)?;
    }
    Step::new("Stop MLflow").during(|| {
        drop(mlflow);
        Ok(())
    })?;
    Ok(if as_sent && live {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Logs the demo's calls and shows what MLflow then holds; says whether that is what was sent.
fn good_calls(gateway: &Gateway, mlflow: &Mlflow) -> Result<bool> {
    let open = || Parent::open(mlflow, EXPERIMENT, "shop-assistant");
    let parent = Step::new("Open a parent span with MLflow's own client").during(open)?;
    let now = now()?;
    let calls = events::demo(&format!("demo-{now:x}"), now, parent.traceparent());

    let file = paths::target_dir("demo")?.join("calls.jsonl");
    let replay = replay(gateway, mlflow, &file, &events::jsonl(&calls))?;
    if replay.code != Some(0) {
        bail!("the gateway did not deliver everything:\n{}", replay.stderr);
    }
    Step::new("End the parent span").during(|| parent.end())?;

    let read = || mlflow.traces(EXPERIMENT);
    let traces = Step::new("Read the traces back with MLflow's own client").during(read)?;
    println!("\nWhat MLflow holds, as its own client reads it:\n");
    for trace in &traces {
        println!("{}", show::trace(trace));
    }
    let compare = |call: &Call| call.expected.differences(&traces);
    let differences: Vec<_> = calls.iter().flat_map(compare).collect();
    for difference in &differences {
        println!("NOT AS SENT  {difference}");
    }
    if differences.is_empty() {
        println!(
            "All {} calls were read back exactly as sent, field by field.",
            calls.len()
        );
    }
    Ok(differences.is_empty())
}

/// Shows what becomes of lines that are no events, and of their neighbour that is one.
fn bad_lines(gateway: &Gateway, mlflow: &Mlflow) -> Result<()> {
    let good = events::jsonl(&[events::embedding("demo-neighbour", now()?)]);
    let text = format!("this is not JSON\n{{\"hook\":\"success\"}}\n{good}");
    let file = paths::target_dir("demo")?.join("broken.jsonl");
    println!("\nA file in which only the third line is an event:");
    let replay = replay(gateway, mlflow, &file, &text)?;
    for rejection in &replay.report.rejected {
        println!("  line {}: {}", rejection.line, rejection.reason);
    }
    let lines = replay.report.rejected_lines();
    if replay.code != Some(3) || lines != [1, 2] || replay.report.delivered != 1 {
        bail!(
            "lines 1 and 2 should have been rejected and line 3 delivered:\n{}",
            replay.stderr
        );
    }
    Ok(())
}

/// Writes a file and replays it, telling both what is run and what it said.
fn replay(gateway: &Gateway, mlflow: &Mlflow, file: &Path, text: &str) -> Result<Replay> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    let uri = mlflow.uri();
    println!(
        "\n$ mlflow-gateway replay {} --tracking-uri {uri} --experiment-name {EXPERIMENT}",
        file.display()
    );
    let replay = gateway.replay(file, &uri, EXPERIMENT, &[])?;
    let report = &replay.report;
    println!(
        "{} lines, {} delivered, {} rejected, {} traces",
        report.events,
        report.delivered,
        report.rejected.len(),
        report.trace_ids.len()
    );
    Ok(replay)
}

/// Nanoseconds since the epoch.
pub fn now() -> Result<i64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(i64::try_from(now.as_nanos())?)
}

/// Where people see the traces.
fn address(mlflow: &Mlflow, experiment: &str) -> Result<String> {
    let traces = mlflow.trace_infos(experiment)?;
    let trace = traces.first().context("MLflow holds no traces")?;
    let id = &trace.experiment_id;
    Ok(format!("{}/#/experiments/{id}/traces", mlflow.uri()))
}

/// Returns when people have seen enough; an error if MLflow ends before that.
fn wait_for_interrupt(mlflow: &mut Mlflow) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    while signals.pending().next().is_none() {
        mlflow.check()?;
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}
