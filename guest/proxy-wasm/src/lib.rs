//! The logger as a proxy-wasm filter: Envoy and those built on it load it before their router.
//!
//! Each of the proxy's worker threads has a virtual machine of its own, which its requests share with the
//! logging. So the request path does as little as can be: a call that is admitted is copied as it
//! passes, never held back, and all else is done from a timer, within a share of the thread's time. Three kinds
//! of modules:
//!
//! ```text
//! stream   a request's callbacks: copies  ─┐
//!                                          ├─►  worker: gate, record, pace, and the core's Logger
//! root     timer, settings, answers       ─┘
//! host, http, metrics: what the proxy is asked to do
//! ```
//!
//! `worker` and what it is made of know nothing of the proxy, and are tested without one. Nothing here
//! panics: a panic would fail the requests of the whole thread.

#![deny(unsafe_code)]
// The tests have no proxy to call.
#![cfg_attr(test, allow(dead_code))]
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

mod ending;
mod gate;
mod head;
mod pace;
mod record;
mod worker;

// What calls the proxy can be linked for it alone.
#[cfg(not(test))]
mod host;
#[cfg(not(test))]
mod http;
#[cfg(not(test))]
mod metrics;
#[cfg(not(test))]
mod root;
#[cfg(not(test))]
mod stream;

#[cfg(not(test))]
#[allow(unsafe_code, missing_docs)]
mod entry {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(crate::root::Root::default()));
    }}
}
