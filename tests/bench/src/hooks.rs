//! The hooks: decode, encode and queue; nothing is sent. The CPU time of the calling thread, in the sandbox with all that
//! the host does around it, and in the same core compiled natively.

use anyhow::Result;
use e2e::events::{self, chat_of, stream_of};

use crate::component::Component;
use crate::native;
use crate::row::{Bound, Group, Measured, Row};
use crate::steady::Steady;
use crate::turns::best;
use crate::workload::{KIB, Workload};
use crate::{Effort, micros};

/// What the sandbox may cost.
const WASM: f64 = 1.6;

/// What a small event may take in the sandbox, in microseconds.
const SMALL_US: f64 = 20.0;

/// Measures each kind of event.
pub fn rows(component: &Component, effort: &Effort) -> Result<Vec<Row>> {
    let calls = effort.of(200);
    let workloads = [
        Workload::new("chat call", calls, chat_of(0)),
        Workload::new("chat call", calls, chat_of(4 * KIB)),
        Workload::new("chat call", calls / 4, chat_of(32 * KIB)),
        Workload::new("chat call", calls / 16 + 1, chat_of(256 * KIB)),
        Workload::new("chunk of a stream", calls / 8 + 1, stream_of(50)),
        Workload::new("chunk with tool calls", calls / 4, events::tool_stream),
        Workload::new("failed call", calls, events::failure),
        Workload::new("embedding", calls, events::embedding),
    ];
    let steady = Steady::start()?;
    let mut rows = Vec::new();
    for (index, workload) in workloads.iter().enumerate() {
        let what = format!("{}, {} bytes", workload.name, workload.bytes_each());
        let [sandboxed, plain] = best(
            effort.rounds,
            [
                steady.component(component, workload)?,
                steady.native(workload)?,
            ],
        )?;
        let each = |time| micros(time) / workload.events.len() as f64;
        let row = Row::new(
            Group::Hooks,
            format!("{what}: CPU an event"),
            "µs",
            ("component", each(sandboxed)),
            ("native", each(plain)),
        );
        rows.push(row.clone().at_most(WASM));
        if index == 0 {
            rows.push(row.goal(Measured::One, Bound::AtMost, SMALL_US));
        }
        rows.push(allocated(workload, &what)?);
    }
    Ok(rows)
}

/// What a logger that has run for a while allocates for an event.
fn allocated(workload: &Workload, what: &str) -> Result<Row> {
    let mut logger = native::logger()?;
    let mut log = || native::log_all(&mut logger, workload);
    log()?;
    let (logged, taken) = counts::during(log);
    logged?;
    let events = workload.events.len() as f64;
    Ok(Row::new(
        Group::Hooks,
        format!("{what}: memory taken an event"),
        "bytes",
        (
            format!("{:.1} allocations,", taken.count as f64 / events),
            taken.bytes as f64 / events,
        ),
        ("the payload's", workload.bytes_each() as f64),
    ))
}
