//! The filter in stock Envoy, before a provider that is played, logging to the real MLflow.

mod calls;
pub mod client;
mod corpus;
mod door;
mod faults;
mod manifests;
mod same;
mod settings;
pub mod stage;
mod trace;
