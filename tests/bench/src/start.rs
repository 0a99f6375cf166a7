//! From the file to the first event.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use e2e::events::chat_of;
use flate2::Compression;
use flate2::write::GzEncoder;
use host_example::{CodeCache, Limits};

use crate::component::{self, Component};
use crate::row::{Bound, Group, Measured, Row};
use crate::turns::{best, quantile};
use crate::workload::{KIB, Workload};
use crate::{Effort, micros};

/// Goals: the component's size in KiB, plain and gzipped, and an instance's microseconds.
const PLAIN: f64 = 250.0;
const GZIPPED: f64 = 100.0;
const INSTANCE_US: f64 = 30.0;

/// All of it.
pub fn rows(component: &Component, effort: &Effort) -> Result<Vec<Row>> {
    let (one, other) = sizes(&component.path)?;
    let size = Row::new(
        Group::Start,
        "the component's size",
        "KiB",
        ("plain", one),
        ("gzipped", other),
    );
    let compile = |cache| {
        let path = &component.path;
        move || {
            let begun = Instant::now();
            Component::load_with(path, Limits::default(), cache)?;
            Ok(begun.elapsed())
        }
    };
    let rounds = effort.rounds.div_ceil(3);
    let [compiled, cached] = best(
        rounds,
        [
            Box::new(compile(CodeCache::Off)),
            Box::new(compile(CodeCache::User)),
        ],
    )?;
    let load = Row::new(
        Group::Start,
        "from the file to an engine with the plugin",
        "ms",
        ("compiled", compiled * 1e3),
        ("from the cache", cached * 1e3),
    );
    let events = Workload::new("chat call", 100, chat_of(0));
    let (mut instances, mut firsts, mut laters) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.of(500) {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let begun = Instant::now();
        let instance = runtime.block_on(component.plugin.instantiate())?;
        instances.push(micros(begun.elapsed().as_secs_f64()));
        drop(instance);
    }
    for _ in 0..effort.of(50) {
        let mut logger = component.logger()?;
        for (key, event) in (0..).zip(&events.events) {
            let begun = Instant::now();
            component::log(&mut logger, key, event)?;
            let taken = micros(begun.elapsed().as_secs_f64());
            let times = if key == 0 { &mut firsts } else { &mut laters };
            times.push(taken);
        }
    }
    let instance = Row::new(
        Group::Start,
        "an instance from the pool",
        "µs",
        ("median", quantile(&mut instances, 0.5)),
        ("least", quantile(&mut instances, 0.0)),
    );
    let first = Row::new(
        Group::Start,
        "a chat call, median",
        "µs",
        ("an instance's first", quantile(&mut firsts, 0.5)),
        ("a later one", quantile(&mut laters, 0.5)),
    );
    Ok(vec![
        size.clone().goal(Measured::One, Bound::AtMost, PLAIN),
        size.goal(Measured::Other, Bound::AtMost, GZIPPED),
        load,
        instance.goal(Measured::One, Bound::AtMost, INSTANCE_US),
        first,
    ])
}

/// The file's KiB, as it is and gzipped.
fn sizes(path: &Path) -> Result<(f64, f64)> {
    let bytes = fs::read(path)?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&bytes)?;
    let kib = |length: usize| length as f64 / KIB as f64;
    Ok((kib(bytes.len()), kib(gzip.finish()?.len())))
}
