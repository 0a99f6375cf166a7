//! The feedback hook.

use std::time::Duration;

use super::Logger;
use crate::event::EventError;
use crate::feedback::{self, Feedback, Subject};
use crate::litellm;
use crate::policy::Policy;

impl Logger {
    /// Takes feedback on a call. It is sent once the call's trace has been delivered.
    pub fn log_feedback(&mut self, now: Duration, about: &Feedback<'_>) -> Result<(), EventError> {
        let logged = self.judge(now, about);
        match logged {
            Ok(()) => self.stats.events += 1,
            Err(EventError::InvalidPayload(_)) => self.stats.events_invalid += 1,
            Err(_) => {}
        }
        logged
    }

    pub(super) fn judge(&mut self, now: Duration, about: &Feedback<'_>) -> Result<(), EventError> {
        let size = about.name.len() + about.rationale.as_ref().map_or(0, |text| text.len());
        self.make_room(now, size)?;
        let trace = self.subject(about)?;
        let settings = self.settings.as_ref().ok_or(EventError::NotConfigured)?;
        let body = about.body(&trace, &mut Policy::new(&settings.content))?;
        self.outbox.push_feedback(trace, body, about.key);
        Ok(())
    }

    /// A call that ended lately is remembered; the trace of an older one follows from its call id, unless
    /// it failed or was a child of another span.
    fn subject(&self, about: &Feedback<'_>) -> Result<crate::id::TraceId, EventError> {
        let call = match &about.subject {
            Subject::Trace(trace) => return feedback::trace_id(trace),
            Subject::Call(call) if call.trim().is_empty() => {
                let reason = "feedback needs a call id or a trace id";
                return Err(EventError::InvalidPayload(reason.to_owned()));
            }
            Subject::Call(call) => call,
        };
        if let Some(ended) = self.ended.last(call) {
            return Ok(ended.trace);
        }
        let experiment = self.experiment(about.experiment, |_| None)?;
        let destination = experiment.to_string();
        Ok(litellm::success_ids(destination.as_bytes(), call).trace)
    }
}
