//! What the host keeps for an instance, and what it links into it.
//!
//! The linker is the sandbox: `wasi:io`, clocks, random bytes and guarded HTTP. A component that
//! imports anything else, a file system or sockets, does not instantiate.

use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime::{Store, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::p2::bindings::{clocks, random};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wasmtime_wasi_io::bindings::wasi::io;

use crate::engine::{Engine, Limits, TABLE_ELEMENTS, TABLES};
use crate::meter::Meter;
use crate::outbound::Outbound;

/// Handles a guest may hold at a time.
const RESOURCES: usize = 10_000;

/// The data of a store.
pub(crate) struct State {
    pub outbound: Outbound,
    pub limits: StoreLimits,
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
}

impl State {
    pub fn new(limits: &Limits) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES);
        let limits = StoreLimitsBuilder::new()
            .memory_size(limits.memory_bytes)
            .memories(1)
            .tables(TABLES as usize)
            .table_elements(TABLE_ELEMENTS)
            .build();
        Self {
            outbound: Outbound::default(),
            limits,
            table,
            // Holds nothing of the host's: no environment, no arguments, no streams.
            wasi: WasiCtx::builder().build(),
            http: WasiHttpCtx::new(),
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.outbound,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}

/// A store with the limits of the engine, and the meter that calls into it have to be run by.
pub(crate) fn store(engine: &Engine) -> (Store<State>, Meter) {
    let limits = engine.limits();
    let meter = Meter::new(limits.cpu_per_call, engine.ticker().clone());
    let ticks = meter.clone();
    let mut store = Store::new(engine.wasmtime(), State::new(&limits));
    store.limiter(|state| &mut state.limits);
    store.epoch_deadline_callback(move |_| Ok(ticks.on_tick()?));
    store.set_epoch_deadline(1);
    (store, meter)
}

/// `wasi:io` needs the table alone.
struct Io;

impl HasData for Io {
    type Data<'a> = &'a mut ResourceTable;
}

/// A linker with all that a plugin may import.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    io::error::add_to_linker::<State, Io>(l, |state| &mut state.table)?;
    io::poll::add_to_linker::<State, Io>(l, |state| &mut state.table)?;
    io::streams::add_to_linker::<State, Io>(l, |state| &mut state.table)?;
    clocks::monotonic_clock::add_to_linker::<State, WasiClocks>(l, State::clocks)?;
    clocks::wall_clock::add_to_linker::<State, WasiClocks>(l, State::clocks)?;
    random::random::add_to_linker::<State, WasiRandom>(l, State::random)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(l)?;
    Ok(linker)
}

#[cfg(test)]
mod tests;
