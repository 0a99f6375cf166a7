//! The component, in the host's sandbox.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use cpu_time::ThreadTime;
use host_example::bindings::llm_gateway::hooks::types::Context;
use host_example::{CodeCache, Engine, Event, Layer, Limits, Plugin, Settings, Source, blocking};
use logger_core::event::Hook;

use crate::SETTINGS;
use crate::workload::Workload;

/// The compiled plugin.
pub struct Component {
    plugin: Plugin,
    settings: Settings,
}

impl Component {
    /// Loads and compiles it.
    pub fn load(path: &Path) -> Result<Self> {
        let engine = Engine::new(Limits::default(), CodeCache::User)?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let plugin = runtime.block_on(Plugin::load(&engine, path))?;
        Ok(Self {
            plugin,
            settings: settings()?,
        })
    }

    /// The CPU time that a fresh instance takes for all events, with all that the host does for them.
    pub fn round(&self, workload: &Workload) -> Result<Duration> {
        let mut logger = blocking::Logger::new(&self.plugin)?;
        logger.configure(&self.settings)?;
        let begun = ThreadTime::now();
        for (key, event) in (0..).zip(&workload.events) {
            let hook = event.hook;
            let event = Event {
                key,
                payload: &event.payload,
                start_time: Some(event.start),
                end_time: Some(event.end),
                time: None,
                context: Context {
                    traceparent: None,
                    session: None,
                    user: None,
                    tags: &[],
                    experiment: None,
                },
            };
            match hook {
                Hook::Success => logger.log_success_event(event),
                Hook::Failure => logger.log_failure_event(event),
                Hook::Stream => logger.log_stream_event(event),
                Hook::Feedback => anyhow::bail!("no feedback is measured"),
            }
            .context(workload.name)?;
        }
        Ok(begun.elapsed())
    }
}

fn settings() -> Result<Settings> {
    let object: serde_json::Map<_, _> = serde_json::from_str(SETTINGS)?;
    let source = Source::Option("SETTINGS");
    let layer: Layer = object
        .into_iter()
        .map(|(key, value)| (key, (value, source.clone())))
        .collect();
    Ok(Settings::merge([layer]))
}
