//! The protobuf encoding by hand against prost, both inside the sandbox: why `guest/core/src/otlp` is
//! written as it is.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow};
use cpu_time::ThreadTime;
use serde::Serialize;
use wasmtime::{Engine, Instance, Module, Store};

/// What encoding one span costs.
#[derive(Clone, Debug, Serialize)]
pub struct Encoding {
    /// The encoded span's size.
    pub bytes: u64,
    /// Microseconds of CPU by hand.
    pub hand_us: f64,
    /// Microseconds of CPU with prost.
    pub prost_us: f64,
    /// The second by the first.
    pub ratio: f64,
}

/// Measures both in turns; the best round of each counts.
pub fn measure(module: &Path, rounds: u32, spans: u32) -> Result<Encoding> {
    run(module, rounds, spans).map_err(|error| anyhow!("{}: {error:?}", module.display()))
}

fn run(module: &Path, rounds: u32, spans: u32) -> wasmtime::Result<Encoding> {
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
    let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(spans);
    Ok(Encoding {
        bytes: written[0] / u64::from(spans),
        hand_us: each(best[0]),
        prost_us: each(best[1]),
        ratio: best[1].as_secs_f64() / best[0].as_secs_f64(),
    })
}
