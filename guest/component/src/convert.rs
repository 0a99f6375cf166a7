//! Between the hooks' types and the core's: the same things, borrowed where they can be.

use std::time::Duration;

use logger_core::FlushMode;
use logger_core::event as core;
use logger_core::feedback as about;
use logger_core::report;
use logger_core::settings;

use crate::bindings::llm_gateway::hooks::types::{
    CallEventKind, CallStart, Context, Deferral, DeferralCause, Delivery, DeliveryReport, Error,
    Event, Feedback, FeedbackValue, FlushMode as Mode, Header, Hook, Judge, Refusal, Setting,
    SettingError, Stats, Subject,
};

pub fn setting(setting: &settings::Setting) -> Setting {
    Setting {
        key: setting.key.to_owned(),
        doc: setting.doc.to_owned(),
        default: setting.default.map(str::to_owned),
        env: setting.env.map(str::to_owned),
        secret: setting.secret,
    }
}

pub fn setting_error(error: settings::SettingError) -> Error {
    Error::InvalidSetting(SettingError {
        key: error.key,
        reason: error.reason,
    })
}

pub fn event_error(error: core::EventError) -> Error {
    match error {
        core::EventError::NotConfigured => Error::NotConfigured,
        core::EventError::CallEnded => Error::CallEnded,
        core::EventError::InvalidPayload(reason) => Error::InvalidPayload(reason),
        core::EventError::QueueFull => Error::QueueFull,
    }
}

pub fn flush_mode(mode: Mode) -> FlushMode {
    match mode {
        Mode::Due => FlushMode::Due,
        Mode::All => FlushMode::All,
        Mode::Close => FlushMode::Close,
    }
}

pub fn happening(kind: CallEventKind) -> core::Happening {
    match kind {
        CallEventKind::Retry => core::Happening::Retry,
        CallEventKind::Fallback => core::Happening::Fallback,
        CallEventKind::Guardrail => core::Happening::Guardrail,
        CallEventKind::CacheHit => core::Happening::CacheHit,
    }
}

pub fn event(hook: Hook, event: &Event) -> core::Event<'_> {
    core::Event {
        hook: match hook {
            Hook::Success => core::Hook::Success,
            Hook::Failure => core::Hook::Failure,
            Hook::StreamChunk => core::Hook::Stream,
            Hook::Feedback => core::Hook::Feedback,
        },
        key: event.key,
        payload: &event.payload,
        start: event.start_time,
        end: event.end_time,
        time: event.time,
        context: context(&event.context),
    }
}

pub fn feedback(feedback: &Feedback) -> about::Feedback<'_> {
    about::Feedback {
        key: feedback.key,
        subject: match &feedback.subject {
            Subject::Call(id) => about::Subject::Call(id.into()),
            Subject::Trace(id) => about::Subject::Trace(id.into()),
        },
        name: feedback.name.as_str().into(),
        value: match &feedback.value {
            FeedbackValue::Truth(value) => about::Value::Bool(*value),
            FeedbackValue::Number(value) => about::Value::Number(*value),
            FeedbackValue::Text(text) => about::Value::Text(text.into()),
        },
        rationale: feedback.rationale.as_deref().map(Into::into),
        source: about::Source {
            kind: match feedback.source.kind {
                Judge::Human => about::Judge::Human,
                Judge::LlmJudge => about::Judge::LlmJudge,
                Judge::Code => about::Judge::Code,
            },
            id: feedback.source.id.as_str().into(),
        },
        experiment: feedback.experiment.as_deref(),
    }
}

pub fn call_start<'c>(start: &'c CallStart, body: &'c [u8]) -> core::CallStart<'c> {
    core::CallStart {
        key: start.key,
        at: start.at,
        call_id: start.call_id.as_deref(),
        method: &start.method,
        path: &start.path,
        authority: start.authority.as_deref(),
        provider: start.provider.as_deref(),
        headers: headers(&start.headers),
        context: context(&start.context),
        body,
    }
}

pub fn headers(headers: &[Header]) -> Vec<(&str, &[u8])> {
    headers
        .iter()
        .map(|header| (header.name.as_str(), header.value.as_slice()))
        .collect()
}

fn context(context: &Context) -> core::Context<'_> {
    core::Context {
        traceparent: context.traceparent.as_deref(),
        session: context.session.as_deref(),
        user: context.user.as_deref(),
        tags: context
            .tags
            .iter()
            .map(|tag| (tag.key.as_str(), tag.value.as_str()))
            .collect(),
        experiment: context.experiment.as_deref(),
    }
}

pub fn report(report: report::Report) -> DeliveryReport {
    DeliveryReport {
        delivered: report.delivered.into_iter().map(delivery).collect(),
        refused: refusals(report.refused),
        skipped: refusals(report.skipped),
        returned: refusals(report.returned),
        deferred: report.deferred.map(|deferral| Deferral {
            after_ms: milliseconds(deferral.after),
            reason: deferral.reason,
            cause: match deferral.cause {
                report::Cause::Unreachable => DeferralCause::Unreachable,
                report::Cause::Unavailable => DeferralCause::Unavailable,
                report::Cause::Misconfigured => DeferralCause::Misconfigured,
            },
        }),
    }
}

fn delivery(delivery: report::Delivery) -> Delivery {
    Delivery {
        keys: delivery.keys,
        trace_id: logger_core::id::mlflow_trace_id(&delivery.trace_id),
    }
}

fn refusals(refusals: Vec<report::Refusal>) -> Vec<Refusal> {
    refusals
        .into_iter()
        .map(|refusal| Refusal {
            keys: refusal.keys,
            reason: refusal.reason,
        })
        .collect()
}

/// Rounded up, so that a host that waits as long does not come too early.
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
}

pub fn stats(stats: report::Stats) -> Stats {
    Stats {
        events: stats.events,
        events_invalid: stats.events_invalid,
        calls: stats.calls,
        open_calls: stats.open_calls,
        queued_spans: stats.queued_spans,
        queued_bytes: stats.queued_bytes,
        spans_delivered: stats.spans_delivered,
        spans_refused: stats.spans_refused,
        spans_skipped: stats.spans_skipped,
        spans_returned: stats.spans_returned,
        requests: stats.requests,
        requests_failed: stats.requests_failed,
        bytes_sent: stats.bytes_sent,
    }
}
