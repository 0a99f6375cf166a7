//! The core, compiled for this machine.

use std::time::Duration;

use anyhow::{Context as _, Result};
use cpu_time::ThreadTime;
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

/// The CPU time that a fresh logger takes for all events.
pub fn round(workload: &Workload) -> Result<Duration> {
    let mut logger = logger()?;
    let begun = ThreadTime::now();
    for (key, event) in (0..).zip(&workload.events) {
        log(&mut logger, key, event)?;
    }
    Ok(begun.elapsed())
}

/// The bodies of the requests that would deliver a workload, not compressed.
pub fn bodies(workload: &Workload, batch: usize) -> Result<Vec<Vec<u8>>> {
    let mut logger = Logger::new(1);
    let mut settings: serde_json::Value = serde_json::from_str(SETTINGS)?;
    settings["compression"] = "none".into();
    settings["batch_max_spans"] = batch.into();
    logger.configure(&settings.to_string())?;
    for (key, event) in (0..).zip(&workload.events) {
        log(&mut logger, key, event)?;
    }
    logger.prepare(NOW, FlushMode::All);
    let mut bodies = Vec::new();
    while let Some(request) = logger.poll_request(NOW) {
        bodies.push(request.body);
    }
    Ok(bodies)
}
