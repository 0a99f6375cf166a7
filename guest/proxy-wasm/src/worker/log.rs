//! A call that has ended becomes a span; and what people are told of the logging.

use std::time::Duration;

use logger_core::event::{CallStart, Context, EventError, TRUNCATED};
use logger_core::report::{Deferral, Refusal};

use super::Worker;
use crate::record::Ended;

/// How often what goes on is told again.
const TELL: Duration = Duration::from_secs(10);

/// Something for people: whether it is a warning, and what.
pub type Line = (bool, String);

impl Worker {
    /// Hands a call to the core, from its beginning to its end.
    pub(super) fn log(&mut self, now: Duration, mut ended: Ended) {
        let truncated = ended.record.truncation();
        match self.hand_over(now, &mut ended, truncated.as_deref()) {
            Ok(is_sampled) => self.counts.logged += u64::from(is_sampled),
            Err(EventError::QueueFull) => self.counts.dropped_full += 1,
            Err(error) => {
                self.counts.dropped_invalid += 1;
                self.tell.unreadable = Some(error.to_string());
            }
        }
        self.counts.truncated += u64::from(truncated.is_some());
    }

    /// Whether it became a span, and was not left out by sampling.
    fn hand_over(
        &mut self,
        now: Duration,
        ended: &mut Ended,
        truncated: Option<&str>,
    ) -> Result<bool, EventError> {
        let skipped = self.logger.stats().spans_skipped;
        let body = ended.record.request.whole();
        let record = &ended.record;
        let start = CallStart {
            key: record.key,
            at: record.started,
            call_id: None,
            method: &ended.request.method,
            path: &ended.request.path,
            authority: Some(&ended.request.authority),
            provider: record.provider.as_deref(),
            headers: borrowed(&ended.request.fields),
            context: Context {
                tags: truncated
                    .map(|told| (TRUNCATED, told))
                    .into_iter()
                    .collect(),
                ..Context::default()
            },
            body: &body,
        };
        let call = self.logger.begin_call(now, &start)?;
        if let Some(status) = ended.response.status {
            let fields = borrowed(&ended.response.fields);
            self.logger
                .response_head(call, record.started, status, &fields)?;
        }
        for (at, part) in &record.response.parts {
            self.logger.response_chunk(call, *at, part)?;
        }
        let missing = record.response.missing();
        if missing > 0 {
            self.logger.response_gap(call, ended.at, missing)?;
        }
        match &ended.failed {
            None => self.logger.finish_call(now, call, ended.at),
            Some(failed) => {
                self.logger
                    .fail_call(now, call, ended.at, failed.kind, &failed.message)
            }
        }?;
        Ok(self.logger.stats().spans_skipped == skipped)
    }
}

fn borrowed(fields: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
    let fields = fields.iter();
    fields
        .map(|(name, value)| (name.as_str(), value.as_slice()))
        .collect()
}

/// What people have been told.
#[derive(Debug, Default)]
pub struct Tell {
    /// Why the last call that could not be read could not.
    unreadable: Option<String>,
    /// What keeps spans from being delivered.
    obstacle: Option<String>,
    dropped: u64,
    at: Option<Duration>,
}

impl Tell {
    /// What there is to tell. An obstacle is told once, and its end; the rest now and then.
    pub(super) fn of(
        &mut self,
        now: Duration,
        refused: &[Refusal],
        deferred: Option<Deferral>,
        delivered: bool,
        dropped: u64,
    ) -> Vec<Line> {
        let mut lines = Vec::new();
        match deferred {
            Some(deferral) if self.obstacle.as_ref() != Some(&deferral.reason) => {
                let reason = &deferral.reason;
                lines.push((true, format!("calls are not delivered for now: {reason}")));
                self.obstacle = Some(deferral.reason);
            }
            None if delivered && self.obstacle.take().is_some() => {
                lines.push((false, "calls are delivered again".to_owned()));
            }
            _ => {}
        }
        if self.at.is_some_and(|at| now.saturating_sub(at) < TELL) {
            return lines;
        }
        let before = lines.len();
        if let Some(refusal) = refused.last() {
            let (count, reason) = (refused.len(), &refusal.reason);
            lines.push((true, format!("{count} calls were refused: {reason}")));
        }
        if let Some(reason) = self.unreadable.take() {
            lines.push((true, format!("a call could not be read: {reason}")));
        }
        if dropped > self.dropped {
            let more = dropped - self.dropped;
            lines.push((
                true,
                format!(
                    "{more} calls passed unlogged: `queue_max_bytes` or `worker_share` is used up"
                ),
            ));
            self.dropped = dropped;
        }
        if lines.len() > before {
            self.at = Some(now);
        }
        lines
    }
}
