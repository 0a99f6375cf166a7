//! The filter in stock Envoy, before a provider that is played, logging to the real MLflow.

mod calls;
mod client;
mod stage;
