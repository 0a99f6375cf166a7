//! Spans that go out as one request, and what is known of them when that was in vain.

use std::collections::VecDeque;
use std::time::Duration;

use super::judged::Judged;
use super::lane::Span;
use super::verdict::Obstacle;
use crate::id::TraceId;

/// A call that fails so often by chance with a probability of no more than this is to blame itself.
const BY_CHANCE: f64 = 1e-6;

/// Spans that go out as one request.
#[derive(Debug)]
pub(super) struct Batch {
    pub spans: Vec<Span>,
    /// How often it was sent in vain.
    pub attempts: u32,
    /// When it was first sent in vain, or when it was made of one that others had gone past.
    pub first_tried: Option<Duration>,
    /// It is a part of one that failed: what is wrong may be in it.
    pub suspect: bool,
    /// It is a part of one that got no answer in time, as others did: it has less time.
    pub brief: bool,
    /// Others have passed since it, or what it is a part of, first failed.
    pub others_passed: bool,
    /// What the server had judged when it last failed.
    seen: Option<Judged>,
    /// How likely it is that it has failed by chance so often.
    chance: f64,
    /// It waits alone, for what is wrong with it and not with the server.
    pub waits: Option<(Duration, Obstacle)>,
}

impl Batch {
    pub fn new(spans: Vec<Span>) -> Self {
        Self {
            spans,
            attempts: 0,
            first_tried: None,
            suspect: false,
            brief: false,
            others_passed: false,
            seen: None,
            chance: 1.0,
            waits: None,
        }
    }

    /// What it takes of the queue's bytes.
    pub fn held(&self) -> usize {
        self.spans.iter().map(Span::held).sum()
    }

    /// Whether a span of the trace is in it.
    pub fn holds(&self, trace: &TraceId) -> bool {
        self.spans.iter().any(|span| span.trace == *trace)
    }

    /// How long it waits, though others do not.
    pub fn wait(&self, now: Duration) -> Duration {
        let waits = self.waits.as_ref();
        waits.map_or(Duration::ZERO, |(until, _)| until.saturating_sub(now))
    }

    /// Whether it is one call that is sent alone, as it may be what is wrong.
    pub fn is_alone(&self) -> bool {
        self.suspect && self.spans.len() == 1
    }

    /// Whether it failed alone while others passed: what becomes of it is to be told by its own attempts.
    pub fn is_on_trial(&self) -> bool {
        self.is_alone() && self.waits.is_some()
    }

    /// Notes that it was sent in vain, when the server had judged so many. True: others have passed since it was sent
    /// last.
    pub fn tried(&mut self, now: Duration, judged: Judged) -> bool {
        let before = *self.seen.get_or_insert(judged);
        let passed = judged.passed_since(before);
        self.chance *= judged.chance_since(before);
        self.others_passed |= passed;
        self.attempts += 1;
        self.first_tried.get_or_insert(now);
        self.seen = Some(judged);
        self.waits = None;
        passed
    }

    /// Whether a call that is sent alone has failed so long, and so often while others passed, that it is what is
    /// wrong.
    pub fn is_guilty(&self, now: Duration, patience: Duration) -> bool {
        let tried = self.first_tried.unwrap_or(now);
        self.is_alone() && self.chance <= BY_CHANCE && now.saturating_sub(tried) >= patience
    }

    /// The same as a suspect. Where others pass it has all its time again: it may not be to blame.
    pub fn suspected(self, others_pass: bool) -> Self {
        Self {
            suspect: true,
            first_tried: self.first_tried.filter(|_| !others_pass),
            ..self
        }
    }

    /// The first so many spans and the others, unless one of them is none. Both keep the time of the first attempt.
    pub fn split_at(&mut self, first: usize) -> Option<[Batch; 2]> {
        if first == 0 || first >= self.spans.len() {
            return None;
        }
        let second = self.spans.split_off(first);
        let first = std::mem::take(&mut self.spans);
        Some([first, second].map(|spans| Batch {
            first_tried: self.first_tried,
            suspect: self.suspect,
            brief: self.brief,
            others_passed: self.others_passed,
            seen: self.seen,
            ..Batch::new(spans)
        }))
    }

    /// So many parts of about the same size, or one for each span.
    pub fn parts(mut self, most: usize) -> Vec<Batch> {
        let size = self.spans.len().div_ceil(most.max(1));
        let mut parts = Vec::new();
        while let Some([part, rest]) = self.split_at(size) {
            parts.push(part);
            self = rest;
        }
        parts.push(self);
        parts
    }
}

/// Removes the first batch that does not wait, or as much of it as lately fitted into a request.
pub(super) fn next(ready: &mut VecDeque<Batch>, now: Duration, fitting: usize) -> Option<Batch> {
    let first = ready.iter().position(|batch| batch.wait(now).is_zero())?;
    let mut batch = ready.remove(first)?;
    while batch.spans.len() > fitting
        && let Some([first, second]) = batch.split_at(fitting)
    {
        ready.push_front(second);
        batch = first;
    }
    Some(batch)
}
