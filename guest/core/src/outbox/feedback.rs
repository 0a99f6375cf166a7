//! Feedback on its way: one request each, once the trace it is about has been delivered.

use std::collections::VecDeque;
use std::time::Duration;

use super::requests::build;
use super::verdict::{Verdict, told, too_slow, verdict};
use super::{InFlight, Outbox};
use crate::event::EventKey;
use crate::id::{self, TraceId};
use crate::report::{Cause, Deferral, Delivery, Refusal, Stats};
use crate::settings::Protocol;
use crate::transport::{Method, Request, RequestId, Response, TransportError};

/// How long to wait before asking again for a trace that is not there.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// How long a trace that is not there is waited for: whoever else sends it has had its time by then.
const TRACE_PATIENCE: Duration = Duration::from_secs(20);

/// What feedback takes of the queue beside its text.
const OVERHEAD: usize = 128;

/// An assessment of a trace.
#[derive(Debug)]
pub(super) struct Assessment {
    server: usize,
    trace: TraceId,
    body: Vec<u8>,
    key: EventKey,
    not_before: Duration,
    wait: Duration,
    first_tried: Option<Duration>,
}

impl Assessment {
    fn held(&self) -> usize {
        self.body.len() + OVERHEAD
    }
}

/// What waits.
pub(super) type Queue = VecDeque<Assessment>;

impl Outbox {
    /// Queues feedback. Plain OTLP has none.
    pub fn push_feedback(&mut self, trace: TraceId, body: Vec<u8>, key: EventKey) {
        let server = self.server;
        let settings = self
            .servers
            .get(server)
            .map(|server| &server.settings.server);
        if settings.is_some_and(|settings| settings.protocol == Protocol::Otlp) {
            let reason = "there is no feedback over plain OTLP (`protocol`)";
            return self.refuse(vec![key], reason.to_owned());
        }
        let assessment = Assessment {
            server,
            trace,
            body,
            key,
            not_before: Duration::ZERO,
            wait: FIRST_WAIT,
            first_tried: None,
        };
        self.bytes += assessment.held();
        self.feedback.push_back(assessment);
    }

    /// The next feedback that can go out: its trace no longer waits here.
    pub(super) fn poll_feedback(&mut self, now: Duration) -> Option<Request> {
        let next = self.feedback.iter().position(|assessment| {
            let server = self.servers.get(assessment.server);
            assessment.not_before <= now
                && server.is_some_and(|server| server.backoff.wait(now).is_zero())
                && !self.waits_here(&assessment.trace)
        })?;
        let assessment = self.feedback.remove(next)?;
        let settings = &self.servers.get(assessment.server)?.settings;
        let request = build(
            RequestId(self.next_request),
            &settings.server,
            Method::Post,
            format!(
                "{}/api/3.0/mlflow/traces/{}/assessments",
                settings.server.tracking_uri,
                id::mlflow_trace_id(&assessment.trace)
            ),
            vec![("content-type", "application/json".to_owned())],
            assessment.body.clone(),
            settings.delivery.timeout,
        );
        self.next_request += 1;
        self.in_flight
            .insert(request.id, InFlight::Feedback(assessment));
        Some(request)
    }

    fn waits_here(&self, trace: &TraceId) -> bool {
        let in_flight = self.in_flight.values();
        self.lanes.iter().any(|lane| lane.holds(trace))
            || in_flight
                .into_iter()
                .any(|request| matches!(request, InFlight::Batch(_, batch) if batch.holds(trace)))
    }

    pub(super) fn on_feedback(
        &mut self,
        now: Duration,
        mut assessment: Assessment,
        answer: &Result<Response, TransportError>,
        stats: &mut Stats,
    ) {
        let Some(server) = self.servers.get_mut(assessment.server) else {
            return;
        };
        let patience = server.settings.delivery.retry_max_elapsed;
        let impatient = |first: Option<Duration>| {
            first.is_some_and(|first| now.saturating_sub(first) >= patience)
        };
        if let Some(missing) = missing_trace(answer) {
            let reason = told(missing, &server.settings.server);
            server.backoff.reset(now);
            let patience = patience.min(TRACE_PATIENCE);
            if assessment
                .first_tried
                .is_some_and(|first| now.saturating_sub(first) >= patience)
            {
                self.release(assessment.held());
                return self.refuse(vec![assessment.key], reason);
            }
            assessment.first_tried.get_or_insert(now);
            assessment.not_before = now + assessment.wait;
            assessment.wait = assessment.wait.saturating_mul(2).min(LONGEST_WAIT);
            return self.feedback.push_back(assessment);
        }
        if is_repeat(answer) {
            server.backoff.reset(now);
            return self.assessed(&assessment);
        }
        let obstacle = match verdict(answer, &server.settings.server) {
            Verdict::Delivered => {
                server.backoff.reset(now);
                return self.assessed(&assessment);
            }
            Verdict::Refused(reason) | Verdict::PartlyRefused(reason) => {
                server.backoff.reset(now);
                self.release(assessment.held());
                return self.refuse(vec![assessment.key], reason);
            }
            Verdict::InVain(obstacle, _)
            | Verdict::Later(obstacle)
            | Verdict::NoExperiment(obstacle) => obstacle,
            Verdict::Slow => too_slow(&server.settings, 1),
        };
        stats.requests_failed += 1;
        let reason = obstacle.reason.clone();
        server.failed(now, obstacle, &mut self.random);
        if impatient(assessment.first_tried) {
            self.release(assessment.held());
            let keys = vec![assessment.key];
            self.report.returned.push(Refusal { keys, reason });
        } else {
            assessment.first_tried.get_or_insert(now);
            self.feedback.push_back(assessment);
        }
    }

    fn assessed(&mut self, assessment: &Assessment) {
        self.release(assessment.held());
        self.report.delivered.push(Delivery {
            keys: vec![assessment.key],
            trace_id: assessment.trace,
        });
    }

    /// In how long the next feedback is due, where that is sooner than this. What waits for a trace that
    /// waits here is due when the trace is.
    pub(super) fn feedback_wake(&self, now: Duration, than: Option<Duration>) -> Option<Duration> {
        let due = self.feedback.iter().filter_map(|assessment| {
            let server = self.servers.get(assessment.server)?;
            let wait = assessment.not_before.saturating_sub(now);
            Some((assessment, wait.max(server.backoff.wait(now))))
        });
        let sooner = due.filter(|(_, after)| than.is_none_or(|than| *after < than));
        let free = sooner.filter(|(assessment, _)| !self.waits_here(&assessment.trace));
        free.map(|(_, after)| after).min()
    }
}

impl Outbox {
    /// What holds up the feedback that waits.
    pub(super) fn deferred_feedback(&self, now: Duration) -> Option<Deferral> {
        let after = self.feedback_wake(now, None)?;
        let first = self.feedback.front()?;
        let obstacle = self.servers.get(first.server)?.backoff.obstacle();
        let waiting = || {
            let trace = id::mlflow_trace_id(&first.trace);
            (
                format!("feedback waits for its trace {trace}"),
                Cause::Unavailable,
            )
        };
        let (reason, cause) = obstacle.map_or_else(waiting, |obstacle| {
            (obstacle.reason.clone(), obstacle.cause)
        });
        Some(Deferral {
            after,
            reason,
            cause,
        })
    }
}

/// The answer that says that there is no such trace.
fn missing_trace(answer: &Result<Response, TransportError>) -> Option<&Response> {
    let response = answer.as_ref().ok()?;
    let body = String::from_utf8_lossy(&response.body);
    (response.status == 404 && body.contains("RESOURCE_DOES_NOT_EXIST")).then_some(response)
}

/// MLflow answers a known assessment's id with a server error that names the constraint.
fn is_repeat(answer: &Result<Response, TransportError>) -> bool {
    answer.as_ref().is_ok_and(|response| {
        let body = String::from_utf8_lossy(&response.body);
        response.status >= 400 && body.contains("constraint violation")
    })
}
