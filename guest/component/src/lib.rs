//! The logger as a component: the hooks of `wit/` around `logger_core::Logger`.
//!
//! Nothing is decided here. `convert` turns the hooks' types into the core's and back, `http` sends
//! what the core wants sent, and this file says which hook calls what. An instance has one thread and
//! one logger.

#[forbid(unsafe_code)]
mod convert;
#[forbid(unsafe_code)]
mod http;

use std::cell::RefCell;
use std::time::Duration;

use logger_core::{FlushMode, Logger};

mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "logger-plugin",
        generate_all,
    });
}

use bindings::exports::llm_gateway::hooks::logger::{Call, Guest, GuestCall};
use bindings::llm_gateway::hooks::types::{
    CallEvent, CallStart, DeliveryReport, Description, Error, Event, Failure, Feedback,
    FlushMode as Mode, Header, Hook, HookedEvent, Stats, Timestamp,
};
use bindings::wasi::clocks::monotonic_clock;

thread_local! {
    static LOGGER: RefCell<Logger> = RefCell::new(Logger::new(monotonic_clock::now()));
}

/// How long a flush of what is due begins further requests.
const TURN: Duration = Duration::from_secs(1);

/// Since an unspecified point, never going back.
fn now() -> Duration {
    Duration::from_nanos(monotonic_clock::now())
}

/// Runs with the logger; a host that calls a hook from within a hook is told so.
fn with<T>(run: impl FnOnce(&mut Logger) -> Result<T, Error>) -> Result<T, Error> {
    LOGGER.with(|logger| match logger.try_borrow_mut() {
        Ok(mut logger) => run(&mut logger),
        Err(_) => Err(Error::Other(Some(
            "another hook of this instance is still running".to_owned(),
        ))),
    })
}

struct Component;

bindings::export!(Component with_types_in bindings);

impl Guest for Component {
    type Call = CapturedCall;

    fn describe() -> Description {
        Description {
            name: "mlflow-logger".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            settings: logger_core::settings::all().map(convert::setting).collect(),
        }
    }

    fn configure(settings: String) -> Result<(), Error> {
        with(|logger| logger.configure(&settings).map_err(convert::setting_error))
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
        events
            .iter()
            .map(|HookedEvent { hook, event }| log(*hook, event))
            .collect()
    }

    fn log_feedback(feedback: Feedback) -> Result<(), Error> {
        with(|logger| {
            logger
                .log_feedback(now(), &convert::feedback(&feedback))
                .map_err(convert::event_error)
        })
    }

    fn flush(mode: Mode) -> Result<DeliveryReport, Error> {
        with(|logger| {
            let mode = convert::flush_mode(mode);
            let began = now();
            logger.prepare(began, mode);
            // What is due has the next flush as well; a host is not to learn late what became of the first of it.
            let has_time = || mode != FlushMode::Due || now().saturating_sub(began) < TURN;
            while has_time()
                && let Some(request) = logger.poll_request(now())
            {
                let id = request.id;
                let answer = http::send(request);
                logger.on_response(now(), id, answer);
            }
            Ok(convert::report(logger.take_report(now())))
        })
    }

    fn next_wake() -> Option<u64> {
        let wake = with(|logger| Ok(logger.next_wake(now())));
        wake.ok().flatten().map(convert::milliseconds)
    }

    fn stats() -> Stats {
        let stats = with(|logger| Ok(logger.stats()));
        convert::stats(stats.unwrap_or_default())
    }
}

fn log(hook: Hook, event: &Event) -> Result<(), Error> {
    with(|logger| {
        logger
            .log(now(), &convert::event(hook, event))
            .map_err(convert::event_error)
    })
}

/// A call that a gateway forwards, by its number in the logger.
struct CapturedCall(u64);

impl GuestCall for CapturedCall {
    fn begin(start: CallStart, body: Vec<u8>) -> Result<Call, Error> {
        with(|logger| {
            let number = logger.begin_call(now(), &convert::call_start(&start, &body));
            let number = number.map_err(convert::event_error)?;
            Ok(Call::new(CapturedCall(number)))
        })
    }

    fn response_head(&self, at: Timestamp, status: u16, headers: Vec<Header>) -> Result<(), Error> {
        with(|logger| {
            logger
                .response_head(self.0, at, status, &convert::headers(&headers))
                .map_err(convert::event_error)
        })
    }

    fn chunk(&self, at: Timestamp, bytes: Vec<u8>) -> Result<(), Error> {
        with(|logger| {
            logger
                .response_chunk(self.0, at, &bytes)
                .map_err(convert::event_error)
        })
    }

    fn gap(&self, at: Timestamp, bytes: u64) -> Result<(), Error> {
        with(|logger| {
            logger
                .response_gap(self.0, at, bytes)
                .map_err(convert::event_error)
        })
    }

    fn event(&self, event: CallEvent) -> Result<(), Error> {
        let CallEvent { at, kind, detail } = event;
        with(|logger| {
            logger
                .call_event(self.0, at, convert::happening(kind), detail.as_deref())
                .map_err(convert::event_error)
        })
    }

    fn finish(&self, at: Timestamp) -> Result<(), Error> {
        with(|logger| {
            logger
                .finish_call(now(), self.0, at)
                .map_err(convert::event_error)
        })
    }

    fn fail(&self, at: Timestamp, failure: Failure) -> Result<(), Error> {
        let Failure { kind, message } = failure;
        with(|logger| {
            logger
                .fail_call(now(), self.0, at, &kind, &message)
                .map_err(convert::event_error)
        })
    }
}

impl Drop for CapturedCall {
    fn drop(&mut self) {
        // A busy logger cannot be: no hook runs while a host drops a call.
        let _ = with(|logger| {
            logger.drop_call(now(), self.0);
            Ok(())
        });
    }
}
