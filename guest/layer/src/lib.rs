//! The logger as a layer before another handler: `wasi:http/middleware` of WASI 0.3.
//!
//! `wac plug` composes it with any component that exports `wasi:http/handler`. WASI 0.2 has no such thing: there a handler
//! writes its response to where the host told it, and nothing between them sees that. Parts go on as they come, and
//! what is logged is sent when the response has been passed on.

#[forbid(unsafe_code)]
mod clock;
#[forbid(unsafe_code)]
mod mlflow;
#[forbid(unsafe_code)]
mod relay;

mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "layer",
        generate_all,
    });
}

use std::cell::RefCell;
use std::sync::OnceLock;

use bindings::exports::wasi::http::handler::Guest;
use bindings::wasi::cli::environment::get_environment;
use bindings::wasi::http::types::{ErrorCode, Request, Response};
use bindings::wasi::random::random::get_random_u64;
use logger_core::Logger;
use logger_core::settings::Settings;

/// The environment variable with the logger's settings, a JSON object.
const VARIABLE: &str = "MLFLOW_LOGGER_CONFIG";

thread_local! {
    /// Of the instance, which hosts use for many requests at a time: they share what waits to be sent.
    static LOGGER: RefCell<Logger> = RefCell::new(Logger::new(get_random_u64()));
}

struct Layer;

bindings::export!(Layer with_types_in bindings);

impl Guest for Layer {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        configured().map_err(|reason| ErrorCode::InternalError(Some(reason.to_owned())))?;
        relay::run(request).await
    }
}

/// Reads the settings, once an instance. What they leave out is taken from MLflow's own variables.
fn configured() -> Result<(), &'static str> {
    static CONFIGURED: OnceLock<Result<(), String>> = OnceLock::new();
    let configure = || {
        let environment = get_environment();
        let variable = |name: &str| {
            let found = environment.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        };
        let given = variable(VARIABLE).unwrap_or_else(|| "{}".to_owned());
        let settings = Settings::parse_with(&given, variable);
        let settings = settings.map_err(|error| format!("{VARIABLE}: {error}"))?;
        LOGGER.with_borrow_mut(|logger| logger.configure_with(settings));
        Ok(())
    };
    let configured = CONFIGURED.get_or_init(configure);
    configured.as_ref().copied().map_err(String::as_str)
}
