//! The protobuf encoding by hand against prost, both inside the sandbox: why `guest/core/src/otlp` is
//! written as it is.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow};
use cpu_time::ThreadTime;
use wasmtime::{Engine, Instance, Module, Store};

use crate::Effort;
use crate::row::{Group, Row};

/// Measures both in turns; the best round of each counts.
pub fn rows(module: &Path, effort: &Effort) -> Result<Vec<Row>> {
    let spans = u32::try_from(effort.of(20_000))?;
    let row = run(module, effort.rounds, spans);
    let row = row.map_err(|error| anyhow!("{}: {error:?}", module.display()))?;
    Ok(vec![row])
}

fn run(module: &Path, rounds: usize, spans: u32) -> wasmtime::Result<Row> {
    let engine = Engine::default();
    let module = Module::from_file(&engine, module)?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let mut best = [Duration::MAX; 2];
    let mut written = [0; 2];
    for _ in 0..=rounds {
        for (index, name) in ["hand", "prost"].into_iter().enumerate() {
            let encode = instance.get_typed_func::<u32, u64>(&mut store, name)?;
            let begun = ThreadTime::now();
            written[index] = encode.call(&mut store, spans)?;
            best[index] = best[index].min(begun.elapsed());
        }
    }
    if written[0] != written[1] {
        return Err(wasmtime::Error::msg("the encoders do not write the same"));
    }
    let [hand, prost] = best.map(|time| time.as_secs_f64() * 1e6 / f64::from(spans));
    let bytes = written[0] / u64::from(spans);
    Ok(Row::new(
        Group::Encoding,
        format!("a span of {bytes} bytes with 18 attributes and 4 events, in the sandbox: CPU"),
        "µs",
        ("prost", prost),
        ("by hand", hand),
    ))
}
