//! What the end-to-end tests and `cargo xtask` share: a real MLflow, the gateway binary, events to
//! feed it, and the traces as MLflow's own client reads them back.
//!
//! Nothing here is mocked. MLflow is installed from a pinned list into a Python environment of its own
//! and runs on SQLite in a temporary directory; it ends with whoever started it.

#![forbid(unsafe_code)]

pub mod browser;
pub mod component_host;
pub mod debian;
pub mod envoy;
pub mod events;
pub mod expect;
pub mod faults;
pub mod gateway;
pub mod http1;
pub mod keeper;
pub mod load;
pub mod mlflow;
pub mod node;
pub mod package;
pub mod parent;
pub mod parity;
pub mod paths;
pub mod python;
pub mod sdks;
pub mod serving;
pub mod snippets;
pub mod step;
pub mod traces;

pub use browser::{Browser, Page};
pub use component_host::ComponentHost;
pub use envoy::Envoy;
pub use gateway::{Gateway, Replay};
pub use mlflow::Mlflow;
pub use python::Python;
pub use serving::Serving;
pub use step::Step;
pub use traces::{Span, Trace};
