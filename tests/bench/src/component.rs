//! The component, in the host's sandbox.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host_example::bindings::llm_gateway::hooks::types::Context;
use host_example::{CodeCache, Engine, Event, Layer, Limits, Plugin, Settings, Source, blocking};
use logger_core::event::{EventKey, Hook};
use serde_json::Value;

use crate::SETTINGS;
use crate::workload;

/// The compiled plugin.
#[derive(Clone)]
pub struct Component {
    /// Its file.
    pub path: PathBuf,
    /// As the host has it.
    pub plugin: Plugin,
}

impl Component {
    /// Loads it, with code that was compiled before if there is some.
    pub fn load(path: &Path) -> Result<Self> {
        Self::load_with(path, Limits::default(), CodeCache::User)
    }

    /// Loads it into an engine of its own.
    pub fn load_with(path: &Path, limits: Limits, cache: CodeCache) -> Result<Self> {
        let engine = Engine::new(limits, cache)?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        Ok(Self {
            path: path.to_owned(),
            plugin: runtime.block_on(Plugin::load(&engine, path))?,
        })
    }

    /// An instance that sends nothing.
    pub fn logger(&self) -> Result<blocking::Logger> {
        self.logger_with(&settings(&serde_json::from_str(SETTINGS)?))
    }

    /// An instance with settings.
    pub fn logger_with(&self, settings: &Settings) -> Result<blocking::Logger> {
        let mut logger = blocking::Logger::new(&self.plugin)?;
        logger.configure(settings)?;
        Ok(logger)
    }
}

/// Logs an event.
pub fn log(logger: &mut blocking::Logger, key: EventKey, event: &workload::Event) -> Result<()> {
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
    .context("an event was not taken")
}

/// Settings as the host has them.
pub fn settings(object: &Value) -> Settings {
    let source = Source::Option("bench");
    let members = object.as_object().into_iter().flatten();
    let layer: Layer = members
        .map(|(key, value)| (key.clone(), (value.clone(), source.clone())))
        .collect();
    Settings::merge([layer])
}
