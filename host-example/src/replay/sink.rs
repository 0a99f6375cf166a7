//! What the replay needs of an instance: little enough to be played by a double in its tests.

use std::time::Duration;

use crate::error::{LoggerError, Refusal};
use crate::logger::{DeliveryReport, FlushMode, HookedEvent, Logger};
use crate::plugin::Plugin;
use crate::settings::Settings;

/// Takes events and delivers them.
pub(super) trait Sink {
    async fn log(&mut self, events: &[HookedEvent<'_>]) -> Answers;
    async fn flush(&mut self, mode: FlushMode) -> Result<DeliveryReport, LoggerError>;
    async fn next_wake(&mut self) -> Result<Option<Duration>, LoggerError>;
}

/// One answer an event, in the same order.
pub(super) type Answers = Result<Vec<Result<(), Refusal>>, LoggerError>;

/// Makes sinks: one to begin with, and one for each that was lost to a trap.
pub(super) trait Sinks {
    type Sink: Sink;
    async fn fresh(&self) -> Result<Self::Sink, LoggerError>;
}

/// Instances of a plugin, with their settings.
pub(super) struct Instances<'a> {
    pub plugin: &'a Plugin,
    pub settings: &'a Settings,
}

impl Sinks for Instances<'_> {
    type Sink = Logger;

    async fn fresh(&self) -> Result<Logger, LoggerError> {
        let mut logger = self.plugin.instantiate().await?;
        logger.configure(self.settings).await?;
        Ok(logger)
    }
}

impl Sink for Logger {
    async fn log(&mut self, events: &[HookedEvent<'_>]) -> Answers {
        self.log_events(events).await
    }

    async fn flush(&mut self, mode: FlushMode) -> Result<DeliveryReport, LoggerError> {
        Logger::flush(self, mode).await
    }

    async fn next_wake(&mut self) -> Result<Option<Duration>, LoggerError> {
        Logger::next_wake(self).await
    }
}
