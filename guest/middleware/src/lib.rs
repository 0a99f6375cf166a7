//! The logger as a `wasi:http/proxy` component: a reverse proxy before LLM providers that logs what passes.
//!
//! Hosts that serve HTTP with components run it: `wasmtime serve`, Spin, wasmCloud. Most of them make an instance a
//! request, so a call is logged by the instance that forwarded it, after its response has been passed on; the client
//! does not wait for that. `settings` says where requests go, `forward` moves bytes, `record` is what the core
//! is told of them, and `mlflow` sends what the core wants sent.

#[forbid(unsafe_code)]
mod fields;
#[forbid(unsafe_code)]
mod forward;
#[forbid(unsafe_code)]
mod mlflow;
#[forbid(unsafe_code)]
mod record;
#[forbid(unsafe_code)]
mod settings;
#[forbid(unsafe_code)]
mod streams;

mod bindings {
    wit_bindgen::generate!({
        path: [
            "../../wit/deps/io",
            "../../wit/deps/clocks",
            "../../wit/deps/cli",
            "../../wit/deps/random",
            "../../wit/deps/http",
            "wit",
        ],
        world: "llm-gateway:middleware/middleware",
        generate_all,
    });
}

use std::cell::RefCell;
use std::sync::OnceLock;

use bindings::exports::wasi::http::incoming_handler::Guest;
use bindings::wasi::cli::environment::get_environment;
use bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};
use bindings::wasi::random::random::get_random_u64;
use logger_core::Logger;
use settings::Settings;

thread_local! {
    /// Of the instance: where a host uses it for several requests, they share what waits to be sent.
    static LOGGER: RefCell<Logger> = RefCell::new(Logger::new(get_random_u64()));
}

struct Middleware;

bindings::export!(Middleware with_types_in bindings);

impl Guest for Middleware {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        match settings() {
            Ok(settings) => {
                if let Some(record) = forward::run(&settings.upstreams, request, response) {
                    mlflow::deliver(record);
                }
            }
            // Whoever deploys it is to hear of it at the first request.
            Err(reason) => forward::refuse(response, 500, "configuration", reason),
        }
    }
}

/// The settings, read once an instance.
fn settings() -> Result<&'static Settings, &'static str> {
    static SETTINGS: OnceLock<Result<Settings, String>> = OnceLock::new();
    let read = || {
        let environment = get_environment();
        let variable = |name: &str| {
            let found = environment.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        };
        let settings = Settings::read(variable)?;
        LOGGER.with_borrow_mut(|logger| logger.configure_with(settings.logger.clone()));
        Ok(settings)
    };
    SETTINGS.get_or_init(read).as_ref().map_err(String::as_str)
}
