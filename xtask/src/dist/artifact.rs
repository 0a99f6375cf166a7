//! What `cargo xtask dist` builds of the guests: a line an artifact.
//!
//! Each is built by a cargo call of its own: together, packages would share the features of their
//! dependencies, and a plugin's bytes would depend on its neighbours.

/// A guest package and the file that it becomes.
#[derive(Debug)]
pub struct Artifact {
    /// The file in the dist directory.
    pub file: &'static str,
    /// The package it is built from.
    pub package: &'static str,
    /// What the file is.
    pub form: Form,
}

/// Kinds of WebAssembly binaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A component: the module carries its WIT in a custom section.
    Component,
    /// A core module as the compiler leaves it.
    Module,
}

const fn component(file: &'static str, package: &'static str) -> Artifact {
    Artifact {
        file,
        package,
        form: Form::Component,
    }
}

/// The logger for hosts of components.
pub const LOGGER: Artifact = component("mlflow_logger.wasm", "logger-component");

/// The logger for Envoy and other proxies that load proxy-wasm filters.
pub const PROXY: Artifact = Artifact {
    file: "mlflow_logger.proxy.wasm",
    package: "logger-proxy-wasm",
    form: Form::Module,
};

/// The logger as a reverse proxy, for hosts that serve HTTP with components.
pub const MIDDLEWARE: Artifact = component("mlflow_middleware.wasm", "logger-middleware");

/// The logger as a layer before another handler, to be composed with it.
pub const LAYER: Artifact = component("mlflow_layer.wasm", "logger-layer");

/// The example of a plugin.
pub const JSON_LINES: Artifact = component("json_lines.wasm", "json-lines");

/// A plugin for tests that does what no plugin should.
pub const MISBEHAVING: Artifact = component("misbehaving.wasm", "misbehaving-guest");

/// A handler for tests, for the layer to stand before.
pub const HANDLER: Artifact = component("handler.wasm", "handler-guest");

/// All of them that people use.
pub const ALL: [&Artifact; 5] = [&LOGGER, &PROXY, &MIDDLEWARE, &LAYER, &JSON_LINES];
