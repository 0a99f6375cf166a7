//! Ten times as many calls as MLflow takes: memory stays bounded, what is dropped is counted, and those who
//! call notice nothing.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::Mlflow;
use e2e::faults::{Fault, Proxy};
use e2e::load::{self, Outcome};

use crate::play::{Stage, Stored, eventually, marker};

/// Bytes of calls that the gateway may hold.
const QUEUE: u64 = 4 << 20;
/// What its memory may grow by under load: the queue, as much again for what two instances make of the calls
/// that they hold, connections, and what the allocator keeps.
const BOUND: u64 = 2 * QUEUE + (40 << 20);
/// How long that goes on.
const TIME: Duration = Duration::from_secs(60);
/// One call in so many is a stream: they take their time.
const STREAM_EVERY: usize = 10;
/// What a text of a call is filled up to.
const TEXT: usize = 8 << 10;
/// Requests to MLflow are held up by that much for each call in them.
const PER_CALL: Duration = Duration::from_millis(500);

#[test]
#[ignore = "takes long: cargo xtask test --only chaos"]
fn ten_times_what_mlflow_takes() -> Result<()> {
    let name = "overload";
    let mlflow = Mlflow::shared()?;
    let proxy = Proxy::start(mlflow.address())?;
    proxy.plan(|request| {
        let calls = request.text().matches("mlflow.spanInputs").count();
        (calls > 0).then(|| Fault::Delay(PER_CALL * u32::try_from(calls).unwrap_or(1)))
    });
    let queue = format!("[queue]\nmax_bytes = {QUEUE}\n");
    let mut stage = Stage::new(&proxy.url(), name, &queue, "batch_max_spans = 16")?;
    let gateway = stage.start()?;
    // Where the plugin was compiled just now, that took more than all that comes.
    let idle = gateway.forget_peak_memory()?;

    // Calls that are logged and calls that are not, in turn: what slows the machine down slows both. Every
    // tenth pair of them is streamed.
    let filling = "x".repeat(TEXT);
    let sent = AtomicUsize::new(0);
    let began = Instant::now();
    let times = std::thread::scope(|scope| {
        let work = || {
            let (mut logged, mut unlogged) = (Vec::new(), Vec::new());
            while began.elapsed() < TIME {
                let number = sent.fetch_add(1, SeqCst);
                let streamed = number.is_multiple_of(STREAM_EVERY);
                let marker = format!("{}{filling}", marker(name, number));
                let times = |prefix| timed(gateway.url(), prefix, &marker, streamed);
                logged.push((streamed, times("/openai")?));
                unlogged.push((streamed, times("/unlogged")?));
            }
            anyhow::Ok((logged, unlogged))
        };
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        let (mut logged, mut unlogged) = (Vec::new(), Vec::new());
        for worker in workers {
            let times = worker.join().expect("a client panicked")?;
            logged.extend(times.0);
            unlogged.extend(times.1);
        }
        anyhow::Ok((logged, unlogged))
    });
    let (logged, unlogged) = times?;
    let ratios =
        [false, true].map(|streamed| median(&logged, streamed) / median(&unlogged, streamed));
    let sent = sent.into_inner();
    let seconds = began.elapsed().as_secs();
    let grown = gateway.peak_memory()?.saturating_sub(idle);
    let taken = gateway.logged("Delivered")?;
    ensure!(
        sent >= 10 * taken,
        "{sent} calls, of which MLflow took {taken}, were no overload"
    );
    let dropped = gateway.logged("Dropped")?;
    let told = gateway.said().matches("calls were not logged").count() as u64;
    ensure!(dropped > 0, "there was room for all {sent} calls");
    ensure!(
        told >= 1 && told <= seconds + 2,
        "told {told} times in {seconds} s"
    );
    ensure!(grown < BOUND, "memory grew by {grown} bytes");
    ensure!(
        ratios.iter().all(|ratio| *ratio < 3.0),
        "calls that are logged take {ratios:.2?} times as long"
    );

    proxy.heal();
    eventually("an end of all calls", || {
        Ok(gateway.logged("Delivered")? + gateway.logged("Dropped")? >= sent)
    })?;
    let dropped = gateway.logged("Dropped")?;
    let stored = Stored::read(mlflow, name)?;
    stored.check_once()?;
    ensure!(
        stored.len() + dropped == sent,
        "{} stored, {dropped} dropped of {sent}",
        stored.len()
    );
    println!(
        "count: {name}: {sent} sent in {seconds} s, of which MLflow took {taken} meanwhile; {} in MLflow once each, {dropped} \
         dropped and told {told} times; \
         memory grew by {} KiB from {} KiB, bound {} KiB; a logged call takes {:.2} times an unlogged one's time, a stream {:.2} times",
        stored.len(),
        grown >> 10,
        idle >> 10,
        BOUND >> 10,
        ratios[0],
        ratios[1],
    );
    Ok(())
}

fn timed(url: &str, prefix: &str, marker: &str, streamed: bool) -> Result<Duration> {
    match load::chat_by(url, prefix, marker, streamed) {
        Outcome::Complete(time) => Ok(time),
        Outcome::Cut => anyhow::bail!("a call was cut off"),
    }
}

/// The median in seconds of those that were streamed, or of those that were not.
fn median(times: &[(bool, Duration)], streamed: bool) -> f64 {
    let times = times.iter().filter(|(was, _)| *was == streamed);
    let mut times: Vec<_> = times.map(|(_, time)| *time).collect();
    times.sort_unstable();
    times
        .get(times.len() / 2)
        .map_or(f64::NAN, Duration::as_secs_f64)
}
