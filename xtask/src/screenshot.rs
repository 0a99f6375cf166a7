//! `cargo xtask screenshot`: the pictures in docs/images, taken of what the demo logs as MLflow's UI shows it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use e2e::events::{self, Call, SESSION};
use e2e::{Browser, Gateway, Mlflow, Page, Python, Step, Trace, paths};

use crate::{cargo, demo, dist};

/// Where the traces go.
const EXPERIMENT: &str = "assistant";
/// Pictures are kept in the repository.
const MOST_BYTES: u64 = 250 << 10;

/// Takes all of them.
pub fn run() -> Result<()> {
    dist::build()?;
    cargo::build_gateway()?;
    let python = Python::prepare()?;
    let mlflow = Step::new("Start MLflow").during(|| Mlflow::start(&python))?;
    let traces = Step::new("Log a week of calls").during(|| log(&mlflow))?;
    let mut browser = Step::new("Open Chromium").during(Browser::open)?;

    let longest = traces.iter().max_by_key(|trace| trace.info.request_time_ms);
    let last = longest.context("MLflow holds no traces")?;
    let experiment = format!("{}/#/experiments/{}", mlflow.uri(), last.experiment_id);
    let directory = paths::root().join("docs/images");
    // The last of what is expected is what has to be in the picture.
    let pictures: [(&str, String, &[&str]); 3] = [
        (
            "trace.png",
            format!("{experiment}/traces?traceId={}", last.info.trace_id),
            &["get_weather", "A warm coat", "Inputs / Outputs"],
        ),
        (
            "session.png",
            format!("{experiment}/chat-sessions/{SESSION}"),
            &["Take an umbrella", "A warm coat", "Session assessments"],
        ),
        (
            "usage.png",
            format!("{experiment}/overview/usage"),
            &[
                "Token Usage",
                "Cost Breakdown",
                "gpt-4o-mini",
                "Cost Over Time",
            ],
        ),
    ];
    for (name, url, expect) in pictures {
        let picture = directory.join(name);
        let take = || take(&mut browser, url, expect, &picture);
        let shown = Step::new(&format!("Take docs/images/{name}")).during(take)?;
        println!(
            "{}: {} KiB",
            shown.display(),
            fs::metadata(&shown)?.len() >> 10
        );
    }
    Ok(())
}

/// Logs the calls, and reads the conversation's traces back.
fn log(mlflow: &Mlflow) -> Result<Vec<Trace>> {
    let now = demo::now()?;
    let mut calls: Vec<Call> = events::week("week", now);
    calls.extend(events::conversation("trip", now - 20 * events::SECOND));
    let file = paths::target_dir("screenshot")?.join("calls.jsonl");
    fs::write(&file, events::jsonl(&calls))?;
    let replay = Gateway::find()?.replay(&file, &mlflow.uri(), EXPERIMENT, &[])?;
    if replay.code != Some(0) {
        bail!("not everything was delivered:\n{}", replay.stderr);
    }
    let traces = mlflow.trace_infos(EXPERIMENT)?.into_iter();
    let of_session = |trace: &Trace| {
        let session = trace.info.metadata.get("mlflow.trace.session");
        session.is_some_and(|session| session == SESSION)
    };
    Ok(traces.filter(of_session).collect())
}

fn take(browser: &mut Browser, url: String, expect: &[&str], picture: &Path) -> Result<PathBuf> {
    browser.look(&Page {
        url,
        expect: expect.to_vec(),
        show: expect.last().copied(),
        picture: Some(picture),
    })?;
    let bytes = fs::metadata(picture)?.len();
    if bytes > MOST_BYTES {
        bail!(
            "{} has {bytes} bytes, more than {MOST_BYTES}",
            picture.display()
        );
    }
    Ok(picture.to_owned())
}
