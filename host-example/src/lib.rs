//! A wasmtime host for LLM call loggers.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use host_example::{CodeCache, Engine, FlushMode, Limits, Plugin, Settings};
//!
//! let engine = Engine::new(Limits::default(), CodeCache::User)?;
//! let plugin = Plugin::load(&engine, "target/dist/mlflow_logger.wasm".as_ref()).await?;
//! let environment =
//!     host_example::environment(&plugin.description().settings, |name| std::env::var(name).ok());
//!
//! let mut logger = plugin.instantiate().await?;
//! logger.configure(&Settings::merge([environment])).await?;
//! // log_success_event, log_events, begin_call …
//! let report = logger.flush(FlushMode::All).await?;
//! # Ok(())
//! # }
//! ```
//!
//! An [`Engine`] holds the pool, a [`Plugin`] the compiled code, a [`Logger`] one instance with its
//! memory and its sandbox: it reaches the configured server and nothing else, grows to a limit, and
//! is stopped when a call computes for too long. [`blocking::Logger`] is the same for callers that
//! are not async. [`delivery::Delivery`] is a queue before a crew of instances, with a spool on disk: what
//! is logged through it survives the process.

#![forbid(unsafe_code)]

/// The page's programs compile.
#[cfg(doctest)]
#[doc = include_str!("../../docs/rust.md")]
struct Page;

pub mod bindings;
pub mod blocking;
mod call;
pub mod config;
pub mod doctor;
mod engine;
mod error;
pub mod find;
pub mod gateway;
mod logger;
mod meter;
mod origin;
mod outbound;
mod pending;
mod plugin;
pub mod replay;
mod same_file;
mod settings;
pub mod spool;
mod state;
mod ticker;
mod timed;
mod tls;

pub use call::{Call, CallEvent, CallStart, Failure, Header, Timestamp};
pub use engine::{CodeCache, Engine, EngineError, Limits};
pub use error::{LoggerError, Refusal};
pub use gateway::delivery;
pub use logger::{DeliveryReport, Description, Event, FlushMode, HookedEvent, Logger, Stats};
pub use origin::Origin;
pub use plugin::{LoadError, Plugin};
pub use settings::{Layer, Settings, Source, environment};
