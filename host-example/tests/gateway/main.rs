//! The gateway as a program, between clients, upstreams and a server for traces that are played.
//!
//! What is asserted is what was seen and in which order, never how long it took.

#[path = "../common/mod.rs"]
mod common;
mod play;

mod bodies;
mod canaries;
mod doctor;
mod embedded;
mod failures;
mod lifecycle;
mod logging;
mod misbehaving;
mod observing;
mod passing;
mod spool;
mod tls;
