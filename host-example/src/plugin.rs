//! A compiled plugin, from which instances are made.

use std::path::{Path, PathBuf};

use wasmtime::component::Component;

use crate::bindings::PluginPre;
use crate::engine::Engine;
use crate::error::LoggerError;
use crate::logger::{Description, Logger};
use crate::state::{State, linker};

/// A file that cannot be used as a plugin.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("the plugin {} cannot be read: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The bytes are no component that this engine can run.
    #[error("the plugin is no WebAssembly component that can run here: {0}")]
    NotAComponent(String),
    /// The component asks for more than a plugin gets, or lacks a hook.
    #[error(
        "the component does not fit the world llm-gateway:hooks/logger-plugin; it may import wasi:io, \
         wasi:clocks, wasi:random and wasi:http, and has to export the hooks: {0}"
    )]
    WrongWorld(String),
    /// The component failed at its first use.
    #[error("the plugin failed as soon as it was used: {0}")]
    Failed(#[from] LoggerError),
}

/// A compiled plugin. Clones share the code.
#[derive(Clone)]
pub struct Plugin {
    engine: Engine,
    component: Component,
    pre: PluginPre<State>,
    description: Description,
}

impl Plugin {
    /// Reads and compiles the file. Compiling takes a second or so and keeps the caller's thread
    /// busy; where the code is cached, milliseconds.
    pub async fn load(engine: &Engine, path: &Path) -> Result<Self, LoadError> {
        let bytes = std::fs::read(path).map_err(|reason| LoadError::Unreadable {
            path: path.to_owned(),
            reason,
        })?;
        Self::compile(engine, &bytes).await
    }

    /// Compiles a component.
    pub async fn compile(engine: &Engine, bytes: &[u8]) -> Result<Self, LoadError> {
        let component = Component::from_binary(engine.wasmtime(), bytes)
            .map_err(|error| LoadError::NotAComponent(format!("{error:#}")))?;
        let pre = linker(engine.wasmtime())
            .and_then(|linker| linker.instantiate_pre(&component))
            .and_then(PluginPre::new)
            .map_err(|error| LoadError::WrongWorld(format!("{error:#}")))?;
        let mut plugin = Self {
            engine: engine.clone(),
            component,
            pre,
            description: Description {
                name: String::new(),
                version: String::new(),
                settings: Vec::new(),
            },
        };
        plugin.description = plugin.instantiate().await?.describe().await?;
        Ok(plugin)
    }

    /// What the plugin says of itself and its settings.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Makes an instance, in some 50 µs. It holds nothing and knows no settings.
    pub async fn instantiate(&self) -> Result<Logger, LoggerError> {
        Logger::new(&self.engine, &self.pre).await
    }

    /// The interfaces that the component asks for.
    pub fn imports(&self) -> Vec<String> {
        let ty = self.component.component_type();
        let names = ty.imports(self.engine.wasmtime());
        names.map(|(name, _)| name.to_owned()).collect()
    }

    /// The interfaces that the component offers.
    pub fn exports(&self) -> Vec<String> {
        let ty = self.component.component_type();
        let names = ty.exports(self.engine.wasmtime());
        names.map(|(name, _)| name.to_owned()).collect()
    }

    /// The compiled component, for those who want to know more of it.
    pub fn component(&self) -> &Component {
        &self.component
    }
}
