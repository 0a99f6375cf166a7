//! The logger: what every shell is thin around.

mod events;
mod feedback;
mod recent;

pub(crate) use recent::Ended;

use std::borrow::Cow;
use std::time::Duration;

use crate::call::{Call, Outcome};
use crate::event::{EventError, EventKey};
use crate::id::{self, TraceId};
use crate::litellm::streams::Streams;
use crate::outbox::{Due, Outbox};
use crate::policy::Policy;
use crate::redact::Detectors;
use crate::report::{Report, Stats};
use crate::settings::routes::{self, By};
use crate::settings::{Experiment, ParentMode, SettingError, Settings};
use crate::span::{self, ChunkLog};
use crate::transport::{Request, RequestId, Response, TransportError};
use crate::wire::Calls;
use recent::Recent;

/// How much a flush is to send; see `flush-mode` in `wit/types.wit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushMode {
    /// What is due.
    Due,
    /// All that is queued.
    All,
    /// All, after every open stream and call has been ended as cancelled.
    Close,
}

/// Takes events and calls, and has them sent.
///
/// `now` is the time since any fixed point, never going back. A flush is, in a shell:
///
/// ```text
/// logger.prepare(now, mode);
/// while let Some(request) = logger.poll_request(now) {
///     logger.on_response(now, request.id, send(request));
/// }
/// let report = logger.take_report(now);
/// ```
#[derive(Debug)]
pub struct Logger {
    pub(crate) settings: Option<Settings>,
    pub(crate) outbox: Outbox,
    pub(crate) stats: Stats,
    pub(crate) calls: Calls,
    pub(crate) next_call: u64,
    pub(crate) seed: u64,
    streams: Streams,
    pub(crate) ended: Recent,
}

impl Logger {
    /// A logger without settings. `seed` makes the ids of calls that have none, and spreads waiting
    /// times: it should differ between instances.
    pub fn new(seed: u64) -> Self {
        Self {
            settings: None,
            outbox: Outbox::new(seed),
            stats: Stats::default(),
            calls: Calls::default(),
            next_call: 0,
            seed,
            streams: Streams::default(),
            ended: Recent::default(),
        }
    }

    /// Takes settings: a JSON object. Where they are refused nothing changes.
    pub fn configure(&mut self, settings: &str) -> Result<(), SettingError> {
        self.configure_with(Settings::parse(settings)?);
        Ok(())
    }

    /// Takes settings that were read.
    pub fn configure_with(&mut self, settings: Settings) {
        self.outbox.configure(settings.clone());
        self.settings = Some(settings);
    }

    /// Refuses what the queue has no room for. Where open streams alone fill it, the stalest is given
    /// up, so that a flush makes room.
    pub(crate) fn make_room(&mut self, now: Duration, bytes: usize) -> Result<(), EventError> {
        let settings = self.settings.as_ref().ok_or(EventError::NotConfigured)?;
        let most = settings.delivery.queue_max_bytes;
        if bytes > most {
            return Err(EventError::InvalidPayload(format!(
                "{bytes} bytes are more than the queue may hold (`queue_max_bytes`: {most})"
            )));
        }
        if self.held_bytes() + bytes <= most {
            return Ok(());
        }
        let full = self.queue_is_full();
        if self.outbox.spans() == 0 {
            match self.streams.stalest() {
                Some(id) => self.cancel(now, &id),
                None => self.give_up_oldest_call(now),
            }
        }
        Err(full)
    }

    /// Lets go of calls that were sent in vain, of up to a quarter of the queue: the next flush tells of them.
    pub(crate) fn queue_is_full(&mut self) -> EventError {
        let settings = self.settings.as_ref();
        let most = settings.map_or(0, |settings| settings.delivery.queue_max_bytes);
        self.outbox.give_back_failing(most / 4, &mut self.stats);
        EventError::QueueFull
    }

    /// Bytes of waiting spans, open streams and open calls.
    pub fn held_bytes(&self) -> usize {
        self.outbox.bytes() + self.streams.bytes() + self.calls.bytes()
    }

    /// The experiment that a call goes to: the one asked for, else what the rules say; `find` looks up
    /// what a rule looks at.
    pub(crate) fn experiment<'v>(
        &self,
        asked: Option<&str>,
        find: impl Fn(&By) -> Option<Cow<'v, str>>,
    ) -> Result<Experiment, EventError> {
        let settings = self.settings.as_ref().ok_or(EventError::NotConfigured)?;
        let asked = asked.map(str::trim).filter(|name| !name.is_empty());
        let name = asked
            .map(str::to_owned)
            .or_else(|| routes::experiment(&settings.routes, find));
        // A value in a name may be anything; a name is in URLs and logs.
        let redacts = settings.content.redact.detectors.secrets;
        let secrets = Detectors::secrets();
        let name = name.map(|name| match secrets.redact(&name) {
            Some(redacted) if redacts => redacted,
            _ => name,
        });
        Ok(name.map_or_else(|| settings.server.experiment.clone(), Experiment::Name))
    }

    /// Encodes a call and queues it, unless sampling leaves it out. Its trace's id comes back.
    pub(crate) fn emit(
        &mut self,
        now: Duration,
        call: &Call<'_>,
        keys: Vec<EventKey>,
        chunks: &ChunkLog,
        experiment: &Experiment,
        parent: ParentMode,
    ) -> Result<TraceId, EventError> {
        let settings = self.settings.as_ref().ok_or(EventError::NotConfigured)?;
        let content = &settings.content;
        let parent = content.parent.unwrap_or(parent);
        let trace = span::trace_of(call, parent);
        let failed = matches!(call.outcome, Outcome::Failure(_));
        let is_kept = (failed && content.sample_errors)
            || id::is_kept(&trace, call.parent, content.sample_ratio);
        if !is_kept {
            self.stats.spans_skipped += 1;
            self.outbox.skip(keys, "left out by `sample_ratio`");
            return Ok(trace);
        }
        let cost = settings.prices.cost(call);
        let encoded = span::encode(call, cost, chunks, parent, &mut Policy::new(content));
        let lane = self.outbox.lane(experiment);
        self.outbox.push(lane, now, encoded, keys);
        Ok(trace)
    }

    /// Makes ready what `mode` asks for.
    pub fn prepare(&mut self, now: Duration, mode: FlushMode) {
        let ended = match mode {
            FlushMode::Close => self.streams.ids(),
            FlushMode::Due | FlushMode::All => self.streams.idle(now),
        };
        for id in ended {
            self.cancel(now, &id);
        }
        if mode == FlushMode::Close {
            while self.calls.len() > 0 {
                self.give_up_oldest_call(now);
            }
        }
        let due = match mode {
            FlushMode::Due => Due::Some,
            FlushMode::All | FlushMode::Close => Due::All,
        };
        self.outbox.cut(now, due);
    }

    /// The next request to send, if one can go out now; others may follow before it is answered.
    pub fn poll_request(&mut self, now: Duration) -> Option<Request> {
        self.outbox.poll_request(now, &mut self.stats)
    }

    /// Takes in what came of a request.
    pub fn on_response(
        &mut self,
        now: Duration,
        request: RequestId,
        answer: Result<Response, TransportError>,
    ) {
        self.outbox
            .on_response(now, request, answer, &mut self.stats);
        self.ended.forget(&self.outbox.take_given_back());
    }

    /// What became of events since the last report.
    pub fn take_report(&mut self, now: Duration) -> Report {
        self.outbox.take_report(now)
    }

    /// In how long to flush what is due; none if there is nothing to do until something is logged.
    pub fn next_wake(&self, now: Duration) -> Option<Duration> {
        let queued = self.outbox.next_wake(now);
        let idle = self.streams.next_idle(now);
        queued.into_iter().chain(idle).min()
    }

    /// Counts and gauges.
    pub fn stats(&self) -> Stats {
        Stats {
            open_calls: (self.streams.len() + self.calls.len()) as u64,
            queued_spans: self.outbox.spans() as u64,
            queued_bytes: self.held_bytes() as u64,
            ..self.stats
        }
    }
}
