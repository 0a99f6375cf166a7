//! `mlflow-gateway doctor` before a real MLflow, and before one that wants credentials.

use std::process::Stdio;

use e2e::{Gateway, Mlflow, Python};
use serde_json::{Value, json};

use crate::support::traces;

const PASSWORD: &str = "open-sesame-42";

/// What the doctor says, and its exit code.
fn doctor(uri: &str, options: &[&str], environment: &[(&str, &str)]) -> (i32, Value) {
    let mut command = Gateway::find()
        .unwrap()
        .command(["doctor", "--json", "--tracking-uri", uri]);
    command.args(options).envs(environment.iter().copied());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!said.contains(PASSWORD), "{said}");
    (
        output.status.code().unwrap(),
        serde_json::from_str(&said).unwrap(),
    )
}

/// Asserts a finding's level, and words of it.
fn assert_finding(report: &Value, check: &str, level: &str, words: &str) {
    let findings = report["checks"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["check"] == check);
    let found = found.unwrap_or_else(|| panic!("no {check} in {report:#}"));
    assert_eq!(found["level"], level, "{report:#}");
    assert!(found.to_string().contains(words), "{words}: {found}");
}

/// Calls MLflow's REST API.
fn rest(uri: &str, path: &str, credentials: Option<&str>, body: &Value) -> Value {
    let mut request = ureq::post(format!("{uri}/api/2.0/mlflow/{path}"));
    if let Some(credentials) = credentials {
        request = request.header("authorization", credentials);
    }
    let mut answer = request
        .header("content-type", "application/json")
        .send(body.to_string())
        .unwrap();
    serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
}

#[test]
fn the_doctor_writes_a_trace_and_deletes_it_again() {
    let uri = Mlflow::shared().unwrap().uri();
    let experiment = ["--experiment-name", "doctor"];
    // The first visit makes the experiment.
    for (level, words) in [("warn", "it will be created"), ("ok", "is there")] {
        let (code, report) = doctor(&uri, &experiment, &[]);
        assert_eq!(code, 0, "{report:#}");
        assert_finding(&report, "server", "ok", "MLflow 3.");
        assert_finding(&report, "auth", "ok", "without credentials");
        assert_finding(&report, "clock", "ok", "agree");
        assert_finding(&report, "experiment", level, words);
        assert_finding(&report, "test trace", "ok", "written to experiment");
        assert!(traces("doctor").is_empty());
    }
}

#[test]
fn the_doctor_knows_experiments_that_are_not_there() {
    let uri = Mlflow::shared().unwrap().uri();
    let created = rest(
        &uri,
        "experiments/create",
        None,
        &json!({"name": "doctor-deleted"}),
    );
    rest(&uri, "experiments/delete", None, &created);
    let (code, report) = doctor(&uri, &["--experiment-name", "doctor-deleted"], &[]);
    assert_eq!(code, 1);
    let mend = format!(
        "mlflow experiments restore -x {}",
        created["experiment_id"].as_str().unwrap()
    );
    assert_finding(&report, "experiment", "fail", &mend);
    assert_eq!(report["not_checked"], json!(["test trace"]));
    let (code, report) = doctor(&uri, &[], &[("MLFLOW_EXPERIMENT_ID", "987654")]);
    assert_eq!(code, 1);
    assert_finding(
        &report,
        "experiment",
        "fail",
        "experiment 987654 is not there",
    );
}

#[test]
fn the_doctor_tells_credentials_that_are_missing_wrong_or_not_enough() {
    let mlflow = Mlflow::with_login(&Python::prepare().unwrap(), PASSWORD).unwrap();
    let uri = mlflow.uri();
    let login = |name, password| {
        [
            ("MLFLOW_TRACKING_USERNAME", name),
            ("MLFLOW_TRACKING_PASSWORD", password),
        ]
    };

    let (code, report) = doctor(&uri, &[], &[]);
    assert_eq!(code, 1);
    assert_finding(
        &report,
        "auth",
        "fail",
        "set `token` (MLFLOW_TRACKING_TOKEN), or `username` and `password`",
    );
    let (_, report) = doctor(&uri, &[], &login("admin", "no-sesame"));
    assert_finding(
        &report,
        "auth",
        "fail",
        "correct `username` and `password` (the environment variable",
    );
    let (_, report) = doctor(&uri, &[], &[("MLFLOW_TRACKING_TOKEN", "no-token")]);
    assert_finding(
        &report,
        "auth",
        "fail",
        "correct `token` (the environment variable MLFLOW_TRACKING_TOKEN)",
    );

    let (code, report) = doctor(&uri, &[], &login("admin", PASSWORD));
    assert_eq!(code, 0, "{report:#}");
    assert_finding(&report, "server", "ok", "MLflow 3.");
    assert_finding(&report, "test trace", "ok", "deleted");

    // `admin:open-sesame-42`
    let admin = Some("Basic YWRtaW46b3Blbi1zZXNhbWUtNDI=");
    rest(
        &uri,
        "users/create",
        admin,
        &json!({"username": "bob", "password": "a-long-password"}),
    );
    rest(
        &uri,
        "experiments/create",
        admin,
        &json!({"name": "not-bobs"}),
    );
    let (code, report) = doctor(
        &uri,
        &["--experiment-name", "not-bobs"],
        &login("bob", "a-long-password"),
    );
    assert_eq!(code, 1, "{report:#}");
    assert_finding(
        &report,
        "auth",
        "ok",
        "the server takes `username` and `password`",
    );
    assert_finding(&report, "test trace", "fail", "the permission EDIT");
}
