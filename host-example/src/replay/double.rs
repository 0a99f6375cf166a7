//! A plugin and a server that are played, with every way to fail.
//!
//! What an event's payload says is what happens to it: `bad` is refused by the hook, `refused` and
//! `skipped` are in the report, `open` is a stream that only closing ends, `trap-log` and
//! `trap-flush` trap there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::sink::{Answers, Sink, Sinks};
use crate::bindings::llm_gateway::hooks::types::{
    Deferral, DeferralCause, Delivery, Refusal as Refused,
};
use crate::error::{LoggerError, Refusal};
use crate::logger::{DeliveryReport, FlushMode, HookedEvent};

/// The server, and how instances behave.
#[derive(Default)]
pub(super) struct World {
    /// How often each event was stored.
    pub stored: BTreeMap<u64, u32>,
    /// How many instances there were.
    pub instances: u32,
    /// Which instance was given an event last.
    pub instance_of: BTreeMap<u64, u32>,
    /// What flushes meet, and how many of them.
    pub obstacle: Option<(DeferralCause, u32)>,
    /// Flushes that give everything back.
    pub returns: u32,
    /// Events an instance has room for, if that is bounded.
    pub room: Option<usize>,
    /// Whether the plugin never reports.
    pub silent: bool,
}

#[derive(Clone, Default)]
pub(super) struct Doubles(pub Arc<Mutex<World>>);

pub(super) struct Double {
    world: Arc<Mutex<World>>,
    number: u32,
    held: Vec<(u64, String)>,
}

/// A line whose event says `what`.
pub(super) fn line(what: &str) -> String {
    format!(r#"{{"hook":"success","kwargs":"{what}"}}"#)
}

fn trap(hook: &'static str) -> LoggerError {
    let reason = "played".to_owned();
    LoggerError::Trap { hook, reason }
}

impl Sinks for Doubles {
    type Sink = Double;

    async fn fresh(&self) -> Result<Double, LoggerError> {
        let mut world = self.0.lock().unwrap();
        world.instances += 1;
        Ok(Double {
            world: self.0.clone(),
            number: world.instances,
            held: Vec::new(),
        })
    }
}

impl Sink for Double {
    async fn log(&mut self, events: &[HookedEvent<'_>]) -> Answers {
        let mut world = self.world.lock().unwrap();
        let mut answers = Vec::new();
        for HookedEvent { event, .. } in events {
            world.instance_of.insert(event.key, self.number);
            answers.push(if event.payload.contains("trap-log") {
                return Err(trap("log-events"));
            } else if event.payload.contains("bad") {
                Err(Refusal::InvalidPayload("it says bad".to_owned()))
            } else if world.room.is_some_and(|room| self.held.len() >= room) {
                Err(Refusal::QueueFull)
            } else {
                self.held.push((event.key, event.payload.to_owned()));
                Ok(())
            });
        }
        Ok(answers)
    }

    async fn flush(&mut self, mode: FlushMode) -> Result<DeliveryReport, LoggerError> {
        let mut world = self.world.lock().unwrap();
        let mut report = DeliveryReport {
            delivered: Vec::new(),
            refused: Vec::new(),
            skipped: Vec::new(),
            returned: Vec::new(),
            deferred: None,
        };
        if world.silent {
            return Ok(report);
        }
        if let Some((cause, times)) = world.obstacle.filter(|(_, times)| *times > 0) {
            world.obstacle = Some((cause, times - 1));
            report.deferred = Some(Deferral {
                after_ms: 5,
                reason: "played".to_owned(),
                cause,
            });
            return Ok(report);
        }
        if self
            .held
            .iter()
            .any(|(_, payload)| payload.contains("trap-flush"))
        {
            return Err(trap("flush"));
        }
        let close = matches!(mode, FlushMode::Close);
        let due = |(_, payload): &mut (u64, String)| close || !payload.contains("open");
        let refusal = |key| Refused {
            keys: vec![key],
            reason: "played".to_owned(),
        };
        if world.returns > 0 {
            world.returns -= 1;
            report.returned = self.held.drain(..).map(|(key, _)| refusal(key)).collect();
            return Ok(report);
        }
        for (key, payload) in self.held.extract_if(.., due) {
            if payload.contains("refused") {
                report.refused.push(refusal(key));
            } else if payload.contains("skipped") {
                report.skipped.push(refusal(key));
            } else {
                *world.stored.entry(key).or_default() += 1;
                report.delivered.push(Delivery {
                    keys: vec![key],
                    trace_id: format!("tr-{key}"),
                });
            }
        }
        Ok(report)
    }

    async fn next_wake(&mut self) -> Result<Option<Duration>, LoggerError> {
        Ok((!self.held.is_empty()).then_some(Duration::from_millis(10)))
    }
}
