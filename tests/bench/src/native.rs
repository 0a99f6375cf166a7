//! The core, compiled for this machine.

use std::time::Duration;

use anyhow::{Context as _, Result};
use logger_core::event::{Context, Event, EventKey};
use logger_core::{FlushMode, Logger};

use crate::SETTINGS;
use crate::workload::{self, Workload};

/// Any time will do.
pub const NOW: Duration = Duration::from_secs(1);

/// A logger that sends nothing.
pub fn logger() -> Result<Logger> {
    let mut logger = Logger::new(1);
    logger.configure(SETTINGS).context("the settings")?;
    Ok(logger)
}

/// Logs an event.
pub fn log(logger: &mut Logger, key: EventKey, event: &workload::Event) -> Result<()> {
    let event = Event {
        hook: event.hook,
        key,
        payload: &event.payload,
        start: Some(event.start),
        end: Some(event.end),
        time: None,
        context: Context::default(),
    };
    logger.log(NOW, &event).context("an event was not taken")
}

/// Logs all events of a workload.
pub fn log_all(logger: &mut Logger, workload: &Workload) -> Result<()> {
    let mut events = (0..).zip(&workload.events);
    events.try_for_each(|(key, event)| log(logger, key, event))
}

/// The bodies of the requests that would deliver a workload, not compressed.
pub fn bodies(workload: &Workload, batch: usize) -> Result<Vec<Vec<u8>>> {
    let mut logger = Logger::new(1);
    let mut settings: serde_json::Value = serde_json::from_str(SETTINGS)?;
    settings["compression"] = "none".into();
    settings["batch_max_spans"] = batch.into();
    logger.configure(&settings.to_string())?;
    log_all(&mut logger, workload)?;
    logger.prepare(NOW, FlushMode::All);
    let mut bodies = Vec::new();
    while let Some(request) = logger.poll_request(NOW) {
        bodies.push(request.body);
    }
    Ok(bodies)
}
