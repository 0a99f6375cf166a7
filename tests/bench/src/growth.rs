//! How costs grow: with the size of events, with the length and the number of streams, with instances.

use std::time::Instant;

use anyhow::{Result, anyhow};
use e2e::events::{chat_of, prose, stream_of};
use host_example::{CodeCache, Limits};

use crate::component::{self, Component};
use crate::row::{Bound, Group, Measured, Row};
use crate::steady::Steady;
use crate::turns::best;
use crate::workload::{KIB, Workload};
use crate::{Effort, micros};

/// How much more a byte or a chunk may cost where there are many of them.
const FLAT: f64 = 1.25;

/// Streams that are open at a time, each with this much said.
const OPEN: usize = 10_000;
const SAID: usize = KIB;

/// What they may take together.
const MIB: f64 = (1024 * KIB) as f64;
const OPEN_MIB: f64 = 64.0;

/// What a second instance is to bring on two cores.
const TWICE: f64 = 1.8;

/// All of it.
pub fn rows(component: &Component, effort: &Effort) -> Result<Vec<Row>> {
    let mut rows = sizes(component, effort)?;
    rows.extend(lengths(component, effort)?);
    rows.push(open_streams(component)?);
    rows.push(instances(component, effort)?);
    Ok(rows)
}

/// The cost of a KiB in events of growing size, against the one at 16 KiB.
fn sizes(component: &Component, effort: &Effort) -> Result<Vec<Row>> {
    const SIZES: [usize; 5] = [1, 16, 64, 256, 1024];
    const BASE: usize = 16;
    // About as many bytes of each.
    let total = effort.of(16 * 1024);
    let workloads = SIZES.map(|kib| {
        let calls = (total / kib).clamp(1, 2000);
        Workload::new(format!("{kib} KiB"), calls, chat_of(kib * KIB))
    });
    let taken = in_turns(component, effort, &workloads)?;
    let kib = |workload: &Workload| workload.bytes() as f64 / KIB as f64;
    let each = |index: usize| micros(taken[index]) / kib(&workloads[index]);
    let base = SIZES.iter().position(|kib| *kib == BASE).unwrap_or(0);
    let rows = (0..SIZES.len())
        .filter(|index| *index != base)
        .map(|index| {
            let name = &workloads[index].name;
            let row = Row::new(
                Group::Growth,
                format!("an event of {name}: CPU a KiB"),
                "µs",
                ("component", each(index)),
                (format!("at {BASE} KiB"), each(base)),
            );
            // What does not depend on the size weighs more in a small event.
            if SIZES[index] > BASE {
                row.at_most(FLAT)
            } else {
                row
            }
        });
    Ok(rows.collect())
}

/// The cost of a chunk in streams of growing length, against the one of 100.
fn lengths(component: &Component, effort: &Effort) -> Result<Vec<Row>> {
    const LENGTHS: [usize; 4] = [10, 100, 1000, 10_000];
    const BASE: usize = 1;
    let total = effort.of(10_000).max(LENGTHS[3]);
    let workloads =
        LENGTHS.map(|chunks| Workload::new(format!("{chunks}"), total / chunks, stream_of(chunks)));
    let taken = in_turns(component, effort, &workloads)?;
    let each = |index: usize| micros(taken[index]) / workloads[index].events.len() as f64;
    let rows = (0..LENGTHS.len())
        .filter(|index| *index != BASE)
        .map(|index| {
            let row = Row::new(
                Group::Growth,
                format!("a stream of {} chunks: CPU a chunk", LENGTHS[index]),
                "µs",
                ("component", each(index)),
                (format!("of {}", LENGTHS[BASE]), each(BASE)),
            );
            // A call's own cost weighs more in a short stream.
            if index > BASE { row.at_most(FLAT) } else { row }
        });
    Ok(rows.collect())
}

/// The best round of each workload, in seconds.
fn in_turns<const N: usize>(
    component: &Component,
    effort: &Effort,
    workloads: &[Workload; N],
) -> Result<[f64; N]> {
    let steady = Steady::start()?;
    let mut rounds = Vec::new();
    for workload in workloads {
        rounds.push(steady.component(component, workload)?);
    }
    let rounds = rounds.try_into();
    best(effort.rounds, rounds.map_err(|_| anyhow!("a round each"))?)
}

/// The smallest memory in which an instance holds all open streams, to a MiB.
fn open_streams(component: &Component) -> Result<Row> {
    const MEMORY: std::ops::Range<usize> = 8..256;
    // What a call says in its first chunk counts as well: the payload is 1 KiB, most of it prompt.
    let opened = Workload::new("open", OPEN, |id, start| {
        let mut call = stream_of(1)(id, start);
        call.lines.truncate(1);
        let missing = SAID.saturating_sub(call.lines[0].to_string().len());
        call.lines[0]["response_obj"]["choices"][0]["delta"]["content"] =
            prose(missing.max(8), 1).into();
        call.lines[0]["response_obj"]["choices"][0]["finish_reason"] = serde_json::Value::Null;
        call
    });
    let fits = |mib: usize| -> Result<bool> {
        let limits = Limits {
            memory_bytes: mib * 1024 * KIB,
            ..Limits::default()
        };
        let component = Component::load_with(&component.path, limits, CodeCache::User)?;
        let mut logger = component.logger()?;
        let mut events = (0..).zip(&opened.events);
        // Past its memory an instance traps.
        let held = events.try_for_each(|(key, event)| component::log(&mut logger, key, event));
        Ok(held.is_ok() && logger.stats()?.open_calls == OPEN as u64)
    };
    let (mut low, mut high) = (MEMORY.start, MEMORY.end);
    while low + 1 < high {
        let middle = low.midpoint(high);
        if fits(middle)? {
            high = middle;
        } else {
            low = middle;
        }
    }
    let row = Row::new(
        Group::Growth,
        format!("{OPEN} open streams: memory of the instance"),
        "MiB",
        ("component", high as f64),
        ("their payloads", opened.bytes() as f64 / MIB),
    );
    Ok(row.goal(Measured::One, Bound::AtMost, OPEN_MIB))
}

/// Events a second in one instance, and in two on a thread each.
fn instances(component: &Component, effort: &Effort) -> Result<Row> {
    let workload = Workload::new("chat call", effort.of(4000), chat_of(0));
    let run = |threads: usize| {
        let (component, workload) = (component, &workload);
        move || {
            let loggers = (0..threads).map(|_| component.logger());
            let loggers = loggers.collect::<Result<Vec<_>>>()?;
            let begun = Instant::now();
            std::thread::scope(|scope| {
                let work = loggers.into_iter().map(|mut logger| {
                    scope.spawn(move || {
                        let mut events = (0..).zip(&workload.events);
                        events.try_for_each(|(key, event)| component::log(&mut logger, key, event))
                    })
                });
                let work: Vec<_> = work.collect();
                let ended = work.into_iter().map(|thread| match thread.join() {
                    Ok(result) => result,
                    Err(_) => anyhow::bail!("a thread panicked"),
                });
                ended.collect::<Result<Vec<_>>>()
            })?;
            Ok(begun.elapsed())
        }
    };
    let [one, two] = best(effort.rounds, [Box::new(run(1)), Box::new(run(2))])?;
    let events = workload.events.len() as f64;
    let row = Row::new(
        Group::Growth,
        "chat calls through the hook",
        "events/s",
        ("two instances", 2.0 * events / two),
        ("one", events / one),
    );
    Ok(row.at_least(TWICE))
}
