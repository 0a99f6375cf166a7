//! What goes wrong at a server that is reached, one thing at a time.

use super::{TOKEN, config, visit};
use crate::play::{Said, Tracking};

/// A server's answer, the logger's settings, and what has to come of it: check, level, words.
type Mishap = (
    &'static [Said],
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const LIST: &str = "GET /api/2.0/mlflow/experiments/search";
pub const GET: &str = "GET /api/2.0/mlflow/experiments/get";
const READ: &str = "GET /api/3.0/mlflow/traces/tr-";
const DELETE: &str = "POST /api/2.0/mlflow/traces/delete-traces";
pub const ABSENT: &str =
    r#"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Could not find experiment"}"#;
const DELETED: &str =
    r#"{"experiment":{"experiment_id":"7","name":"gateway","lifecycle_stage":"deleted"}}"#;
const NAME: &str = "experiment_name = \"gateway\"";
const ID: &str = "experiment_id = \"7\"";

const MISHAPS: [Mishap; 20] = [
    (
        &[("GET ", 404, "", "<h1>nginx</h1>")],
        "",
        "server",
        "fail",
        "with the path it is served below",
    ),
    (
        &[("GET ", 302, "location: https://sso/login\r\n", "")],
        "",
        "server",
        "fail",
        "leads to https://sso/login",
    ),
    (
        &[("GET ", 503, "", "")],
        "",
        "server",
        "fail",
        "answered 503; mend: see the server's log",
    ),
    (
        &[(LIST, 401, "", "You are not authenticated.")],
        "",
        "auth",
        "fail",
        "set `token` (MLFLOW_TRACKING_TOKEN)",
    ),
    (
        &[
            ("GET /version", 401, "", "no"),
            (LIST, 401, "", "no Bearer hush-hush"),
        ],
        TOKEN,
        "auth",
        "fail",
        "(hidden); mend: correct `token` (",
    ),
    (
        &[(LIST, 401, "", "no")],
        "username = \"ada\"\npassword = \"hush\"",
        "auth",
        "fail",
        "correct `username` and `password` (",
    ),
    (
        &[(LIST, 403, "", "no")],
        TOKEN,
        "auth",
        "fail",
        "give permission to who `token` (",
    ),
    (
        &[(
            LIST,
            403,
            "",
            "Invalid Host header - possible DNS rebinding attack detected",
        )],
        "",
        "auth",
        "fail",
        "--allowed-hosts 127.0.0.1:",
    ),
    (
        &[(LIST, 200, "", "<html>Sign in</html>")],
        "",
        "auth",
        "fail",
        "a login stands before it",
    ),
    (
        &[(GET, 404, "", ABSENT)],
        ID,
        "experiment",
        "fail",
        "experiment 7 is not there",
    ),
    (
        &[(GET, 200, "", DELETED)],
        NAME,
        "experiment",
        "fail",
        "mlflow experiments restore -x 7",
    ),
    (
        &[(GET, 200, "", DELETED)],
        ID,
        "experiment",
        "fail",
        "experiment 7 is deleted",
    ),
    (
        &[(GET, 403, "", "Permission denied")],
        ID,
        "experiment",
        "fail",
        "the permission EDIT",
    ),
    (
        &[("POST /v1/traces", 501, "", "no OTLP")],
        ID,
        "test trace",
        "fail",
        "--backend-store-uri sqlite:///mlflow.db",
    ),
    (
        &[("POST /v1/traces", 403, "", "Permission denied")],
        ID,
        "test trace",
        "fail",
        "the permission EDIT",
    ),
    (
        &[("POST /v1/traces", 422, "", "bad span")],
        ID,
        "test trace",
        "fail",
        "calls like this one would be lost",
    ),
    (
        &[(READ, 404, "", ABSENT)],
        ID,
        "test trace",
        "fail",
        "use one database",
    ),
    (
        &[(READ, 403, "", "Permission denied")],
        ID,
        "test trace",
        "warn",
        "may not read it; mend: delete it by hand",
    ),
    (
        &[(DELETE, 403, "", "Permission denied")],
        ID,
        "test trace",
        "warn",
        "deleting it is answered 403",
    ),
    (
        &[(DELETE, 200, "", r#"{"traces_deleted":0}"#)],
        ID,
        "test trace",
        "warn",
        "delete it by hand",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_mishap_is_told_with_how_to_mend_it() {
    for (changed, logger, check, level, words) in MISHAPS {
        let mlflow = Tracking::start(changed, 0).await;
        let (_kept, path) = config(&mlflow.url, logger, "");
        let visit = visit(&["--config", &path], |_| ()).await;
        visit.assert(check, level, words);
    }
}
