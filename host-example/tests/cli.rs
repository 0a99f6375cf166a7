//! The program, as people and scripts see it: exit codes, what it prints, and where.

mod common;

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use common::{Server, line, plugin_path};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// The program without the environment's settings.
fn gateway(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlflow-gateway"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("MLFLOW_") || name == "RUST_LOG")
        {
            command.env_remove(name);
        }
    }
    command.env("MLFLOW_GATEWAY_PLUGIN", plugin_path());
    command
}

fn run(mut command: Command) -> (i32, String, String) {
    outcome(command.output().unwrap())
}

fn outcome(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn write(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn report(stdout: &str) -> Value {
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    serde_json::from_str(stdout).unwrap()
}

/// A URL where nobody listens.
fn closed_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn server() -> (Runtime, Server) {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Server::start(Duration::ZERO));
    (runtime, server)
}

#[test]
fn every_line_delivered_is_0_and_some_rejected_is_3() {
    let (_runtime, server) = server();
    let directory = tempfile::tempdir().unwrap();
    let good = format!("{}\n{}\n", line("a", 9), line("b", 9));
    let file = write(directory.path(), "good.jsonl", &good);
    let (code, out, err) = run(gateway(&["replay", &file, "--tracking-uri", &server.url]));
    assert_eq!((code, err.as_str()), (0, ""));
    let report_of_good = report(&out);
    assert_eq!(report_of_good["delivered"], 2);
    assert_eq!(report_of_good["trace_ids"].as_array().unwrap().len(), 2);

    let file = write(directory.path(), "bad.jsonl", &format!("{good}\n{{\n"));
    let (code, out, _) = run(gateway(&["replay", &file, "--tracking-uri", &server.url]));
    let report = report(&out);
    assert_eq!(code, 3);
    assert_eq!(
        (&report["events"], &report["delivered"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(report["rejected"][0]["line"], 4);
    assert_eq!(report["trace_ids"], report_of_good["trace_ids"]);
}

#[test]
fn a_server_that_is_not_there_is_1_with_address_and_mend_and_the_report() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(
        directory.path(),
        "a.jsonl",
        &format!("{}\n[]\n", line("a", 9)),
    );
    let url = closed_url();
    let (code, out, err) = run(gateway(&["replay", &file, "--tracking-uri", &url]));
    assert_eq!(code, 1);
    assert!(err.contains(&url) && err.contains("refused"), "{err}");
    assert!(
        err.contains("mlflow server") && err.contains("--tracking-uri"),
        "{err}"
    );
    let report = report(&out);
    assert_eq!(
        (&report["undelivered"], &report["delivered"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(report["rejected"][0]["line"], 2);
}

#[test]
fn an_empty_file_needs_no_server() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "empty.jsonl", "\n");
    let (code, out, _) = run(gateway(&["replay", &file, "--tracking-uri", &closed_url()]));
    assert_eq!(code, 0);
    let expected = json!({"events":0,"delivered":0,"rejected":[],"skipped":[],"trace_ids":[]});
    assert_eq!(report(&out), expected);
}

#[test]
fn standard_input_is_delivered_while_it_is_still_open() {
    let (_runtime, server) = server();
    let mut command = gateway(&["replay", "-", "--tracking-uri", &server.url]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", line("a", 9)).unwrap();
    let mut waited = 0;
    while server.count() == 0 {
        std::thread::sleep(Duration::from_millis(20));
        waited += 1;
        assert!(
            waited < 1500,
            "nothing was delivered while standard input was open"
        );
    }
    drop(stdin);
    let (code, out, _) = outcome(child.wait_with_output().unwrap());
    assert_eq!((code, &report(&out)["delivered"]), (0, &json!(1)));
}

#[test]
fn the_command_line_wins_over_the_file_and_the_file_over_the_environment() {
    let (_runtime, server) = server();
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "a.jsonl", &line("a", 9));
    let toml = |url: &str| format!("[logger]\ntracking_uri = \"{url}\"\nexperiment_id = \"0\"\n");
    let right = write(directory.path(), "right.toml", &toml(&server.url));
    let wrong = write(directory.path(), "wrong.toml", &toml("http://127.0.0.1:1"));
    let mut by_file = gateway(&["replay", &file, "--config", &right]);
    by_file.env("MLFLOW_TRACKING_URI", "http://127.0.0.1:1");
    by_file.env("MLFLOW_EXPERIMENT_NAME", "another");
    let by_line = gateway(&[
        "replay",
        &file,
        "--config",
        &wrong,
        "--tracking-uri",
        &server.url,
    ]);
    let mut by_environment = gateway(&["replay", &file]);
    by_environment.env("MLFLOW_TRACKING_URI", &server.url);
    for command in [by_file, by_line, by_environment] {
        let (code, _, err) = run(command);
        assert_eq!(code, 0, "{err}");
    }
    assert_eq!(server.count(), 3);
}

#[test]
fn what_cannot_start_is_2_and_says_what_to_mend() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "a.jsonl", &line("a", 9));
    let here = directory.path().to_str().unwrap();
    let uri = ["--tracking-uri", "http://127.0.0.1:1"];
    for (arguments, words) in [
        (
            vec!["replay", &file],
            vec!["--tracking-uri", "MLFLOW_TRACKING_URI"],
        ),
        (
            vec!["replay", &file, "--tracking-uri", "mlflow:5000"],
            vec!["--tracking-uri", "http://"],
        ),
        (
            vec!["replay", "/no/such/file", uri[0], uri[1]],
            vec!["/no/such/file"],
        ),
        (vec!["replay", here, uri[0], uri[1]], vec!["directory"]),
        (vec!["replay", &file, "--threads", "0"], vec!["--threads"]),
        (
            vec!["replay", &file, "--config", "/no/file"],
            vec!["/no/file"],
        ),
        (
            vec!["plugin-info", "--plugin", "/no/plugin"],
            vec!["/no/plugin", "cargo xtask dist"],
        ),
        (
            vec!["plugin-info", "--plugin", &file],
            vec!["cannot be used"],
        ),
        (vec!["serve"], vec!["unrecognized"]),
    ] {
        let (code, out, err) = run(gateway(&arguments));
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(
            words.iter().all(|word| err.contains(word)),
            "{arguments:?}: {err}"
        );
    }
}

#[test]
fn check_says_ok_or_what_is_wrong_and_where() {
    let directory = tempfile::tempdir().unwrap();
    let uri = "[logger]\ntracking_uri = \"http://127.0.0.1:5000\"\n";
    let good = write(
        directory.path(),
        "good.toml",
        &format!("listen = \"127.0.0.1:8080\"\n{uri}"),
    );
    let (code, out, _) = run(gateway(&["check", "--config", &good]));
    assert_eq!((code, out), (0, format!("{good}: ok\n")));
    for (text, words) in [
        (
            format!("{uri}sample_ratio = 2\n"),
            ":3: `logger.sample_ratio`:",
        ),
        (
            format!("{uri}trackinguri = \"x\"\n"),
            ":3: `logger.trackinguri`: unknown setting",
        ),
        (format!("listen = 1\n{uri}"), ":1: `listen`:"),
        ("[[upstreams]]\n".to_owned(), ":1: `upstreams`: unknown key"),
        ("[logger]\n".to_owned(), ": `logger.tracking_uri`: required"),
        ("[logger\n".to_owned(), ":1: no valid TOML"),
    ] {
        let file = write(directory.path(), "bad.toml", &text);
        let (code, out, err) = run(gateway(&["check", "--config", &file]));
        assert_eq!((code, out.as_str()), (1, ""), "{text}");
        assert!(err.contains(&format!("{file}{words}")), "{text}: {err}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "a.jsonl", &line("a", 9));
    let config = format!(
        "[logger]\ntracking_uri = \"{}\"\ntoken = \"hush-hush\"\n",
        closed_url()
    );
    let config = write(directory.path(), "a.toml", &config);
    let (_, out, err) = run(gateway(&["-vvv", "replay", &file, "--config", &config]));
    assert!(!out.contains("hush") && !err.contains("hush"), "{out}{err}");
    let bad = write(
        directory.path(),
        "bad.toml",
        "[logger]\ntracking_uri = \"x\"\ntoken = \"hush\"\n",
    );
    let (_, out, err) = run(gateway(&["-v", "check", "--config", &bad]));
    assert!(!out.contains("hush") && !err.contains("hush"), "{out}{err}");
}

#[test]
fn plugin_info_tells_of_both_kinds() {
    let (code, out, _) = run(gateway(&["plugin-info"]));
    assert_eq!(code, 0);
    for words in [
        "wasi:http/outgoing-handler@",
        "llm-gateway:hooks/logger@",
        "token (secret)",
    ] {
        assert!(out.contains(words), "{words}: {out}");
    }
    let (_, out, _) = run(gateway(&["plugin-info", "--json"]));
    let info = report(&out);
    let size = |key: &str| info[key].as_u64().unwrap();
    assert!(size("core_module_bytes") < size("file_bytes"));
    assert!(size("compiled_bytes") > 0);
    let settings = info["settings"].as_array().unwrap();
    let token = settings
        .iter()
        .find(|setting| setting["key"] == "token")
        .unwrap();
    assert_eq!(
        (&token["secret"], &token["env"]),
        (&json!(true), &json!("MLFLOW_TRACKING_TOKEN"))
    );
}

#[test]
fn log_lines_go_to_stderr_in_the_form_that_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "a.jsonl", &line("a", 9));
    let url = closed_url();
    let arguments = [
        "-v",
        "--log-format",
        "json",
        "replay",
        &file,
        "--tracking-uri",
        &url,
    ];
    let (_, out, err) = run(gateway(&arguments));
    report(&out);
    let first: Value = serde_json::from_str(err.lines().next().unwrap()).unwrap();
    assert_eq!(first["level"], "INFO");
    let (code, out, _) = run(gateway(&["--version"]));
    assert_eq!((code, out.starts_with("mlflow-gateway ")), (0, true));
}
