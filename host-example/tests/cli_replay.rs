//! The program's exit codes, what it prints, and where: `replay`.

mod common;

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use common::program::{closed_url, gateway, outcome, report, run, write};
use common::{Server, line};
use serde_json::json;
use tokio::runtime::Runtime;

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
        (vec!["serve"], vec!["--config"]),
        (vec!["sevre"], vec!["unrecognized"]),
    ] {
        let (code, out, err) = run(gateway(&arguments));
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(
            words.iter().all(|word| err.contains(word)),
            "{arguments:?}: {err}"
        );
    }
}
