//! What goes over the wire: bytes an event in batches, by gzip's level, and what compressing them takes.

use std::io::Write;

use anyhow::Result;
use cpu_time::ThreadTime;
use e2e::events::{chat_of, stream_of};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::row::{Group, Row};
use crate::turns::{Contender, best};
use crate::workload::{KIB, Workload};
use crate::{Effort, micros, native};

/// Spans of a batch, unless settings say otherwise.
const BATCH: usize = 256;

/// The level that the core uses.
const LEVEL: u32 = logger_core::otlp::request::LEVEL;

/// Levels that are compared.
const LEVELS: [u32; 5] = [1, 2, 3, 6, 9];

/// Each kind of batch at each level, against what is not compressed; and what a level takes, against the core's own.
pub fn rows(effort: &Effort) -> Result<Vec<Row>> {
    let calls = effort.of(BATCH).max(32);
    let mut rows = Vec::new();
    for workload in [
        Workload::new("small chat calls", calls, chat_of(0)),
        Workload::new("chat calls of 32 KiB", calls / 8, chat_of(32 * KIB)),
        Workload::new("streams of 50 chunks", calls / 8, stream_of(50)),
    ] {
        let bodies = native::bodies(&workload, BATCH)?;
        let plain: usize = bodies.iter().map(Vec::len).sum();
        let taken = best(
            effort.rounds,
            LEVELS.map(|level| {
                let bodies = &bodies;
                let round = move || {
                    let begun = ThreadTime::now();
                    gzipped(bodies, level)?;
                    Ok(begun.elapsed())
                };
                Box::new(round) as Contender<'_>
            }),
        )?;
        let calls = workload.calls as f64;
        let own = LEVELS.iter().position(|level| *level == LEVEL).unwrap_or(0);
        for (level, time) in LEVELS.into_iter().zip(taken) {
            let size = gzipped(&bodies, level)?;
            rows.push(Row::new(
                Group::Batches,
                format!("{}: bytes a call", workload.name),
                "bytes",
                (format!("gzip {level}"), size as f64 / calls),
                ("plain", plain as f64 / calls),
            ));
            if level != LEVEL {
                rows.push(Row::new(
                    Group::Batches,
                    format!("{}: CPU to compress a call, native", workload.name),
                    "µs",
                    (format!("gzip {level}"), micros(time) / calls),
                    (format!("gzip {LEVEL}"), micros(taken[own]) / calls),
                ));
            }
        }
    }
    Ok(rows)
}

fn gzipped(bodies: &[Vec<u8>], level: u32) -> Result<usize> {
    let mut size = 0;
    for body in bodies {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::new(level));
        gzip.write_all(body)?;
        size += gzip.finish()?.len();
    }
    Ok(size)
}
