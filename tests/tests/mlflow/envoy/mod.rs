//! The filter in stock Envoy, before a provider that is played, logging to the real MLflow.

mod calls;
mod client;
mod door;
mod faults;
mod manifests;
mod same;
mod settings;
mod stage;
mod trace;
