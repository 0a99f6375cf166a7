//! docs/node.md: the npm package, by its own tests, and packed and installed as its page has it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use e2e::node::{Package, node};
use e2e::{Mlflow, paths, snippets};
use serde_json::{Value, json};

use crate::envoy::stage::{provider, traces};

const PAGE: &str = "docs/node.md";

/// The package with the plugin in it. Tests that build into it take turns.
fn package() -> (Package, MutexGuard<'static, ()>) {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    (Package::prepare(&paths::plugin().unwrap()).unwrap(), turn)
}

/// What a command put out; it has to succeed.
fn out(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{out}\n{errors}");
    out
}

/// Runs a program beside the packed package.
fn run(directory: &Path, program: &str, environment: &[(&str, &str)]) -> String {
    fs::write(directory.join("program.mjs"), program).unwrap();
    out(node(directory)
        .arg("program.mjs")
        .envs(environment.iter().copied()))
}

#[test]
fn the_package_passes_its_own_tests() {
    let (package, _turn) = package();
    let out = out(&mut package.npm(&["test"]));
    let count = |what: &str| {
        let line = out
            .lines()
            .find_map(|line| line.trim_start_matches(['#', 'ℹ', ' ']).strip_prefix(what));
        line.and_then(|count| count.trim().parse::<u32>().ok())
    };
    assert!(count("pass").is_some_and(|passed| passed >= 10), "{out}");
    assert_eq!(count("fail"), Some(0), "{out}");
}

#[test]
fn the_pages_program_logs_to_mlflow() {
    let (package, _turn) = package();
    let page = fs::read_to_string(paths::root().join(PAGE)).unwrap();
    let openai = page
        .split(['`', ' '])
        .find(|word| word.starts_with("openai@"))
        .unwrap();
    let directory = tempfile::tempdir().unwrap();
    package.installed(directory.path(), &[openai]).unwrap();
    let program = snippets::find(PAGE, "js", "loggedFetch").unwrap();
    let environment = [
        ("MLFLOW_TRACKING_URI", &*Mlflow::shared().unwrap().uri()),
        ("OPENAI_BASE_URL", &format!("http://{}/v1", provider())),
        ("OPENAI_API_KEY", "sk-canary"),
    ];
    let said = run(directory.path(), &program, &environment);
    assert!(
        said.contains("delivered: 2") && said.contains("undelivered: 0"),
        "{said}"
    );

    let traces = traces("node", 2);
    let answer = said.lines().next().unwrap();
    for trace in &traces {
        let root = trace.root().unwrap();
        assert_eq!(trace.info.state, "OK");
        assert_eq!(
            root.inputs["messages"][0]["content"],
            "What is the capital of Peru?"
        );
        assert_eq!(root.outputs["choices"][0]["message"]["content"], answer);
        assert!(!format!("{trace:?}").contains("canary"));
    }
    let streamed: Vec<_> = traces
        .iter()
        .map(|trace| trace.root().unwrap().inputs["stream"].clone())
        .collect();
    assert_eq!(streamed, [Value::Null, json!(true)]);
}

#[test]
fn a_plugin_that_traps_costs_what_it_trapped_over_and_nothing_else() {
    let (package, _turn) = package();
    let misbehaving = paths::target()
        .unwrap()
        .join("test-guests/misbehaving.wasm");
    package.build(&misbehaving).unwrap();
    let directory = tempfile::tempdir().unwrap();
    package.installed(directory.path(), &[]).unwrap();
    let program = r#"
        import { Logger } from 'mlflow-wasm-logger';
        const logger = await Logger.start({ tracking_uri: 'http://127.0.0.1:9' });
        for (const say of ['', 'misbehave:trap@log', '', 'misbehave:trap@flush', '']) logger.logSuccess({ kwargs: {}, say });
        console.log(JSON.stringify(await logger.close()));
    "#;
    let said = run(directory.path(), program, &[]);
    let stats: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(stats["logged"], 5, "{stats}");
    assert_eq!(stats["undelivered"], 0, "{stats}");
    assert_eq!(
        stats["delivered"].as_u64().unwrap() + stats["refused"].as_u64().unwrap(),
        5,
        "{stats}"
    );
    assert!(
        stats["delivered"].as_u64().unwrap() >= 3 && stats["traps"].as_u64().unwrap() >= 2,
        "{stats}"
    );
}
