//! The program's exit codes, what it prints, and where: everything but `replay` itself.

mod common;

use common::line;
use common::program::{closed_url, gateway, report, run, write};
use serde_json::{Value, json};

#[test]
fn check_says_ok_or_what_is_wrong_and_where() {
    let directory = tempfile::tempdir().unwrap();
    let uri = "[logger]\ntracking_uri = \"http://127.0.0.1:5000\"\n";
    let good = write(
        directory.path(),
        "good.toml",
        &format!("listen = \"127.0.0.1:8080\"\n{uri}"),
    );
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/gateway.toml");
    for good in [good.as_str(), example] {
        let (code, out, _) = run(gateway(&["check", "--config", good]));
        assert_eq!((code, out), (0, format!("{good}: ok\n")));
    }
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
        (
            format!(
                "[[upstream]]\nprefix = \"/a\"\nbase_url = \"https://a\"\nca_file = \"/no/ca\"\n{uri}"
            ),
            ": `upstream.0.ca_file`: the certificates in /no/ca cannot be read",
        ),
        (
            format!("[[upstream]]\nprefix = \"/a\"\nbase_url = \"https://u:p@a\"\n{uri}"),
            ":3: `upstream.0.base_url`: holds credentials",
        ),
        (
            format!("[[upstream]]\nprefix = \"/a\"\nbase_url = \"https://a\"\ntimeout = 1\n{uri}"),
            ":4: `upstream.0.timeout`: unknown key",
        ),
        (
            format!("[queue]\nworkers = 65\n{uri}"),
            ":2: `queue.workers`: expected at most 64",
        ),
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
fn who_has_read_enough_may_leave() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = gateway(&["plugin-info"]);
    let output = command.stdout(writer).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*said), (Some(0), ""));
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
