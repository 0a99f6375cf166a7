//! A plugin for tests that does what no plugin should.
//!
//! It delivers nothing anywhere: each event is reported as delivered by the next `flush`. An event whose
//! payload or request holds `misbehave:` and the name of an `Act` has it do that instead, at once or in
//! the hook that the act is for. So a test says with what it logs how the plugin is to behave, in one
//! instance and among events that are to come through unharmed.

mod acts;
mod outbound;

use std::cell::RefCell;

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        world: "logger-plugin",
        generate_all,
    });
}

use acts::{Act, Place, act_of};
use bindings::exports::llm_gateway::hooks::logger::{Call, Guest, GuestCall};
use bindings::llm_gateway::hooks::types::{
    CallEvent, CallStart, Delivery, DeliveryReport, Description, Error, Event, Failure, Feedback,
    FlushMode, Header, HookedEvent, Refusal, Stats, Timestamp,
};

/// Keys below are given to events by no host.
const STRANGER: u64 = u64::MAX - 7;
/// How many strangers a flood of a report names.
const FLOOD: u64 = 100_000;

/// What it holds: events by their keys, each with what it has the plugin do.
#[derive(Default)]
struct Held {
    events: Vec<(u64, Option<Act>)>,
    delivered: u64,
}

thread_local! {
    static HELD: RefCell<Held> = RefCell::default();
}

struct Misbehaving;

bindings::export!(Misbehaving with_types_in bindings);

/// Takes an event, and does what it asks for in this very hook.
fn take(key: u64, payload: &[u8]) -> Result<(), Error> {
    let act = act_of(payload);
    if let Some(act) = &act {
        act.perform(Place::Log);
    }
    HELD.with_borrow_mut(|held| held.events.push((key, act)));
    Ok(())
}

/// Does what is asked for in a hook by an event that is held.
fn perform(place: Place) {
    let acts: Vec<Act> = HELD.with_borrow(|held| held.acts().cloned().collect());
    acts.iter().for_each(|act| act.perform(place));
}

impl Held {
    fn acts(&self) -> impl Iterator<Item = &Act> {
        self.events.iter().filter_map(|(_, act)| act.as_ref())
    }

    /// Whether an event wants an error. From then on it is an event like others.
    fn calm_down(&mut self) -> bool {
        let events = self.events.iter_mut();
        let mut angry = events.filter(|(_, act)| *act == Some(Act::FlushError));
        angry.next().map(|(_, act)| *act = None).is_some()
    }

    /// What became of all that is held, or is said to have.
    fn report(&mut self) -> DeliveryReport {
        let mut report = DeliveryReport {
            delivered: Vec::new(),
            refused: Vec::new(),
            skipped: Vec::new(),
            returned: Vec::new(),
            deferred: None,
        };
        let events = std::mem::take(&mut self.events);
        for (key, act) in events {
            match act {
                Some(Act::ReportNever) => self.events.push((key, act)),
                Some(Act::ReportTwice) => {
                    report.delivered.extend([delivery(key), delivery(key)]);
                    report.refused.push(refusal(key, "twice"));
                    report.returned.push(refusal(key, "and once more"));
                }
                Some(Act::ReportStrangers) => {
                    let strangers = (0..FLOOD).map(|number| STRANGER - number);
                    report.delivered.extend(strangers.map(delivery));
                    report.refused.push(refusal(STRANGER, "never given"));
                    report.returned.push(refusal(STRANGER, "never given"));
                    report.delivered.push(delivery(key));
                }
                Some(Act::Fetch(url)) => report.refused.push(refusal(key, &outbound::get(&url))),
                _ => report.delivered.push(delivery(key)),
            }
        }
        self.delivered += report.delivered.len() as u64;
        report
    }
}

fn delivery(key: u64) -> Delivery {
    Delivery {
        keys: vec![key],
        trace_id: format!("tr-{key:032x}"),
    }
}

fn refusal(key: u64, reason: &str) -> Refusal {
    Refusal {
        keys: vec![key],
        reason: reason.to_owned(),
    }
}

impl Guest for Misbehaving {
    type Call = CapturedCall;

    fn describe() -> Description {
        Description {
            name: "misbehaving".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            settings: Vec::new(),
        }
    }

    fn configure(settings: String) -> Result<(), Error> {
        if let Some(act) = act_of(settings.as_bytes()) {
            act.perform(Place::Configure);
        }
        Ok(())
    }

    fn log_success_event(event: Event) -> Result<(), Error> {
        take(event.key, event.payload.as_bytes())
    }

    fn log_failure_event(event: Event) -> Result<(), Error> {
        take(event.key, event.payload.as_bytes())
    }

    fn log_stream_event(event: Event) -> Result<(), Error> {
        take(event.key, event.payload.as_bytes())
    }

    fn log_events(events: Vec<HookedEvent>) -> Vec<Result<(), Error>> {
        let taken = events.iter().map(|HookedEvent { event, .. }| event);
        let taken = taken.map(|event| take(event.key, event.payload.as_bytes()));
        taken.collect()
    }

    fn log_feedback(feedback: Feedback) -> Result<(), Error> {
        take(feedback.key, feedback.name.as_bytes())
    }

    fn flush(_mode: FlushMode) -> Result<DeliveryReport, Error> {
        perform(Place::Flush);
        if HELD.with_borrow_mut(Held::calm_down) {
            return Err(Error::Other(Some("flush is not in the mood".to_owned())));
        }
        Ok(HELD.with_borrow_mut(Held::report))
    }

    fn next_wake() -> Option<u64> {
        perform(Place::Wake);
        HELD.with_borrow(|held| (!held.events.is_empty()).then_some(0))
    }

    fn stats() -> Stats {
        HELD.with_borrow(|held| Stats {
            events: held.events.len() as u64 + held.delivered,
            events_invalid: 0,
            calls: 0,
            open_calls: 0,
            queued_spans: held.events.len() as u64,
            queued_bytes: 0,
            spans_delivered: held.delivered,
            spans_refused: 0,
            spans_skipped: 0,
            spans_returned: 0,
            requests: 0,
            requests_failed: 0,
            bytes_sent: 0,
        })
    }
}

/// A call that a gateway forwards: its request says how to behave, its end is when it is taken.
struct CapturedCall {
    key: u64,
    request: Vec<u8>,
}

impl GuestCall for CapturedCall {
    fn begin(start: CallStart, body: Vec<u8>) -> Result<Call, Error> {
        Ok(Call::new(Self {
            key: start.key,
            request: body,
        }))
    }

    fn response_head(&self, _: Timestamp, _: u16, _: Vec<Header>) -> Result<(), Error> {
        Ok(())
    }

    fn chunk(&self, _: Timestamp, _: Vec<u8>) -> Result<(), Error> {
        Ok(())
    }

    fn gap(&self, _: Timestamp, _: u64) -> Result<(), Error> {
        Ok(())
    }

    fn event(&self, _: CallEvent) -> Result<(), Error> {
        Ok(())
    }

    fn finish(&self, _: Timestamp) -> Result<(), Error> {
        take(self.key, &self.request)
    }

    fn fail(&self, _: Timestamp, _: Failure) -> Result<(), Error> {
        take(self.key, &self.request)
    }
}

impl Drop for CapturedCall {
    fn drop(&mut self) {
        if let Some(act) = act_of(&self.request) {
            act.perform(Place::Drop);
        }
    }
}
