//! The event hooks: litellm's payloads, several after the other, as streams or not.
//!
//! The first byte picks the settings. Then events, each a byte that picks hook and context, and the payload up to
//! 0xff.

use std::collections::BTreeSet;

use logger_core::event::{Context, Event, Hook};

use crate::Bytes;
use crate::sink::{self, NOW, SETTINGS, START};

/// Runs an input.
pub fn run(data: &[u8]) {
    let mut input = Bytes(data);
    let mut logger = sink::logger(input.pick(&SETTINGS));
    let mut taken = BTreeSet::new();
    let mut key = 0;
    while !input.0.is_empty() && key < 16 {
        let how = input.byte();
        let Some(payload) = input.text() else {
            continue;
        };
        key += 1;
        let said = (how & 8 != 0).then_some(payload);
        let event = Event {
            hook: [Hook::Success, Hook::Failure, Hook::Stream, Hook::Feedback]
                [usize::from(how & 3)],
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
        };
        if logger.log(NOW, &event).is_ok() {
            taken.insert(key);
        }
    }
    sink::drain(&mut logger, &taken);
}
