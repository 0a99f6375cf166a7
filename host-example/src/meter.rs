//! The CPU time of a call into the guest, bounded.
//!
//! Epochs tick by the wall clock, and a flush may wait for the network for a long time without
//! using any CPU. So the deadline is one tick, and each time it passes the CPU time that the thread
//! has spent *polling the call* decides: while the guest waits, nobody polls it, and while the
//! machine is busy with others, the thread's own time stands still.
//!
//! That time is a system call away, and most calls are over before a tick has passed. So it is asked
//! for from a call's first tick on: what a call may compute is its budget, and a tick at the most.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use wasmtime::UpdateDeadline;

use crate::ticker::Ticker;

/// The guest has used up the CPU time of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the call used more than {} ms of CPU time", .0.as_millis())]
pub struct CpuExceeded(pub Duration);

/// Measures the calls of one store, one at a time.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    budget: Duration,
    ticker: Arc<Ticker>,
    times: Arc<Times>,
}

/// Nanoseconds. Atomics because the store's callback has to be `Sync`; one thread at a time uses
/// them.
#[derive(Debug, Default)]
struct Times {
    /// Whether a tick has passed.
    ticked: AtomicBool,
    spent: AtomicU64,
    poll_began: AtomicU64,
}

impl Meter {
    /// Allows each call that much, looked at when this ticks.
    pub fn new(budget: Duration, ticker: Arc<Ticker>) -> Self {
        Self {
            budget,
            ticker,
            times: Arc::default(),
        }
    }

    /// Measures `call` from its first tick on.
    pub async fn run<F: Future>(&self, call: F) -> F::Output {
        let ticked = || self.times.ticked.load(Relaxed);
        self.times.ticked.store(false, Relaxed);
        self.times.spent.store(0, Relaxed);
        let mut call = std::pin::pin!(call);
        std::future::poll_fn(|context| {
            if ticked() {
                self.times.poll_began.store(thread_time(), Relaxed);
            }
            let running = self.ticker.running();
            let poll = call.as_mut().poll(context);
            drop(running);
            if ticked() {
                self.times.spent.store(self.spent(), Relaxed);
            }
            poll
        })
        .await
    }

    /// What is to happen when a tick has passed: go on after letting others run, or end.
    pub fn on_tick(&self) -> Result<UpdateDeadline, CpuExceeded> {
        if !self.times.ticked.swap(true, Relaxed) {
            self.times.poll_began.store(thread_time(), Relaxed);
        }
        if Duration::from_nanos(self.spent()) > self.budget {
            return Err(CpuExceeded(self.budget));
        }
        Ok(UpdateDeadline::Yield(1))
    }

    fn spent(&self) -> u64 {
        let running = thread_time() - self.times.poll_began.load(Relaxed);
        self.times.spent.load(Relaxed) + running
    }
}

/// The CPU time of this thread, in nanoseconds.
#[cfg(target_os = "linux")]
fn thread_time() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// Where a thread's own time cannot be had, the time that passes stands for it.
#[cfg(not(target_os = "linux"))]
fn thread_time() -> u64 {
    static ZERO: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    u64::try_from(ZERO.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Duration = Duration::from_millis(20);

    fn meter() -> Meter {
        Meter::new(BUDGET, Arc::new(Ticker::start(|| ()).unwrap()))
    }

    /// Computes for that long, however often the machine does something else meanwhile.
    fn compute(time: Duration) {
        let began = thread_time();
        while u128::from(thread_time() - began) < time.as_nanos() {}
    }

    #[tokio::test]
    async fn waiting_is_not_counted_and_running_is() {
        let meter = meter();
        meter
            .run(async {
                tokio::time::sleep(BUDGET * 2).await;
                assert!(meter.on_tick().is_ok());
                compute(BUDGET);
                assert_eq!(meter.on_tick().err(), Some(CpuExceeded(BUDGET)));
            })
            .await;
    }

    #[tokio::test]
    async fn what_ran_before_a_wait_counts_too() {
        let meter = meter();
        meter
            .run(async {
                assert!(meter.on_tick().is_ok());
                compute(BUDGET / 2);
                tokio::task::yield_now().await;
                compute(BUDGET / 2);
                assert!(meter.on_tick().is_err());
            })
            .await;
    }

    #[tokio::test]
    async fn what_is_over_before_a_tick_is_not_measured() {
        let meter = meter();
        meter.run(async { compute(BUDGET * 2) }).await;
        assert_eq!(meter.times.spent.load(Relaxed), 0);
    }

    #[tokio::test]
    async fn each_call_begins_anew() {
        let meter = meter();
        for _ in 0..4 {
            meter
                .run(async {
                    assert!(meter.on_tick().is_ok());
                    compute(BUDGET * 2 / 5);
                    assert!(meter.on_tick().is_ok());
                })
                .await;
        }
    }
}
