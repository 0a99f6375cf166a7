//! What logging a call costs: against other ways to log it, in the sandbox against natively, as events and streams grow,
//! at the start, and in a gateway.
//!
//! Every row holds one thing against another that was measured in turns with it, within one run, on the same work. What
//! counts is the ratio: it holds on any machine, while the microseconds are this one's.

mod batches;
mod component;
mod encoding;
mod envoy;
mod gateway;
mod growth;
mod hooks;
mod machine;
mod native;
mod peers;
mod row;
mod start;
mod steady;
mod table;
mod turns;
mod workload;

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use e2e::Step;
use serde_json::json;

use component::Component;
use machine::Machine;
use row::Group;

#[global_allocator]
static ALLOCATOR: counts::Counting = counts::Counting;

/// Settings that send nothing and hold a whole measurement.
const SETTINGS: &str =
    r#"{"tracking_uri":"http://127.0.0.1:9","experiment_id":"0","queue_max_bytes":268435456}"#;

/// Measures; usually run through `cargo xtask bench`.
#[derive(Parser)]
struct Arguments {
    /// The plugin
    #[arg(long)]
    plugin: PathBuf,
    /// The module with both encoders
    #[arg(long)]
    encoder: PathBuf,
    /// What to measure
    #[arg(long, value_enum)]
    only: Vec<Group>,
    /// JSON instead of a Markdown table
    #[arg(long)]
    json: bool,
    /// Write to this file as well: JSON where it ends in `.json`, else Markdown
    #[arg(long)]
    out: Option<PathBuf>,
    /// A tenth of the work: to see that it runs
    #[arg(long)]
    quick: bool,
}

/// How much work a measurement does.
struct Effort {
    /// Rounds of which the best counts.
    rounds: usize,
    quick: bool,
}

impl Effort {
    /// So much of a full measurement's work.
    fn of(&self, full: usize) -> usize {
        if self.quick { full.div_ceil(10) } else { full }
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let effort = Effort {
        rounds: if arguments.quick { 2 } else { 9 },
        quick: arguments.quick,
    };
    if let Some(path) = &arguments.out {
        // Not after all has been measured.
        let file = File::options().create(true).append(true).open(path);
        file.with_context(|| format!("cannot write {} (--out)", path.display()))?;
    }
    let machine = Machine::here(arguments.quick);
    let component = Component::load(&arguments.plugin)?;
    let mut rows = Vec::new();
    for group in &arguments.only {
        let step = Step::new(&format!("Measure: {group:?}").to_lowercase());
        rows.extend(step.during(|| match group {
            Group::Peers => peers::rows(&component, &effort),
            Group::Hooks => hooks::rows(&component, &effort),
            Group::Growth => growth::rows(&component, &effort),
            Group::Batches => batches::rows(&effort),
            Group::Encoding => encoding::rows(&arguments.encoder, &effort),
            Group::Start => start::rows(&component, &effort),
            Group::Gateway => gateway::rows(&component, &effort),
            Group::Envoy => envoy::rows(&effort),
        })?);
    }
    let json = json!({"machine": machine, "rows": rows});
    let json = serde_json::to_string_pretty(&json)?;
    let table = format!("{machine}\n\n{}", table::markdown(&rows));
    println!("{}", if arguments.json { &json } else { &table });
    if let Some(path) = &arguments.out {
        let as_json = path
            .extension()
            .is_some_and(|extension| extension == "json");
        let text = if as_json { &json } else { &table };
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Seconds in microseconds.
fn micros(seconds: f64) -> f64 {
    seconds * 1e6
}

/// The value in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    turns::quantile(&mut values, 0.5)
}
