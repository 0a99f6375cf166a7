//! `doctor`: what it finds, how it says that, and what it leaves behind.

mod mishaps;

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::program::{closed_url, gateway, report, run, write};
use crate::play::Tracking;
use crate::tls;
use mishaps::{ABSENT, GET};

/// What came of a doctor's visit.
struct Visit {
    code: i32,
    report: Value,
}

async fn visit(arguments: &[&str], also: impl FnOnce(&mut Command)) -> Visit {
    let mut command = gateway(&["doctor", "--json"]);
    command.args(arguments);
    also(&mut command);
    let ended = tokio::task::spawn_blocking(move || run(command)).await;
    let (code, out, err) = ended.unwrap();
    assert!(
        !out.contains("hush") && !err.contains("hush"),
        "a secret is shown: {out}{err}"
    );
    let report = report(&out);
    assert_eq!(report["ok"], code == 0, "{report:#}");
    Visit { code, report }
}

impl Visit {
    /// A finding's level, and its words with how to mend it.
    fn finding(&self, check: &str) -> (&str, String) {
        let findings = self.report["checks"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["check"] == check);
        let found = found.unwrap_or_else(|| panic!("no {check} in {:#}", self.report));
        let text = |key: &str| found[key].as_str().unwrap_or_default();
        (
            text("level"),
            format!("{}; mend: {}", text("said"), text("mend")),
        )
    }

    /// Asserts what was found; nothing else may be but well.
    fn assert(&self, check: &str, level: &str, words: &str) {
        let (found, said) = self.finding(check);
        assert_eq!(found, level, "{check}: {said}");
        assert!(said.contains(words), "{check}: {said}");
        assert_eq!(self.code, i32::from(level == "fail"), "{:#}", self.report);
        for other in self.report["checks"].as_array().unwrap() {
            assert!(other["check"] == check || other["level"] == "ok", "{other}");
            assert_eq!(other["level"] != "ok", other["mend"].is_string(), "{other}");
        }
    }
}

const TOKEN: &str = "token = \"hush-hush\"";

/// A configuration file whose logger goes there.
fn config(url: &str, logger: &str, rest: &str) -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("{rest}\n[logger]\ntracking_uri = \"{url}\"\n{logger}\n");
    let path = write(directory.path(), "gateway.toml", &text);
    (directory, path)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_well_and_nothing_is_left_behind() {
    let mlflow = Tracking::start(&[], 0).await;
    let provider = Tracking::start(&[], 0).await;
    let directory = tempfile::tempdir().unwrap();
    let spool = directory.path().join("spool");
    let rest = format!(
        "[[upstream]]\nprefix = \"/a\"\nbase_url = \"{}\"\n[spool]\ndir = {spool:?}\nmax_bytes = 1048576",
        provider.url
    );
    let (_kept, config) = config(
        &mlflow.url,
        &format!("experiment_name = \"gateway\"\n{TOKEN}"),
        &rest,
    );
    let visit = visit(&["--config", &config], |_| ()).await;
    assert_eq!(visit.code, 0, "{:#}", visit.report);
    let checks = visit.report["checks"].as_array().unwrap();
    let names: Vec<_> = checks
        .iter()
        .map(|check| check["check"].as_str().unwrap())
        .collect();
    let expected = [
        "settings",
        "plugin",
        "tcp",
        "clock",
        "server",
        "auth",
        "experiment",
        "test trace",
        "spool",
        "upstream /a",
    ];
    assert_eq!(names, expected);
    assert!(
        checks.iter().all(|check| check["level"] == "ok"),
        "{:#}",
        visit.report
    );
    assert!(visit.finding("server").1.contains("3.17.2"));
    assert!(visit.finding("auth").1.contains("`token` ("));
    // Each request has carried the token, that of the plugin too, but the one that asks whether it takes a token; the
    // trace was deleted by its id.
    let heard = mlflow.heard("");
    let carrying = heard
        .iter()
        .filter(|head| head.contains("authorization: Bearer hush-hush"));
    assert_eq!(carrying.count(), heard.len() - 1, "{heard:#?}");
    let [read] = &mlflow.heard("GET /api/3.0/mlflow/traces/tr-")[..] else {
        panic!("{heard:#?}")
    };
    assert!(
        read.split(' ').nth(1).unwrap().len() == "/api/3.0/mlflow/traces/tr-".len() + 32,
        "{read}"
    );
    assert_eq!(
        mlflow
            .heard("POST /api/2.0/mlflow/traces/delete-traces")
            .len(),
        1
    );
    assert!(
        !spool.exists(),
        "the spool's directory was not there before"
    );
    // The provider was not asked for anything.
    assert!(provider.heard("").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_trace_nothing_is_written() {
    let mlflow = Tracking::start(&[], 0).await;
    let visit = visit(&["--no-trace", "--tracking-uri", &mlflow.url], |_| ()).await;
    assert_eq!(visit.code, 0, "{:#}", visit.report);
    assert_eq!(visit.report["not_checked"], serde_json::json!([]));
    assert!(mlflow.heard("POST ").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_for_people() {
    let closed = closed_url();
    let command = gateway(&["doctor", "--tracking-uri", &closed]);
    let (code, out, _) = run(command);
    assert_eq!(code, 1);
    let lines: Vec<_> = out.lines().collect();
    let [settings, plugin, tcp, rest] = lines[..] else {
        panic!("{out}")
    };
    assert!(settings.starts_with("ok    settings  "), "{out}");
    assert!(plugin.starts_with("ok    plugin    "), "{out}");
    assert!(
        tcp.starts_with("fail  tcp       ") && tcp.contains("; mend: start the server there"),
        "{out}"
    );
    assert_eq!(
        rest,
        "not checked, since the above failed: server, auth, experiment, test trace"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_are_wrong_are_told_with_their_line() {
    let nowhere = visit(&[], |_| ()).await;
    nowhere.assert(
        "settings",
        "fail",
        "no MLflow server is named; mend: pass --tracking-uri",
    );
    let (_kept, path) = config("http://127.0.0.1:1", "sample_ratio = 2", "");
    let visit_of = visit(&["--config", &path], |_| ()).await;
    visit_of.assert("settings", "fail", "gateway.toml:4: `sample_ratio`");
    let (_kept, path) = config("http://127.0.0.1:1", "", "[metrics]\nlisten = \"here\"");
    let visit_of = visit(&["--config", &path], |_| ()).await;
    visit_of.assert("settings", "fail", "gateway.toml:2: `metrics.listen`");
    let plugin = |command: &mut Command| {
        command.args(["--plugin", "/no/such.wasm"]);
    };
    visit(&[], plugin)
        .await
        .assert("plugin", "fail", "/no/such.wasm");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_is_tried_step_by_step() {
    let unknown = visit(
        &["--tracking-uri", "http://no-such-host.invalid:5000"],
        |_| (),
    )
    .await;
    unknown.assert("dns", "fail", "no-such-host.invalid");
    let plain = Tracking::start(&[], 0).await;
    let url = plain.url.replace("http://127.0.0.1", "https://localhost");
    let plain = visit(&["--tracking-uri", &url], |_| ()).await;
    plain.assert(
        "tls",
        "fail",
        "begin `tracking_uri` (the option --tracking-uri) with http://",
    );
    let (url, _kept, ca) = tls::serve(&[b"http/1.1"]).await;
    let stranger = visit(&["--tracking-uri", &url], |_| ()).await;
    stranger.assert("tls", "fail", "SSL_CERT_FILE");
    let trust = |command: &mut Command| {
        command.env("SSL_CERT_FILE", &ca);
    };
    let trusted = visit(&["--tracking-uri", &url], trust).await;
    assert_eq!(trusted.finding("tls").0, "ok", "{:#}", trusted.report);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_that_will_be_created_is_a_warning() {
    let absent = [
        (GET, 404, "", ABSENT),
        (
            "POST /api/2.0/mlflow/experiments/create",
            200,
            "",
            r#"{"experiment_id":"7"}"#,
        ),
    ];
    let mlflow = Tracking::start(&absent, 0).await;
    let arguments = [
        "--tracking-uri",
        &mlflow.url,
        "--experiment-name",
        "gateway",
    ];
    let visit = visit(&arguments, |_| ()).await;
    visit.assert(
        "experiment",
        "warn",
        "it will be created with the first trace",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_pass_is_tried_again() {
    let busy = [("POST /v1/traces", 503, "", "busy")];
    let mlflow = Tracking::start(&busy, 0).await;
    let visit = visit(&["--tracking-uri", &mlflow.url], |_| ()).await;
    visit.assert("test trace", "fail", "answered 503: busy");
    assert_eq!(mlflow.heard("POST /v1/traces").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_differ_are_told_by_how_much() {
    for (ahead, level, words) in [
        (30, "warn", "30 s ahead of this machine's"),
        (-30, "warn", "30 s behind this machine's"),
        (3600, "fail", "3600 s ahead of this machine's"),
        (-3600, "fail", "3600 s behind this machine's"),
    ] {
        let mlflow = Tracking::start(&[], ahead).await;
        let visit = visit(&["--tracking-uri", &mlflow.url, "--no-trace"], |_| ()).await;
        let said = visit.finding("clock").1;
        let one_less = words.replace("30 ", "29 ").replace("3600 ", "3599 ");
        assert!(said.contains(words) || said.contains(&one_less), "{said}");
        visit.assert("clock", level, "this machine's; mend: have a time service");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_nobody_asks_for_are_told_as_such() {
    let mlflow = Tracking::start(&[], 0).await;
    let directory = tempfile::tempdir().unwrap();
    let token = write(directory.path(), "token", "hush-hush\n");
    let (_kept, path) = config(&mlflow.url, &format!("token_file = {token:?}"), "");
    let visit = visit(&["--config", &path], |_| ()).await;
    let sent = format!("the server asks for no credentials, and is sent `token` ({token})");
    visit.assert("auth", "ok", &sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_is_asked_what_it_can_be() {
    let collector = Tracking::start(&[], 0).await;
    let (_kept, path) = config(&collector.url, "protocol = \"otlp\"", "");
    let well = visit(&["--config", &path], |_| ()).await;
    assert_eq!(
        (well.code, &well.report["not_checked"]),
        (0, &serde_json::json!([]))
    );
    assert_eq!(collector.heard("").len(), 1);
    let closed = Tracking::start(&[("POST /v1/traces", 404, "", "")], 0).await;
    let (_kept, path) = config(&closed.url, "protocol = \"otlp\"", "");
    let visit = visit(&["--config", &path], |_| ()).await;
    visit.assert("auth", "fail", "what stands before /v1/traces");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_gateway_uses_is_looked_at() {
    let mlflow = Tracking::start(&[], 0).await;
    let spool = |dir: &Path| format!("[spool]\ndir = {dir:?}");
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "file", "");
    let (_kept, path) = config(&mlflow.url, "", &spool(file.as_ref()));
    let no_directory = visit(&["--config", &path], |_| ()).await;
    no_directory.assert("spool", "fail", "set `spool.dir` to another directory");

    let used = host_example::spool::Spool::open(directory.path(), 1 << 20).unwrap();
    let (_kept, path) = config(&mlflow.url, "", &spool(directory.path()));
    let in_use = visit(&["--config", &path], |_| ()).await;
    in_use.assert("spool", "warn", "is in use by another gateway");
    drop(used);

    let huge = format!(
        "{}\nmax_bytes = 9000000000000000000",
        spool(directory.path())
    );
    let (_kept, path) = config(&mlflow.url, "", &huge);
    let full = visit(&["--config", &path], |_| ()).await;
    full.assert("spool", "warn", "make room on the disk");

    let upstream = format!(
        "[[upstream]]\nprefix = \"/a\"\nbase_url = \"{}\"",
        closed_url()
    );
    let (_kept, path) = config(&mlflow.url, "", &upstream);
    let away = visit(&["--config", &path], |_| ()).await;
    away.assert("upstream /a", "warn", "correct host and port in `base_url`");
}
