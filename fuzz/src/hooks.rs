//! The event hooks: litellm's payloads, several after the other, as streams or not.
//!
//! The first byte picks the settings. Then events, each a byte that picks hook and context, and the payload up to
//! 0xff.

use std::collections::BTreeSet;

use logger_core::event::{Context, Event, Hook};
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::Bytes;
use crate::sink::{self, NOW, SETTINGS, START};

/// What an input stands for.
pub struct Input<'a> {
    /// Settings that change what is kept.
    pub settings: &'static str,
    /// The hooks that fire, by their keys 1, 2, ….
    pub events: Vec<Event<'a>>,
}

impl<'a> Input<'a> {
    /// Reads it.
    pub fn read(data: &'a [u8]) -> Self {
        let mut input = Bytes(data);
        let settings = input.pick(&SETTINGS);
        let mut events = Vec::new();
        while !input.0.is_empty() && events.len() < 16 {
            let how = input.byte();
            if let Some(payload) = input.text() {
                events.push(event(how, events.len() as u64 + 1, payload));
            }
        }
        Self { settings, events }
    }
}

fn event(how: u8, key: u64, payload: &str) -> Event<'_> {
    let said = (how & 8 != 0).then_some(payload);
    let hooks = [Hook::Success, Hook::Failure, Hook::Stream, Hook::Feedback];
    Event {
        hook: hooks[usize::from(how & 3)],
        key,
        payload,
        start: (how & 4 == 0).then_some(START),
        end: (how & 16 == 0).then_some(START + 1),
        time: (how & 32 != 0).then_some(START + u64::from(how)),
        context: Context {
            traceparent: (how & 64 != 0)
                .then_some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            session: said,
            user: said,
            tags: said.iter().map(|said| (*said, *said)).collect(),
            experiment: said.filter(|_| how & 128 != 0),
        },
    }
}

/// Runs an input.
pub fn run(data: &[u8]) {
    native(&Input::read(data));
}

/// Runs an input in the core, and returns what it sent.
pub fn native(input: &Input<'_>) -> Vec<Span> {
    let mut logger = sink::logger(input.settings);
    let taken: BTreeSet<u64> = input
        .events
        .iter()
        .filter(|event| logger.log(NOW, event).is_ok())
        .map(|event| event.key)
        .collect();
    sink::drain(&mut logger, &taken)
}
