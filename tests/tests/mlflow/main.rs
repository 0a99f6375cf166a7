//! What needs a real MLflow. One binary, because a server takes seconds to start: the tests share one
//! and keep apart by their experiments' names.

mod bulk;
mod doctor;
mod envoy;
mod fixtures;
mod hosts;
mod lines;
mod parity;
mod python;
mod rejects;
mod replay;
mod sdks;
mod server;
mod support;
