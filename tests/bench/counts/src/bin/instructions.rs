//! One hot path of the core, run as often as there are lines in a file, for callgrind to count.
//!
//! `instructions CASE FILE`: all but [`counted`] is preparation. Prints how often the path was run, how often it allocated, and how
//! many bytes. `cargo xtask test --only instructions` runs it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use counts::Allocations;
use logger_core::event::{CallStart, Context, Event, Hook};
use logger_core::redact::Detectors;
use logger_core::{FlushMode, Logger};

#[global_allocator]
static ALLOCATOR: counts::Counting = counts::Counting;

const SETTINGS: &str =
    r#"{"tracking_uri":"http://127.0.0.1:9","experiment_id":"0","queue_max_bytes":268435456}"#;
const NOW: Duration = Duration::from_secs(1);
const START: u64 = 1_790_000_000_000_000_000;

/// What callgrind counts: instructions below this function, and no others.
#[unsafe(no_mangle)]
#[inline(never)]
pub fn counted(path: &mut dyn FnMut() -> Result<()>) -> Result<()> {
    path()
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (case, file) = arguments
        .next()
        .zip(arguments.next())
        .context("usage: instructions CASE FILE")?;
    let text = std::fs::read_to_string(file)?;
    let lines: Vec<_> = text.lines().collect();
    let taken = match case.as_str() {
        "success" => hooks(Hook::Success, &lines)?,
        "stream" => hooks(Hook::Stream, &lines)?,
        "wire" => wire(&lines)?,
        "redact" => redact(&lines)?,
        "batch" => batch(&lines)?,
        other => bail!("no case {other}"),
    };
    println!("{} {} {}", lines.len(), taken.count, taken.bytes);
    Ok(())
}

fn logger() -> Result<Logger> {
    let mut logger = Logger::new(1);
    logger.configure(SETTINGS)?;
    Ok(logger)
}

fn log(logger: &mut Logger, hook: Hook, line: &str) -> Result<()> {
    let event = Event {
        hook,
        key: 0,
        payload: line,
        start: Some(START),
        end: Some(START + 1),
        time: None,
        context: Context::default(),
    };
    Ok(logger.log(NOW, &event)?)
}

/// Events through a hook of a logger that has seen one before.
fn hooks(hook: Hook, lines: &[&str]) -> Result<Allocations> {
    let mut logger = logger()?;
    log(&mut logger, hook, lines.first().context("no lines")?)?;
    measure(|| {
        lines
            .iter()
            .try_for_each(|line| log(&mut logger, hook, line))
    })
}

/// Parts of a response, of a call whose request asked for a stream.
fn wire(lines: &[&str]) -> Result<Allocations> {
    let mut logger = logger()?;
    let start = CallStart {
        key: 0,
        at: START,
        call_id: Some("call"),
        method: "POST",
        path: "/v1/chat/completions",
        authority: Some("api.openai.com"),
        provider: None,
        headers: Vec::new(),
        context: Context::default(),
        body: br#"{"model":"m","stream":true,"messages":[{"role":"user","content":"Hello?"}]}"#,
    };
    let call = logger.begin_call(NOW, &start)?;
    let headers: [(&str, &[u8]); 1] = [("content-type", b"text/event-stream")];
    logger.response_head(call, START, 200, &headers)?;
    let parts: Vec<_> = lines
        .iter()
        .map(|line| format!("data: {line}\n\n"))
        .collect();
    measure(|| {
        let mut parts = parts.iter();
        parts.try_for_each(|part| Ok(logger.response_chunk(call, START, part.as_bytes())?))
    })
}

/// Texts in which credentials are looked for.
fn redact(lines: &[&str]) -> Result<Allocations> {
    let detectors = Detectors::secrets();
    measure(|| {
        for line in lines {
            std::hint::black_box(detectors.redact(std::hint::black_box(line)));
        }
        Ok(())
    })
}

/// The request that delivers the lines as one batch.
fn batch(lines: &[&str]) -> Result<Allocations> {
    let mut logger = logger()?;
    lines
        .iter()
        .try_for_each(|line| log(&mut logger, Hook::Success, line))?;
    measure(|| {
        logger.prepare(NOW, FlushMode::All);
        let request = logger.poll_request(NOW).context("there is a batch")?;
        std::hint::black_box(request);
        Ok(())
    })
}

fn measure(mut path: impl FnMut() -> Result<()>) -> Result<Allocations> {
    let (done, taken) = counts::during(|| counted(&mut path));
    done?;
    Ok(taken)
}
