//! The CPU time of a call into the guest, bounded.
//!
//! Epochs tick by the wall clock, and a flush may wait for the network for a long time without
//! using any CPU. So the deadline is one tick, and each time it passes the time that the call has
//! spent *being polled* decides: while the guest waits, nobody polls it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use wasmtime::UpdateDeadline;

/// The guest has used up the CPU time of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the call used more than {} ms of CPU time", .0.as_millis())]
pub struct CpuExceeded(pub Duration);

/// Measures the calls of one store, one at a time.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    budget: Duration,
    zero: Instant,
    times: Arc<Times>,
}

/// Nanoseconds. Atomics because the store's callback has to be `Sync`; one thread at a time uses
/// them.
#[derive(Debug, Default)]
struct Times {
    spent: AtomicU64,
    poll_began: AtomicU64,
}

impl Meter {
    /// Allows each call that much.
    pub fn new(budget: Duration) -> Self {
        Self {
            budget,
            zero: Instant::now(),
            times: Arc::default(),
        }
    }

    /// Measures `call` from its first poll on.
    pub async fn run<F: Future>(&self, call: F) -> F::Output {
        self.times.spent.store(0, Relaxed);
        let mut call = std::pin::pin!(call);
        std::future::poll_fn(|context| {
            self.times.poll_began.store(self.now(), Relaxed);
            let poll = call.as_mut().poll(context);
            let spent = self.spent();
            self.times.spent.store(spent, Relaxed);
            poll
        })
        .await
    }

    /// What is to happen when a tick has passed: go on after letting others run, or end.
    pub fn on_tick(&self) -> Result<UpdateDeadline, CpuExceeded> {
        if Duration::from_nanos(self.spent()) > self.budget {
            return Err(CpuExceeded(self.budget));
        }
        Ok(UpdateDeadline::Yield(1))
    }

    fn spent(&self) -> u64 {
        let running = self.now() - self.times.poll_began.load(Relaxed);
        self.times.spent.load(Relaxed) + running
    }

    fn now(&self) -> u64 {
        u64::try_from(self.zero.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiting_is_not_counted_and_running_is() {
        let meter = Meter::new(Duration::from_millis(50));
        let measured = meter.clone();
        meter
            .run(async {
                tokio::time::sleep(Duration::from_millis(120)).await;
                assert!(measured.on_tick().is_ok());
                let began = Instant::now();
                while began.elapsed() < Duration::from_millis(60) {}
                assert_eq!(
                    measured.on_tick().err(),
                    Some(CpuExceeded(Duration::from_millis(50)))
                );
            })
            .await;
    }

    #[tokio::test]
    async fn each_call_begins_anew() {
        let meter = Meter::new(Duration::from_millis(20));
        for _ in 0..4 {
            meter
                .run(async {
                    let began = Instant::now();
                    while began.elapsed() < Duration::from_millis(8) {}
                    assert!(meter.on_tick().is_ok());
                })
                .await;
        }
    }
}
