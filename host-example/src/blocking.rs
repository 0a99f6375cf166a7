//! The hooks for callers that are not async: an instance with a runtime of its own.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::error::{LoggerError, Refusal};
use crate::logger::{DeliveryReport, Event, FlushMode, HookedEvent, Stats};
use crate::plugin::Plugin;
use crate::settings::Settings;

/// A [`crate::Logger`] whose functions wait. Not to be used from within an async runtime.
pub struct Logger {
    inner: crate::Logger,
    runtime: Runtime,
}

/// No blocking instance could be made.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The runtime did not start.
    #[error("the runtime did not start: {0}")]
    Runtime(#[from] io::Error),
    /// The instance did not start.
    #[error(transparent)]
    Instance(#[from] LoggerError),
}

impl Logger {
    /// Makes an instance.
    pub fn new(plugin: &Plugin) -> Result<Self, StartError> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let inner = runtime.block_on(plugin.instantiate())?;
        Ok(Self { inner, runtime })
    }

    /// Does anything that an async logger can do, such as [`crate::Logger::begin_call`], and waits
    /// for it.
    pub fn run<R>(&mut self, task: impl AsyncFnOnce(&mut crate::Logger) -> R) -> R {
        self.runtime.block_on(task(&mut self.inner))
    }
}

/// The same names, arguments and answers as in [`crate::Logger`].
macro_rules! waiting {
    ($($hook:ident($($argument:ident: $type:ty)?) -> $answer:ty;)*) => {
        impl Logger {
            $(
                #[doc = concat!("As [`crate::Logger::", stringify!($hook), "`].")]
                pub fn $hook(&mut self $(, $argument: $type)?) -> Result<$answer, LoggerError> {
                    self.runtime.block_on(self.inner.$hook($($argument)?))
                }
            )*
        }
    };
}

waiting! {
    configure(settings: &Settings) -> ();
    log_success_event(event: Event<'_>) -> ();
    log_failure_event(event: Event<'_>) -> ();
    log_stream_event(event: Event<'_>) -> ();
    log_events(events: &[HookedEvent<'_>]) -> Vec<Result<(), Refusal>>;
    flush(mode: FlushMode) -> DeliveryReport;
    next_wake() -> Option<Duration>;
    stats() -> Stats;
}
