//! The pages of `docs/` about hosts: what they have people do is done, against MLflow.

mod layer;
mod manifests;
mod node;
mod own_plugin;
mod pages;
mod wasmtime;
