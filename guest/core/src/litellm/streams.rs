//! Streams that have begun and not ended: what came of each, until its ending event makes one span.
//!
//! Of each chunk only the choices are kept, as text, and the event that shows it, encoded: a stream's
//! cost a chunk does not depend on its length.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Payload, Progress};
use crate::chunks;
use crate::event::{Context, EventKey, Timestamp};
use crate::json::Raw;
use crate::settings::Capture;
use crate::span::ChunkLog;

/// A stream of which nothing was heard for this long is taken for cancelled.
pub const IDLE: Duration = Duration::from_secs(15 * 60);

/// What an open stream takes beside its texts.
const OVERHEAD: usize = 512;

/// Open streams by the call's id.
#[derive(Debug, Default)]
pub struct Streams {
    open: BTreeMap<String, Stream>,
    bytes: usize,
}

/// One stream, as far as it has come.
#[derive(Debug)]
pub struct Stream {
    /// The payload of its first chunk: the inputs are there.
    pub opening: String,
    /// What the host said with the first chunk.
    pub context: OwnedContext,
    /// When it began, as far as known.
    pub start: Option<Timestamp>,
    /// When the last chunk came, as far as known.
    pub last: Option<Timestamp>,
    /// When the first chunk came, if that is known for itself, and how many did.
    first: Option<Timestamp>,
    count: u64,
    /// Whether its chunks come by the stream hook.
    by_hook: bool,
    /// The events it is made of.
    pub keys: Vec<EventKey>,
    /// Its chunks, to be shown as span events.
    pub chunks: ChunkLog,
    /// All chunks' choices: JSON texts, each followed by a comma.
    choices: String,
    /// The last usage that a chunk told.
    usage: Option<String>,
    heard: Duration,
    bytes: usize,
}

impl Streams {
    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a chunk, which opens its stream if it is the first.
    pub fn add(&mut self, id: &str, now: Duration, part: &Part<'_, '_>, capture: Capture) {
        if !self.open.contains_key(id) {
            let stream = Stream::new(part);
            self.bytes += stream.bytes;
            self.open.insert(id.to_owned(), stream);
        }
        if let Some(stream) = self.open.get_mut(id) {
            let before = stream.bytes;
            stream.heard = now;
            stream.add(part, capture);
            self.bytes += stream.bytes - before;
        }
    }

    /// Whether a stream is open whose chunks come by the stream hook.
    pub fn came_by_hook(&self, id: &str) -> bool {
        self.open.get(id).is_some_and(|stream| stream.by_hook)
    }

    /// Closes a stream.
    pub fn take(&mut self, id: &str) -> Option<Stream> {
        let stream = self.open.remove(id)?;
        self.bytes -= stream.bytes.min(self.bytes);
        Some(stream)
    }

    /// The ids of all streams.
    pub fn ids(&self) -> Vec<String> {
        self.open.keys().cloned().collect()
    }

    /// The ids of streams that fell silent.
    pub fn idle(&self, now: Duration) -> Vec<String> {
        let idle = self
            .open
            .iter()
            .filter(|(_, stream)| now.saturating_sub(stream.heard) >= IDLE);
        idle.map(|(id, _)| id.clone()).collect()
    }

    /// In how long the next stream will have been silent for too long.
    pub fn next_idle(&self, now: Duration) -> Option<Duration> {
        let silent = self
            .open
            .values()
            .map(|stream| now.saturating_sub(stream.heard));
        silent.max().map(|longest| IDLE.saturating_sub(longest))
    }

    /// The stream that was silent for longest.
    pub fn stalest(&self) -> Option<String> {
        let stalest = self.open.iter().min_by_key(|(_, stream)| stream.heard);
        stalest.map(|(id, _)| id.clone())
    }
}

/// A chunk as its hook got it.
pub struct Part<'p, 'a> {
    /// Its payload.
    pub payload: &'p Payload<'a>,
    /// Its event's key.
    pub key: EventKey,
    /// When the call began.
    pub start: Option<Timestamp>,
    /// When the chunk came.
    pub at: Option<Timestamp>,
    /// The same, where the host says so for the chunk itself.
    pub came: Option<Timestamp>,
    /// Whether the stream hook got it.
    pub by_hook: bool,
    /// The surroundings.
    pub context: &'p Context<'a>,
}

impl Stream {
    fn new(part: &Part<'_, '_>) -> Self {
        let opening = part.payload.text.to_owned();
        Self {
            context: OwnedContext::from(part.context),
            start: part.start,
            last: None,
            first: part.came,
            count: 0,
            by_hook: part.by_hook,
            keys: Vec::new(),
            chunks: ChunkLog::default(),
            choices: String::new(),
            usage: None,
            heard: Duration::ZERO,
            bytes: opening.len() + OVERHEAD,
            opening,
        }
    }

    /// Adds what came with an event, its ending one as well.
    pub fn add(&mut self, part: &Part<'_, '_>, capture: Capture) {
        let held = |stream: &Self| {
            let usage = stream.usage.as_ref().map_or(0, String::len);
            stream.chunks.held() + stream.choices.len() + usage
        };
        let before = held(self);
        self.keys.push(part.key);
        let at = part.at.or(part.start);
        self.last = self.last.max(at);
        if let Some(chunk) = part.payload.chunk(part.by_hook) {
            self.count += 1;
            for choice in chunks::choices(chunk) {
                if capture.chunks && capture.outputs {
                    let delta = choice.get("delta").unwrap_or(choice);
                    let answer = choice.get("index").and_then(Raw::as_i64).unwrap_or(0);
                    self.chunks.push(at.unwrap_or_default(), answer, delta);
                }
                self.choices.push_str(choice.text());
                self.choices.push(',');
            }
            let usage = chunk.get("usage").filter(|usage| !usage.is_null());
            if let Some(usage) = usage {
                self.usage = Some(usage.text().to_owned());
            }
        }
        self.bytes += held(self) - before.min(held(self)) + size_of::<EventKey>();
    }

    /// How it came.
    pub fn progress(&self) -> Progress {
        Progress {
            first: self.first,
            chunks: self.count,
        }
    }

    /// The response that the chunks add up to; none if nothing came.
    pub fn assembled(&self, opening: &Payload<'_>) -> Option<String> {
        let choices = self.choices.strip_suffix(',')?;
        let choices = format!("[{choices}]");
        let choices = Raw::parse(&choices).ok()?;
        let usage = self
            .usage
            .as_deref()
            .and_then(|usage| Raw::parse(usage).ok());
        Some(chunks::assemble(
            opening.chunk(self.by_hook),
            choices.items(),
            usage,
        ))
    }
}

/// A [`Context`] that outlives its event.
#[derive(Clone, Debug, Default)]
pub struct OwnedContext {
    traceparent: Option<String>,
    session: Option<String>,
    user: Option<String>,
    tags: Vec<(String, String)>,
    experiment: Option<String>,
}

impl From<&Context<'_>> for OwnedContext {
    fn from(context: &Context<'_>) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            traceparent: owned(context.traceparent),
            session: owned(context.session),
            user: owned(context.user),
            tags: context
                .tags
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            experiment: owned(context.experiment),
        }
    }
}

impl OwnedContext {
    /// The context, with what a later event's says taking precedence.
    pub fn with<'c>(&'c self, later: Option<&Context<'c>>) -> Context<'c> {
        let later = later.cloned().unwrap_or_default();
        let tags = self.tags.iter();
        let mut all: Vec<_> = tags
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        all.extend(later.tags);
        Context {
            traceparent: later.traceparent.or(self.traceparent.as_deref()),
            session: later.session.or(self.session.as_deref()),
            user: later.user.or(self.user.as_deref()),
            tags: all,
            experiment: later.experiment.or(self.experiment.as_deref()),
        }
    }
}
