//! A call logged as the gateway logs one, through the plugin in its sandbox; then read back, and deleted.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::access::heard;
use super::client::Client;
use super::experiment::{Known, MEND_PERMISSION};
use super::{Case, Report};
use crate::bindings::llm_gateway::hooks::types::{Context, Deferral, DeferralCause};
use crate::logger::{DeliveryReport, Event, FlushMode};
use crate::settings::{Layer, Source};

const CHECK: &str = "test trace";
/// The gateway tries for as long as it takes; a connection that broke once is no finding.
const TRIES: usize = 3;
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A call that belongs to nobody and nothing.
const ALONE: Context<'_> = Context {
    user: None,
    session: None,
    tags: &[],
    traceparent: None,
    experiment: None,
};

/// Writes it, reads it, deletes it.
pub(super) async fn write(
    case: &Case<'_>,
    client: &Client,
    known: &Known,
    report: &mut Report,
) -> Option<()> {
    let delivery = match log(case).await {
        Ok(delivery) => delivery,
        Err(error) => {
            report.fail(
                CHECK,
                error.to_string(),
                "try the plugin that came with this gateway",
            );
            return None;
        }
    };
    let Some(delivered) = delivery.delivered.first() else {
        undelivered(&delivery, report);
        return None;
    };
    let id = &delivered.trace_id;
    let experiment = read(client, id, known, report).await?;
    delete(client, id, &experiment, report).await
}

async fn log(case: &Case<'_>) -> Result<DeliveryReport, crate::LoggerError> {
    let all = Layer::from([(
        "sample_ratio".to_owned(),
        (json!(1), Source::Option("of doctor")),
    )]);
    let mut logger = case.plugin.instantiate().await?;
    logger.configure(&case.settings.overlaid(all)).await?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    let payload = json!({
        "kwargs": {
            "litellm_call_id": format!("doctor-{}-{now}", std::process::id()),
            "call_type": "completion",
            "model": "doctor",
            "messages": [{"role": "user", "content": "mlflow-gateway doctor: does this arrive?"}],
        },
        "response_obj": {"choices": [{"message": {"role": "assistant", "content": "It does."}}]},
    });
    let event = Event {
        key: 1,
        payload: &payload.to_string(),
        start_time: Some(now),
        end_time: Some(now + 1_000_000),
        time: None,
        context: ALONE,
    };
    logger.log_success_event(event).await?;
    let mut delivery = logger.flush(FlushMode::All).await?;
    for _ in 1..TRIES {
        let Some(pause) = delivery.deferred.as_ref().and_then(pause) else {
            break;
        };
        tokio::time::sleep(pause).await;
        delivery = logger.flush(FlushMode::All).await?;
    }
    Ok(delivery)
}

/// How long to wait before what may pass is tried again; none: somebody has to mend it.
fn pause(deferral: &Deferral) -> Option<Duration> {
    let asked = Duration::from_millis(deferral.after_ms);
    (deferral.cause != DeferralCause::Misconfigured).then(|| asked.min(LONGEST_PAUSE))
}

fn undelivered(delivery: &DeliveryReport, report: &mut Report) {
    let given_up = [&delivery.refused, &delivery.skipped, &delivery.returned];
    let given_up = given_up.into_iter().flatten().next();
    let (reason, mend) = match (&delivery.deferred, given_up) {
        (Some(deferral), _) => (
            deferral.reason.as_str(),
            match deferral.cause {
                DeferralCause::Unreachable => "see why the server has gone since the checks above",
                DeferralCause::Unavailable => {
                    "see the server's log; calls are kept and sent when it is well"
                }
                DeferralCause::Misconfigured if deferral.reason.contains("answered 403") => {
                    MEND_PERMISSION
                }
                DeferralCause::Misconfigured => "do as it says; calls are kept until then",
            },
        ),
        (None, Some(refusal)) => (
            refusal.reason.as_str(),
            "see the server's log: calls like this one would be lost",
        ),
        (None, None) => (
            "the plugin does not say what became of it",
            "try the plugin that came with this gateway",
        ),
    };
    report.fail(CHECK, format!("it was not stored: {reason}"), mend);
}

/// The id of the experiment that it is in.
async fn read(client: &Client, id: &str, known: &Known, report: &mut Report) -> Option<String> {
    let answer = client.get(&format!("/api/3.0/mlflow/traces/{id}")).await;
    let answer = heard(CHECK, answer, report)?;
    let stored = answer
        .json()
        .map(|json| json["trace"]["trace_info"].clone());
    let stored = stored.filter(|_| answer.status == 200);
    let text = |pointer: &str| stored.as_ref()?.pointer(pointer)?.as_str();
    let experiment = text("/trace_location/mlflow_experiment/experiment_id");
    match (experiment, text("/state")) {
        _ if answer.status == 403 => {
            report.warn(
                CHECK,
                format!("{id} was written, and these credentials may not read it"),
                "delete it by hand; the gateway itself needs no permission to read",
            );
            None
        }
        (Some(found), Some("OK")) if known.as_ref().is_none_or(|known| known == found) => {
            Some(found.to_owned())
        }
        (Some(found), Some(state)) => {
            let mend = "see the server's log; delete it by hand";
            report.fail(
                CHECK,
                format!("{id} is in experiment {found} with the state {state}"),
                mend,
            );
            None
        }
        _ => {
            let mend = "see the server's log, and that all of its processes use one database";
            report.fail(
                CHECK,
                format!("{id} was written, but reading it is {}", answer.words()),
                mend,
            );
            None
        }
    }
}

async fn delete(client: &Client, id: &str, experiment: &str, report: &mut Report) -> Option<()> {
    let which = json!({"experiment_id": experiment, "request_ids": [id]});
    let answer = client
        .post("/api/2.0/mlflow/traces/delete-traces", &which)
        .await;
    let answer = heard(CHECK, answer, report)?;
    let deleted = answer
        .json()
        .and_then(|json| json["traces_deleted"].as_u64());
    if answer.status == 200 && deleted == Some(1) {
        report.ok(
            CHECK,
            format!("written to experiment {experiment}, read back, and deleted"),
        );
        return Some(());
    }
    let said = format!(
        "{id} was written and read back, but deleting it is {}",
        answer.words()
    );
    report.warn(
        CHECK,
        said,
        "delete it by hand; the gateway itself needs no permission to delete",
    );
    None
}
