//! The wasmtime engine, set up for many small, distrusted instances.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{Cache, CacheConfig, Config, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::ticker::Ticker;

/// Tables an instance may have, and their elements.
pub(crate) const TABLES: u32 = 4;
pub(crate) const TABLE_ELEMENTS: usize = 20_000;

/// What instances may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Instances alive at a time; one more is an error.
    pub instances: u32,
    /// Bytes of linear memory of one instance. Growing past that fails in the guest.
    pub memory_bytes: usize,
    /// CPU time of one call into an instance, waiting not counted. Past that the call traps.
    pub cpu_per_call: Duration,
}

impl Default for Limits {
    /// 16 instances, 512 MiB each, 10 s a call.
    fn default() -> Self {
        Self {
            instances: 16,
            memory_bytes: 512 << 20,
            cpu_per_call: Duration::from_secs(10),
        }
    }
}

/// Whether compiled code is kept on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeCache {
    /// In the user's cache directory, if there is one.
    User,
    /// Not kept.
    Off,
}

/// No engine could be made, as on a machine that wasmtime does not support or that denies the
/// address space for the instances.
#[derive(Debug, thiserror::Error)]
#[error("the WebAssembly engine could not start: {0}")]
pub struct EngineError(String);

/// Compiles plugins and runs their instances. Clones share everything.
#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
    ticker: Arc<Ticker>,
    limits: Limits,
}

impl Engine {
    /// An engine with its pool of instance slots and the thread that ticks its epochs.
    pub fn new(limits: Limits, cache: CodeCache) -> Result<Self, EngineError> {
        let mut config = Config::new();
        config
            .epoch_interruption(true)
            // Hooks are called one at a time, whatever else wasmtime is built for.
            .concurrency_support(false)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(&limits)));
        if cache == CodeCache::User {
            config.cache(user_cache());
        }
        let inner = wasmtime::Engine::new(&config).map_err(failed)?;
        let ticked = inner.weak();
        let tick = move || {
            if let Some(engine) = ticked.upgrade() {
                engine.increment_epoch();
            }
        };
        Ok(Self {
            inner,
            ticker: Arc::new(Ticker::start(tick).map_err(failed)?),
            limits,
        })
    }

    /// What instances may use.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) fn ticker(&self) -> &Arc<Ticker> {
        &self.ticker
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.inner
    }
}

fn failed(error: impl std::fmt::Display) -> EngineError {
    EngineError(format!("{error:#}"))
}

/// A logger component is one core module and the small adapters that wit-component adds.
fn pool(limits: &Limits) -> PoolingAllocationConfig {
    const MODULES: u32 = 6;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(limits.instances)
        .total_core_instances(limits.instances * MODULES)
        .total_memories(limits.instances)
        .total_tables(limits.instances * TABLES)
        .total_stacks(limits.instances)
        .max_core_instances_per_component(MODULES)
        .max_memories_per_component(1)
        .max_tables_per_component(TABLES)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(limits.memory_bytes);
    pool
}

/// The cache only saves time, so that its failure is no more than worth a line in the log.
fn user_cache() -> Option<Cache> {
    Cache::new(CacheConfig::new())
        .inspect_err(|error| tracing::debug!("compiled code is not cached: {error:#}"))
        .ok()
}
