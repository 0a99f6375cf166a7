//! docs/write-your-own-plugin.md: the example of a plugin, in the same gateway.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use e2e::{Gateway, Mlflow, paths, snippets};
use serde_json::{Value, json};

use crate::envoy::stage::provider;

const PAGE: &str = "docs/write-your-own-plugin.md";

/// The page's program that takes lines.
struct Collector {
    program: Child,
    lines: BufReader<ChildStdout>,
    url: String,
}

impl Collector {
    fn start() -> Self {
        let python = Mlflow::shared().unwrap().python();
        let text = snippets::find(PAGE, "python", "do_POST").unwrap();
        let mut program = python
            .command()
            .args(["-c", &text, "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        let stderr = program.stderr.take().unwrap();
        BufReader::new(stderr).read_line(&mut url).unwrap();
        Self {
            lines: BufReader::new(program.stdout.take().unwrap()),
            program,
            url: url.trim().to_owned(),
        }
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn plugin() -> String {
    paths::target()
        .unwrap()
        .join("dist/json_lines.wasm")
        .display()
        .to_string()
}

#[test]
fn the_pages_command_replays_into_lines() {
    let mut collector = Collector::start();
    let console = snippets::find(PAGE, "console", "replay").unwrap();
    let commands = snippets::commands(&console);
    // Each program is where the page has it, seen from the checkout; the target directory may be elsewhere.
    let target = paths::target().unwrap().display().to_string();
    let command = commands[1]
        .replace("http://127.0.0.1:7000", &collector.url)
        .replace("target/", &format!("{target}/"));
    let output = Command::new("sh").args(["-c", &command]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["events"], &report["delivered"]),
        (&json!(1), &json!(1))
    );

    let line = collector.line();
    assert_eq!(line["id"], report["trace_ids"][0]);
    assert_eq!(line["hook"], "success");
    assert_eq!(line["start_time"], 1_764_020_000_000_000_000_i64);
    assert_eq!(line["payload"]["kwargs"]["model"], "gpt-4o-mini");
}

#[test]
fn every_hook_becomes_a_line() {
    let mut collector = Collector::start();
    let gateway = Gateway::find().unwrap();
    let mut replay = gateway
        .command([
            "replay",
            "-",
            "--plugin",
            &plugin(),
            "--tracking-uri",
            &collector.url,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = replay.stdin.take().unwrap();
    let hooks = ["failure", "stream", "feedback"];
    for hook in hooks {
        let line = json!({"hook": hook, "kwargs": {}, "start_time": 1, "call_id": "c", "name": "n", "value": 1});
        writeln!(stdin, "{line}").unwrap();
    }
    drop(stdin);
    let output = replay.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["delivered"], 3, "{report}");
    assert_eq!(hooks.map(|_| collector.line()["hook"].clone()), hooks);
}

#[test]
fn settings_it_does_not_know_are_refused_by_name() {
    let gateway = Gateway::find().unwrap();
    let arguments = [
        "replay",
        "-",
        "--plugin",
        &plugin(),
        "--tracking-uri",
        "http://127.0.0.1:9",
    ];
    let mut command = gateway.command(arguments);
    let output = command
        .args(["--experiment-name", "none"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("experiment_name"), "{errors}");
}

#[test]
fn a_gateway_logs_calls_through_it() {
    let mut collector = Collector::start();
    let config = format!(
        "listen = \"127.0.0.1:0\"\n[[upstream]]\nprefix = \"/openai\"\nbase_url = \"http://{}\"\n\n[logger]\ntracking_uri = \"{}\"\n",
        provider(),
        collector.url
    );
    let config = crate::support::file(config);
    let gateway = Gateway::find().unwrap();
    let path = config.path().display().to_string();
    let mut serve = gateway.command(["serve", "--plugin", &plugin(), "--config", &path]);
    let serving = e2e::Serving::start(&mut serve).unwrap();
    let url = format!("{}/openai/v1/chat/completions", serving.url());
    let request =
        json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "to a line"}]});
    let mut answer = ureq::post(&url)
        .header("content-type", "application/json")
        .send(request.to_string())
        .unwrap();
    let answer = answer.body_mut().read_to_string().unwrap();
    let line = collector.line();
    assert_eq!(line["hook"], "call");
    assert_eq!(line["status"], 200);
    assert_eq!(line["request"], request);
    assert_eq!(
        line["response"],
        serde_json::from_str::<Value>(&answer).unwrap()
    );
    assert_eq!(line["failure"], Value::Null);
}

#[test]
fn the_page_shows_the_example_as_it_is() {
    let folder = paths::root().join("guest/examples/json-lines/src");
    let sources: Vec<_> = folder
        .read_dir()
        .unwrap()
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    let shown = snippets::of(PAGE).unwrap();
    let shown: Vec<_> = shown
        .iter()
        .filter(|snippet| snippet.language == "rust")
        .collect();
    assert_eq!(shown.len(), 3);
    for snippet in shown {
        let is_there = sources.iter().any(|source| source.contains(&snippet.text));
        assert!(is_there, "{}", snippet.text);
    }
}
