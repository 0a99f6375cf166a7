//! An example of a plugin: what is logged goes out as lines of JSON, a line an event and a line a call.
//!
//! It has all that the hooks of `wit/` ask for and nothing else: settings in `settings`, what is
//! held until it is sent in `queue`, calls that a gateway forwards in `call`, what people say of them in `feedback`, and HTTP in `post`. What is
//! logged is sent as it is: credentials in a body are not looked for.

#[forbid(unsafe_code)]
mod call;
#[forbid(unsafe_code)]
mod feedback;
#[forbid(unsafe_code)]
mod post;
#[forbid(unsafe_code)]
mod queue;
#[forbid(unsafe_code)]
mod settings;

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        world: "logger-plugin",
        generate_all,
    });
}

use std::cell::RefCell;

use bindings::exports::llm_gateway::hooks::logger::Guest;
use bindings::llm_gateway::hooks::types::{
    DeliveryReport, Description, Error, Event, Feedback, FlushMode, Hook, HookedEvent, Stats,
};
use queue::Queue;

/// After how many milliseconds the host is to flush what has been logged.
const FLUSH_INTERVAL_MS: u64 = 500;

thread_local! {
    /// An instance has one thread, and its memory is all that it has.
    static QUEUE: RefCell<Queue> = RefCell::default();
}

struct JsonLines;

bindings::export!(JsonLines with_types_in bindings);

impl Guest for JsonLines {
    type Call = call::CapturedCall;

    fn describe() -> Description {
        Description {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            settings: settings::described(),
        }
    }

    fn configure(settings: String) -> Result<(), Error> {
        let settings = settings::Settings::parse(&settings)?;
        QUEUE.with_borrow_mut(|queue| queue.configure(settings));
        Ok(())
    }

    fn log_success_event(event: Event) -> Result<(), Error> {
        log(Hook::Success, &event)
    }

    fn log_failure_event(event: Event) -> Result<(), Error> {
        log(Hook::Failure, &event)
    }

    fn log_stream_event(event: Event) -> Result<(), Error> {
        log(Hook::StreamChunk, &event)
    }

    fn log_events(events: Vec<HookedEvent>) -> Vec<Result<(), Error>> {
        let events = events.iter();
        events.map(|one| log(one.hook, &one.event)).collect()
    }

    fn log_feedback(feedback: Feedback) -> Result<(), Error> {
        feedback::log(&feedback)
    }

    fn flush(_: FlushMode) -> Result<DeliveryReport, Error> {
        QUEUE.with_borrow_mut(Queue::flush)
    }

    fn next_wake() -> Option<u64> {
        QUEUE.with_borrow(|queue| (!queue.is_empty()).then_some(FLUSH_INTERVAL_MS))
    }

    fn stats() -> Stats {
        QUEUE.with_borrow(Queue::stats)
    }
}

fn log(hook: Hook, event: &Event) -> Result<(), Error> {
    QUEUE.with_borrow_mut(|queue| queue.log_event(hook, event))
}
