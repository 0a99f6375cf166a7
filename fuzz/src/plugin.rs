//! The whole plugin through wasmtime, beside the core natively: on every input both send the same.
//!
//! The first byte says whether the rest is an input of [`crate::hooks`] or of [`crate::wire`]. The component is the one
//! that `cargo xtask dist` builds, loaded by the host that people embed; a server on loopback takes what it sends. It
//! runs some hundred times a second, so that what is deep in the core is left to the other targets: what this one
//! looks at is all that lies between (lifting and lowering, memory, resources, HTTP, the sandbox's limits).

mod stage;

use std::collections::BTreeMap;

use host_example::bindings::llm_gateway::hooks::types::{CallEventKind, Context, Hook, Tag};
use host_example::{
    CallEvent, CallStart, Event, Failure, FlushMode, Header, HookedEvent, Logger, LoggerError,
};
use logger_core::event;
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::sink::START;
use crate::{hooks, wire};
use stage::Stage;

/// Runs an input.
pub fn run(data: &[u8]) {
    let Some((which, data)) = data.split_first() else {
        return;
    };
    if which % 2 == 0 {
        let mut input = hooks::Input::read(data);
        // Feedback has a function of its own there.
        input.events.retain(|one| one.hook != event::Hook::Feedback);
        let sent = Stage::get().run(input.settings, async |logger| log(logger, &input).await);
        same(sent, hooks::native(&input));
    } else {
        let input = wire::Input::read(data);
        let sent = Stage::get().run(input.settings, async |logger| capture(logger, &input).await);
        same(sent, wire::native(&input, None));
    }
}

async fn log(logger: &mut Logger, input: &hooks::Input<'_>) -> Result<usize, LoggerError> {
    let tags: Vec<Vec<Tag<'_>>> = input.events.iter().map(|one| tags(&one.context)).collect();
    let events: Vec<_> = input.events.iter().zip(&tags).map(hooked).collect();
    let answers = logger.log_events(&events).await?;
    Ok(answers.iter().filter(|answer| answer.is_ok()).count())
}

fn tags<'a>(context: &event::Context<'a>) -> Vec<Tag<'a>> {
    let tag = |(key, value): &(&'a str, &'a str)| Tag { key, value };
    context.tags.iter().map(tag).collect()
}

fn hooked<'a>((one, tags): (&'a event::Event<'_>, &'a Vec<Tag<'_>>)) -> HookedEvent<'a> {
    let context = Context {
        traceparent: one.context.traceparent,
        session: one.context.session,
        user: one.context.user,
        tags,
        experiment: one.context.experiment,
    };
    HookedEvent {
        hook: match one.hook {
            event::Hook::Success => Hook::Success,
            event::Hook::Failure => Hook::Failure,
            event::Hook::Stream | event::Hook::Feedback => Hook::StreamChunk,
        },
        event: Event {
            key: one.key,
            payload: one.payload,
            start_time: one.start,
            end_time: one.end,
            time: one.time,
            context,
        },
    }
}

async fn capture(logger: &mut Logger, input: &wire::Input<'_>) -> Result<usize, LoggerError> {
    let headers = headers(&input.headers);
    let start = CallStart {
        key: 1,
        at: START,
        call_id: Some("call-1"),
        method: "POST",
        path: input.path,
        authority: None,
        provider: None,
        headers: &headers,
        context: Context {
            traceparent: None,
            session: None,
            user: None,
            tags: &[],
            experiment: None,
        },
    };
    let mut call = match logger.begin_call(start, input.request).await {
        Err(LoggerError::Refused(_)) => return Ok(0),
        begun => begun?,
    };
    if input.status > 0 {
        let headers = self::headers(&input.response_headers());
        taken(
            call.response_head(logger, START + 1, input.status, &headers)
                .await,
        )?;
    }
    if !input.response.is_empty() {
        taken(call.chunk(logger, START + 2, input.response).await)?;
    }
    match input.end {
        wire::End::Dropped => drop(call),
        wire::End::Failed => {
            let event = CallEvent {
                at: START + 2,
                kind: CallEventKind::Guardrail,
                detail: Some(input.lines),
            };
            taken(call.event(logger, event).await)?;
            let failure = Failure {
                kind: "kind",
                message: input.lines,
            };
            taken(call.fail(logger, START + 3, failure).await)?;
        }
        wire::End::Finished => taken(call.finish(logger, START + 3).await)?,
    }
    Ok(1)
}

fn headers<'a>(headers: &[(&'a str, &'a [u8])]) -> Vec<Header<'a>> {
    let header = |(name, value): &(&'a str, &'a [u8])| Header { name, value };
    headers.iter().map(header).collect()
}

/// A refusal is an answer like others; a trap is a finding.
fn taken(answer: Result<(), LoggerError>) -> Result<(), LoggerError> {
    match answer {
        Err(LoggerError::Refused(_)) => Ok(()),
        other => other,
    }
}

/// Sends what is left, and counts what is told of.
async fn flush(logger: &mut Logger) -> Result<usize, LoggerError> {
    let report = logger.flush(FlushMode::Close).await?;
    let keys = report.delivered.iter().map(|one| one.keys.len());
    let refusals = [&report.refused, &report.skipped, &report.returned]
        .into_iter()
        .flatten();
    Ok(keys.sum::<usize>() + refusals.map(|one| one.keys.len()).sum::<usize>())
}

/// Ids that no call gave are made of the clock, which is another one there.
fn same(sent: Vec<Span>, native: Vec<Span>) {
    assert_eq!(
        told(sent),
        told(native),
        "the component sends what the core does"
    );
}

/// How often what is sent, ids apart.
fn told(spans: Vec<Span>) -> BTreeMap<String, usize> {
    let mut told = BTreeMap::new();
    for mut span in spans {
        span.trace_id.clear();
        span.span_id.clear();
        span.parent_span_id.clear();
        span.attributes
            .retain(|pair| !pair.key.contains("traceRequestId"));
        *told.entry(format!("{span:?}")).or_default() += 1;
    }
    told
}
