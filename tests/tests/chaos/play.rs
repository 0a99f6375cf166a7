//! What the tests share: a provider that is played, a gateway that can be killed, and calls that are
//! counted where they arrive.

#![allow(dead_code, reason = "not every test uses all of it")]

mod running;
mod stage;
mod stored;

use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use mock_provider::Provider;

pub use running::Running;
pub use stage::Stage;
pub use stored::Stored;

/// How long anything may take to come about, on a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// A setting: batches need not fill up.
pub const SOON: &str = "flush_interval_ms = 50";

/// A text that is in no other call's.
pub fn marker(name: &str, number: usize) -> String {
    format!("marker-{name}-{number}-end")
}

/// The URL of the provider that all tests share. It ends with this process.
pub fn provider() -> Result<&'static str> {
    static PROVIDER: OnceLock<Result<String>> = OnceLock::new();
    let url = PROVIDER.get_or_init(|| {
        let (started, has_started) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let listen = ([127, 0, 0, 1], 0).into();
                let provider = Provider::start(listen, Duration::from_millis(5)).await?;
                // Whoever asked waits for it.
                let _ = started.send(provider.url());
                std::future::pending::<Result<()>>().await
            })
        });
        has_started.recv().context("the provider does not start")
    });
    let url = url.as_deref();
    url.map_err(|error| anyhow!("{error:#}"))
}

/// The seed of this run, which `CHAOS_SEED` sets.
pub fn seed(test: &str) -> fastrand::Rng {
    let asked = std::env::var("CHAOS_SEED").ok();
    let seed = asked.and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("{test}: CHAOS_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// Asks again and again until it is so.
pub fn eventually(what: &str, mut so: impl FnMut() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !so()? {
        ensure!(began.elapsed() < PATIENCE, "{what}: it never came to that");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
