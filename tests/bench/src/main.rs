//! What the hooks cost, and what logging adds to a gateway's first byte.
//!
//! Of hooks: the CPU time of the calling thread for each event, in the sandboxed component
//! and in the same core compiled natively, measured in turns within one run.
//!
//! A hook decodes, encodes and queues; nothing is sent here. What counts is the ratio: it holds on any
//! machine, while the microseconds are this one's.

mod component;
mod encoder;
mod gateway;
mod native;
mod table;
mod workload;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use serde::Serialize;

use table::Row;
use workload::Workload;

/// All that is measured.
#[derive(Debug, Serialize)]
struct Results {
    /// Each kind of event, through the component's hooks and natively.
    hooks: Vec<Row>,
    /// A span's protobuf within the sandbox, by hand and with prost.
    encoding: encoder::Encoding,
    /// The first byte of a streamed answer through the gateway, not logged and logged.
    first_byte: gateway::FirstByte,
}

/// Settings that send nothing and hold a whole measurement.
const SETTINGS: &str =
    r#"{"tracking_uri":"http://127.0.0.1:9","experiment_id":"0","queue_max_bytes":268435456}"#;

/// Measures the hooks; usually run through `cargo xtask bench`.
#[derive(Parser)]
struct Arguments {
    /// The plugin
    #[arg(long)]
    plugin: PathBuf,
    /// The module with both encoders
    #[arg(long)]
    encoder: PathBuf,
    /// JSON instead of a Markdown table
    #[arg(long)]
    json: bool,
    /// A tenth of the work: to see that it runs
    #[arg(long)]
    quick: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let (rounds, calls, spans, asked) = if arguments.quick {
        (2, 40, 2_000, 200)
    } else {
        (9, 200, 20_000, 4_000)
    };
    let component = component::Component::load(&arguments.plugin)?;
    let rows = workload::all(calls)
        .iter()
        .map(|workload| row(workload, &component, rounds))
        .collect::<Result<Vec<_>>>()?;
    let encoding = encoder::measure(&arguments.encoder, rounds, spans)?;
    let results = Results {
        hooks: rows,
        encoding,
        first_byte: gateway::measure(&arguments.plugin, asked)?,
    };
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&results)?);
    } else {
        print!("{}", table::markdown(&results));
    }
    Ok(())
}

/// Measures one kind of event. The best of several rounds counts: whatever else runs on the machine
/// can make a round slower, never faster.
fn row(workload: &Workload, component: &component::Component, rounds: u32) -> Result<Row> {
    let mut native = Duration::MAX;
    let mut sandboxed = Duration::MAX;
    for _ in 0..rounds {
        native = native.min(native::round(workload)?);
        sandboxed = sandboxed.min(component.round(workload)?);
    }
    let events = workload.events.len() as f64;
    let per_event = |time: Duration| time.as_secs_f64() * 1e6 / events;
    Ok(Row {
        events: workload.name,
        bytes: workload.bytes() / workload.events.len(),
        native_us: per_event(native),
        component_us: per_event(sandboxed),
        ratio: sandboxed.as_secs_f64() / native.as_secs_f64(),
    })
}
