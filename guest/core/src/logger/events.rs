//! The event hooks: single calls, and streams from their first chunk to their end.

use std::time::Duration;

use super::Logger;
use super::recent::Ended;
use crate::event::{Context, Event, EventError, EventKey, Hook};
use crate::feedback::Feedback;
use crate::json::Raw;
use crate::litellm::streams::Part;
use crate::litellm::{self, Ending, Finished, Payload};
use crate::settings::{Experiment, ParentMode};
use crate::span::ChunkLog;

impl Logger {
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
        if event.hook == Hook::Feedback {
            return self.judge(now, &Feedback::parse(event)?);
        }
        let document = Payload::document(event.payload)?;
        let payload = Payload::new(&document)?;
        match event.hook {
            Hook::Stream if payload.ends_stream() => {
                self.end(now, &payload, event, Ending::Success)
            }
            Hook::Stream => self.chunk(now, &payload, event),
            Hook::Success if payload.is_chunk() && !self.has_stream_events(&payload) => {
                self.chunk(now, &payload, event)
            }
            Hook::Success => self.end(now, &payload, event, Ending::Success),
            Hook::Failure | Hook::Feedback => self.end(now, &payload, event, Ending::Failure),
        }
    }

    /// Whether the call's chunks come by the stream hook: the success hook then ends the stream.
    fn has_stream_events(&self, payload: &Payload<'_>) -> bool {
        let id = payload.stream_id();
        id.is_some_and(|id| self.streams.came_by_hook(&id))
    }

    fn chunk(
        &mut self,
        now: Duration,
        payload: &Payload<'_>,
        event: &Event<'_>,
    ) -> Result<(), EventError> {
        let settings = self.settings.as_ref().ok_or(EventError::NotConfigured)?;
        let capture = settings.content.capture;
        let id = payload.stream_id().ok_or_else(|| {
            EventError::InvalidPayload(
                "a chunk has to name its call: `kwargs.litellm_call_id`, or `response_obj.id`"
                    .to_owned(),
            )
        })?;
        let part = part(payload, event);
        self.streams.add(&id, now, &part, capture);
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
        let stream = id.as_ref().and_then(|id| self.streams.take(id));
        let Some(mut stream) = stream else {
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
            return self.emit_event(now, &finished, vec![event.key], &ChunkLog::default());
        };
        let settings = self.settings.as_ref().ok_or(EventError::NotConfigured)?;
        stream.add(&part(payload, event), settings.content.capture);
        let opening = Payload::document(&stream.opening)?;
        let opening = Payload::new(&opening)?;
        let assembled = stream.assembled(&opening);
        let context = stream.context.with(Some(&event.context));
        let finished = Finished {
            payload,
            opening: Some(&opening),
            assembled: assembled.as_deref().and_then(|text| Raw::parse(text).ok()),
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
        let emitted = self.emit_event(now, &finished, keys, &stream.chunks);
        if let Err(error) = &emitted {
            self.refuse(earlier, error.to_string());
        }
        emitted
    }

    /// Ends a stream that nobody ended.
    pub(super) fn cancel(&mut self, now: Duration, id: &str) {
        let Some(mut stream) = self.streams.take(id) else {
            return;
        };
        let keys = std::mem::take(&mut stream.keys);
        let emitted = Payload::document(&stream.opening).and_then(|opening| {
            let opening = Payload::new(&opening)?;
            let assembled = stream.assembled(&opening);
            let context = stream.context.with(None);
            let experiment = self.experiment_of(&opening, &context)?;
            let late = |ended: &Ended| ended.whole_stream || stream.start == Some(ended.start);
            if self.ended.of(id, &experiment.to_string()).any(late) {
                self.stats.spans_skipped += 1;
                let reason = "the chunk came after its call had ended";
                self.outbox.skip(keys.clone(), reason);
                return Ok(());
            }
            let finished = Finished {
                payload: &opening,
                opening: None,
                assembled: assembled.as_deref().and_then(|text| Raw::parse(text).ok()),
                progress: Some(stream.progress()),
                ending: Ending::Cancelled,
                start: stream.start,
                end: stream.last,
                context: &context,
            };
            self.emit_event(now, &finished, keys.clone(), &stream.chunks)
        });
        if let Err(error) = emitted {
            self.refuse(keys, error.to_string());
        }
    }

    fn refuse(&mut self, keys: Vec<EventKey>, reason: String) {
        self.stats.spans_refused += 1;
        self.outbox.refuse(keys, reason);
    }

    fn emit_event(
        &mut self,
        now: Duration,
        finished: &Finished<'_, '_>,
        keys: Vec<EventKey>,
        chunks: &ChunkLog,
    ) -> Result<(), EventError> {
        let experiment = self.experiment_of(finished.payload, finished.context)?;
        let destination = experiment.to_string();
        let call = litellm::call(finished, &destination)?;
        let id = finished.payload.stream_id();
        let streamed = finished.progress.is_some();
        let succeeded = finished.ending == Ending::Success;
        if let (Some(id), true, false) = (&id, succeeded, streamed) {
            // The other of litellm's two success hooks: a span without the chunks would take the place of
            // the one that has them.
            let same = |ended: &Ended| ended.whole_stream && ended.start == call.start;
            if self.ended.of(id, &destination).any(same) {
                self.stats.spans_skipped += 1;
                self.outbox
                    .skip(keys, "the end of this stream was logged before");
                return Ok(());
            }
        }
        let trace = self.emit(now, &call, keys, chunks, &experiment, ParentMode::Join)?;
        if let Some(id) = id {
            let ended = Ended {
                trace,
                start: call.start,
                whole_stream: streamed && succeeded,
            };
            self.ended.remember(&id, &destination, ended);
        }
        Ok(())
    }

    fn experiment_of(
        &self,
        payload: &Payload<'_>,
        context: &Context<'_>,
    ) -> Result<Experiment, EventError> {
        self.experiment(context.experiment, |by| {
            litellm::routed_by(payload, context, by)
        })
    }
}

fn part<'p, 'a>(payload: &'p Payload<'a>, event: &'p Event<'a>) -> Part<'p, 'a> {
    Part {
        payload,
        key: event.key,
        start: event.start,
        at: event.time.or(event.end),
        came: event.time,
        by_hook: event.hook == Hook::Stream,
        context: &event.context,
    }
}
