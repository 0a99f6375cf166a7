//! The logger without its surroundings: LLM calls go in, HTTP requests that store them as MLflow
//! traces come out.
//!
//! The crate does no I/O, reads no clock and draws no random numbers, as in quinn-proto: the shell
//! around it passes `now`, sends the [`transport::Request`] that [`Logger::poll_request`] returns, and
//! hands the answer to [`Logger::on_response`]. So it is tested, fuzzed and measured natively, and
//! gives the same bytes in every host.
//!
//! The way of the data, a module an arrow:
//!
//! ```text
//! Event -> litellm::decode -> Call -> policy -> span::encode -> Outbox -> Request
//!                                                                 ^          |
//!                                      Report <- take_report -----+- Response
//! ```

#![forbid(unsafe_code)]
// No input may make the core panic. In tests a panic is the report.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod bytes;
pub mod call;
mod chunks;
pub mod credentials;
pub mod event;
pub mod feedback;
pub mod id;
pub mod json;
pub mod litellm;
mod logger;
pub mod otlp;
mod outbox;
pub mod passing;
pub mod policy;
pub mod prices;
pub mod redact;
pub mod report;
pub mod settings;
pub mod span;
pub mod transport;
mod wire;

pub use logger::{FlushMode, Logger};
pub use wire::{FormatDoc, formats};
