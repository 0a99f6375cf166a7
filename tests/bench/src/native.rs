//! The core, compiled for this machine.

use std::time::Duration;

use anyhow::{Context as _, Result};
use cpu_time::ThreadTime;
use logger_core::Logger;
use logger_core::event::{Context, Event};

use crate::SETTINGS;
use crate::workload::Workload;

/// The CPU time that a fresh logger takes for all events.
pub fn round(workload: &Workload) -> Result<Duration> {
    let mut logger = Logger::new(1);
    logger.configure(SETTINGS).context("the settings")?;
    let begun = ThreadTime::now();
    for (key, event) in (0..).zip(&workload.events) {
        let event = Event {
            hook: event.hook,
            key,
            payload: &event.payload,
            start: Some(event.start),
            end: Some(event.end),
            time: None,
            context: Context::default(),
        };
        logger
            .log(Duration::from_secs(1), &event)
            .context(workload.name)?;
    }
    Ok(begun.elapsed())
}
