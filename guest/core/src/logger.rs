//! The logger: what every shell is thin around.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::call::Call;
use crate::event::{Context, Event, EventError, EventKey, Hook};
use crate::id;
use crate::litellm::streams::{Part, Streams};
use crate::litellm::{self, Ending, Finished, Payload};
use crate::outbox::{Due, Outbox};
use crate::policy::Policy;
use crate::report::{Report, Stats};
use crate::settings::{Experiment, ParentMode, SettingError, Settings};
use crate::span;
use crate::transport::{Request, RequestId, Response, TransportError};
use crate::wire::WireCall;

/// How many streams that ended are remembered, so that a chunk that comes late is told from a stream
/// that was never finished.
const REMEMBERED: usize = 4096;

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
    pub(crate) calls: BTreeMap<u64, WireCall>,
    pub(crate) next_call: u64,
    pub(crate) seed: u64,
    streams: Streams,
    ended: VecDeque<id::SpanId>,
    scratch: Vec<u8>,
}

impl Logger {
    /// A logger without settings. `seed` makes the ids of calls that have none, and spreads waiting
    /// times: it should differ between instances.
    pub fn new(seed: u64) -> Self {
        Self {
            settings: None,
            outbox: Outbox::new(seed),
            stats: Stats::default(),
            calls: BTreeMap::new(),
            next_call: 0,
            seed,
            streams: Streams::default(),
            ended: VecDeque::new(),
            scratch: Vec::new(),
        }
    }

    /// Takes settings: a JSON object. Where they are refused nothing changes.
    pub fn configure(&mut self, settings: &str) -> Result<(), SettingError> {
        let settings = Settings::parse(settings)?;
        self.outbox.configure(settings.clone());
        self.settings = Some(settings);
        Ok(())
    }

    /// Takes the event of a hook.
    pub fn log(&mut self, now: Duration, event: &Event<'_>) -> Result<(), EventError> {
        let taken = self.take(now, event);
        match &taken {
            Ok(()) => self.stats.events += 1,
            Err(EventError::InvalidPayload(_)) => self.stats.events_invalid += 1,
            Err(_) => {}
        }
        taken
    }

    fn take(&mut self, now: Duration, event: &Event<'_>) -> Result<(), EventError> {
        self.make_room(now, event.payload.len())?;
        let payload = Payload::parse(event.payload)?;
        match event.hook {
            Hook::Stream if payload.ends_stream() => {
                self.end(now, &payload, event, Ending::Success)
            }
            Hook::Stream => self.chunk(now, &payload, event),
            Hook::Success if payload.is_chunk() => self.chunk(now, &payload, event),
            Hook::Success => self.end(now, &payload, event, Ending::Success),
            Hook::Failure => self.end(now, &payload, event, Ending::Failure),
        }
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
        if self.outbox.spans() == 0 {
            match self.streams.stalest() {
                Some(id) => self.cancel(now, &id),
                None => self.give_up_oldest_call(now),
            }
        }
        Err(EventError::QueueFull)
    }

    pub(crate) fn held_bytes(&self) -> usize {
        let calls: usize = self.calls.values().map(WireCall::held).sum();
        self.outbox.bytes() + self.streams.bytes() + calls
    }

    fn chunk(
        &mut self,
        now: Duration,
        payload: &Payload<'_>,
        event: &Event<'_>,
    ) -> Result<(), EventError> {
        let settings = self.settings.as_ref().ok_or(EventError::NotConfigured)?;
        let id = payload.stream_id().ok_or_else(|| {
            EventError::InvalidPayload(
                "a chunk has to name its call: `kwargs.litellm_call_id`, or `response_obj.id`"
                    .to_owned(),
            )
        })?;
        let part = part(payload, event);
        let mut policy = Policy::new(&settings.content);
        self.streams
            .add(&id, now, &part, &mut policy, &mut self.scratch);
        Ok(())
    }

    fn end(
        &mut self,
        now: Duration,
        payload: &Payload<'_>,
        event: &Event<'_>,
        ending: Ending,
    ) -> Result<(), EventError> {
        let id = payload.stream_id();
        if let Some(id) = &id {
            self.remember(id);
        }
        let Some(mut stream) = id.and_then(|id| self.streams.take(&id)) else {
            let finished = Finished {
                payload,
                opening: None,
                assembled: None,
                progress: None,
                ending,
                start: event.start,
                end: event.end,
                context: &event.context,
            };
            return self.emit_event(now, &finished, vec![event.key], &[]);
        };
        let settings = self.settings.as_ref().ok_or(EventError::NotConfigured)?;
        let mut policy = Policy::new(&settings.content);
        stream.add(&part(payload, event), &mut policy, &mut self.scratch);
        let opening = Payload::parse(&stream.opening)?;
        let assembled = stream.assembled(&opening);
        let context = stream.context.with(Some(&event.context));
        let finished = Finished {
            payload,
            opening: Some(&opening),
            assembled: assembled
                .as_deref()
                .and_then(|text| crate::json::Raw::parse(text).ok()),
            progress: Some(stream.progress()),
            ending,
            start: event.start.or(stream.start),
            end: event.end.or(stream.last),
            context: &context,
        };
        let keys = std::mem::take(&mut stream.keys);
        let earlier: Vec<_> = keys
            .iter()
            .copied()
            .filter(|key| *key != event.key)
            .collect();
        let emitted = self.emit_event(now, &finished, keys, &stream.events);
        if let Err(error) = &emitted {
            self.refuse(earlier, error.to_string());
        }
        emitted
    }

    /// Ends a stream that nobody ended.
    fn cancel(&mut self, now: Duration, id: &str) {
        let Some(mut stream) = self.streams.take(id) else {
            return;
        };
        let keys = std::mem::take(&mut stream.keys);
        if self.ended.contains(&id::derive(&[id.as_bytes()]).span) {
            let reason = "the chunk came after its call had ended";
            self.stats.spans_skipped += 1;
            return self.outbox.skip(keys, reason);
        }
        let emitted = Payload::parse(&stream.opening).and_then(|opening| {
            let assembled = stream.assembled(&opening);
            let context = stream.context.with(None);
            let finished = Finished {
                payload: &opening,
                opening: None,
                assembled: assembled
                    .as_deref()
                    .and_then(|text| crate::json::Raw::parse(text).ok()),
                progress: Some(stream.progress()),
                ending: Ending::Cancelled,
                start: stream.start,
                end: stream.last,
                context: &context,
            };
            self.emit_event(now, &finished, keys.clone(), &stream.events)
        });
        if let Err(error) = emitted {
            self.refuse(keys, error.to_string());
        }
    }

    fn refuse(&mut self, keys: Vec<EventKey>, reason: String) {
        self.stats.spans_refused += 1;
        self.outbox.refuse(keys, reason);
    }

    fn remember(&mut self, id: &str) {
        self.ended.push_back(id::derive(&[id.as_bytes()]).span);
        if self.ended.len() > REMEMBERED {
            self.ended.pop_front();
        }
    }

    fn emit_event(
        &mut self,
        now: Duration,
        finished: &Finished<'_, '_>,
        keys: Vec<EventKey>,
        events: &[u8],
    ) -> Result<(), EventError> {
        let experiment = self.experiment(finished.context)?;
        let call = litellm::call(finished, &experiment.to_string())?;
        self.emit(now, &call, keys, events, &experiment, ParentMode::Join)
    }

    /// The experiment that a call goes to.
    pub(crate) fn experiment(&self, context: &Context<'_>) -> Result<Experiment, EventError> {
        let settings = self.settings.as_ref().ok_or(EventError::NotConfigured)?;
        let asked = context.experiment.map(str::trim);
        Ok(match asked.filter(|name| !name.is_empty()) {
            Some(name) => Experiment::Name(name.to_owned()),
            None => settings.server.experiment.clone(),
        })
    }

    /// Encodes a call and queues it, unless sampling leaves it out.
    pub(crate) fn emit(
        &mut self,
        now: Duration,
        call: &Call<'_>,
        keys: Vec<EventKey>,
        events: &[u8],
        experiment: &Experiment,
        parent: ParentMode,
    ) -> Result<(), EventError> {
        let settings = self.settings.as_ref().ok_or(EventError::NotConfigured)?;
        let content = &settings.content;
        let parent = content.parent.unwrap_or(parent);
        if !id::is_sampled(&span::trace_of(call, parent), content.sample_ratio) {
            self.stats.spans_skipped += 1;
            self.outbox.skip(keys, "left out by `sample_ratio`");
            return Ok(());
        }
        let encoded = span::encode(call, events, parent, &mut Policy::new(content));
        let lane = self.outbox.lane(experiment);
        self.outbox.push(lane, now, encoded, keys);
        Ok(())
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
            while !self.calls.is_empty() {
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

fn part<'p, 'a>(payload: &'p Payload<'a>, event: &'p Event<'a>) -> Part<'p, 'a> {
    Part {
        payload,
        key: event.key,
        start: event.start,
        at: event.time.or(event.end),
        came: event.time,
        context: &event.context,
    }
}
