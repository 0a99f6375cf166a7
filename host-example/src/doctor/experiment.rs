//! Is the experiment there?

use logger_core::settings::{Experiment, Server};
use logger_core::transport::percent_encoded;
use serde_json::Value;

use super::Report;
use super::access::heard;
use super::client::{Answer, Client};

/// What somebody else has to do where credentials are good and not enough.
pub(super) const MEND_PERMISSION: &str =
    "have somebody who may manage the experiment give these credentials the permission EDIT";
const BASE: &str = "/api/2.0/mlflow/experiments";

/// An experiment's id, where it has one yet.
pub(super) type Known = Option<String>;

/// Looks for the experiment of calls that no route sends elsewhere. None: nothing can be logged to it.
pub(super) async fn look(client: &Client, server: &Server, report: &mut Report) -> Option<Known> {
    let experiment = &server.experiment;
    let path = match experiment {
        Experiment::Name(name) => {
            format!(
                "{BASE}/get-by-name?experiment_name={}",
                percent_encoded(name)
            )
        }
        Experiment::Id(id) => format!("{BASE}/get?experiment_id={}", percent_encoded(id)),
    };
    let answer = heard("experiment", client.get(&path).await, report)?;
    let found = answer.json().map(|json| json["experiment"].clone());
    let found = found.filter(|found| answer.status == 200 && found.is_object());
    match (found, experiment) {
        (Some(found), _) => present(&found, experiment, report).map(Some),
        (None, Experiment::Name(_)) if is_absent(&answer) => {
            report.warn(
                "experiment",
                format!("{experiment} is not there; it will be created with the first trace"),
                "see that `experiment_name` is written as it should be",
            );
            Some(None)
        }
        (None, Experiment::Id(_)) if is_absent(&answer) => {
            let mend = "set `experiment_id` to one that is there, or `experiment_name`, which is created if absent";
            report.fail("experiment", format!("{experiment} is not there"), mend);
            None
        }
        (None, _) if answer.status == 403 => {
            report.fail(
                "experiment",
                format!("{experiment}: {}", answer.words()),
                MEND_PERMISSION,
            );
            None
        }
        (None, _) => {
            let mend = "see the server's log for that request";
            report.fail(
                "experiment",
                format!("{experiment}: {}", answer.words()),
                mend,
            );
            None
        }
    }
}

fn present(found: &Value, experiment: &Experiment, report: &mut Report) -> Option<String> {
    let text = |key: &str| found[key].as_str().unwrap_or_default();
    let id = text("experiment_id");
    if text("lifecycle_stage") == "deleted" {
        let mend =
            format!("bring it back with `mlflow experiments restore -x {id}`, or set another");
        report.fail("experiment", format!("{experiment} is deleted"), mend);
        return None;
    }
    let other = match experiment {
        Experiment::Name(_) => format!("its id is {id}"),
        Experiment::Id(_) => format!("its name is \"{}\"", text("name")),
    };
    report.ok("experiment", format!("{experiment} is there, {other}"));
    Some(id.to_owned())
}

fn is_absent(answer: &Answer) -> bool {
    answer.status == 404 && answer.error_code() == "RESOURCE_DOES_NOT_EXIST"
}
