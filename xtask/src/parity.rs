//! `cargo xtask parity`: compares with litellm's own logger and writes the outcome down.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use e2e::parity::{self, Compared, Verdict};
use e2e::{Gateway, Mlflow, Python, Step, paths};

use crate::{cargo, dist};

/// Replays the recorded cases, and writes the document if every field has its verdict.
pub fn run() -> Result<()> {
    dist::build()?;
    cargo::build_gateway()?;
    let python = Python::prepare()?;
    let mlflow = Step::new("Start MLflow").during(|| Mlflow::start(&python))?;
    let gateway = Gateway::find()?;
    let run = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let measure = || parity::measure(&mlflow, &gateway, &format!("parity-{run}"));
    let compared = Step::new("Replay the recorded cases and read them back").during(measure)?;

    let unexplained = summarise(&compared);
    for reason in parity::unused_reasons(&compared) {
        println!("UNUSED       the reason {reason} explains nothing");
    }
    if unexplained > 0 {
        bail!(
            "{unexplained} fields are unexplained: mend the logger, or give a reason in tests/src/parity/reasons"
        );
    }
    let path = paths::root().join(parity::table::PATH);
    fs::write(&path, parity::table::document(&compared))?;
    println!("{}", path.display());
    Ok(())
}

/// Says how many fields came to which verdict; returns how many are unexplained.
fn summarise(compared: &[Compared]) -> usize {
    let [mut same, mut better, mut not_yet, mut unexplained] = [0; 4];
    for case in compared {
        for (field, verdict) in &case.fields {
            match verdict {
                Verdict::Same => same += 1,
                Verdict::Other { reason, .. } if reason.is_not_yet() => {
                    not_yet += 1;
                    println!("NOT YET      {}, {field}: {}", case.name, reason.because);
                }
                Verdict::Other { .. } => better += 1,
                Verdict::Unexplained([recorded, held]) => {
                    unexplained += 1;
                    println!("UNEXPLAINED  {}, {field}", case.name);
                    println!("             recorded {recorded:?}");
                    println!("             held     {held:?}");
                }
            }
        }
    }
    println!(
        "{} calls: {same} fields are the same, {better} better, {not_yet} not yet, {unexplained} unexplained",
        compared.len()
    );
    unexplained
}
