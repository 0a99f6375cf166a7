//! Ticks, by which guests that compute for too long are interrupted: while some guest runs, and not while all of them wait for
//! events or for the network. A process that logs a call now and then would wake up a hundred times a second for nothing.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{Builder, Thread, park, sleep};
use std::time::Duration;

/// How often a running guest is looked at.
const TICK: Duration = Duration::from_millis(10);

/// The thread that ticks. It ends with this.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Debug, Default)]
struct Shared {
    /// How many guests run.
    running: AtomicUsize,
    /// Whether one has begun to since the last tick.
    began: AtomicBool,
    /// Whether the thread waits to be woken.
    rests: AtomicBool,
    ended: AtomicBool,
}

/// A guest that runs, until this is dropped.
pub(crate) struct Running<'t>(&'t Shared);

impl Ticker {
    /// Starts the thread.
    pub fn start(tick: impl Fn() + Send + 'static) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let run = {
            let shared = shared.clone();
            move || shared.run(tick)
        };
        let thread = Builder::new().name("epochs".to_owned()).spawn(run)?;
        Ok(Self {
            shared,
            thread: thread.thread().clone(),
        })
    }

    /// A guest begins to run. The first tick comes within [`TICK`], or a little later where the thread has to wake up.
    pub fn running(&self) -> Running<'_> {
        let shared = &*self.shared;
        shared.running.fetch_add(1, SeqCst);
        shared.began.store(true, SeqCst);
        if shared.rests.load(SeqCst) {
            self.wake();
        }
        Running(shared)
    }

    #[cold]
    fn wake(&self) {
        if self.shared.rests.swap(false, SeqCst) {
            self.thread.unpark();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.ended.store(true, SeqCst);
        self.wake();
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

impl Shared {
    fn run(&self, tick: impl Fn()) {
        loop {
            sleep(TICK);
            if self.ended.load(SeqCst) {
                return;
            }
            tick();
            if !self.began.swap(false, SeqCst) {
                self.rest();
            }
        }
    }

    /// Waits for a guest to run, if none does.
    fn rest(&self) {
        self.rests.store(true, SeqCst);
        // One that began just before has not seen that, and wakes nobody.
        if self.running.load(SeqCst) > 0 || self.ended.load(SeqCst) {
            self.rests.store(false, SeqCst);
        }
        while self.rests.load(SeqCst) {
            park();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ticker, and the ticks that it made.
    fn ticker() -> (Ticker, Arc<AtomicUsize>) {
        let ticks = Arc::<AtomicUsize>::default();
        let counted = ticks.clone();
        let tick = move || {
            counted.fetch_add(1, SeqCst);
        };
        (Ticker::start(tick).unwrap(), ticks)
    }

    fn wait_until(holds: impl Fn() -> bool) {
        while !holds() {
            sleep(TICK / 10);
        }
    }

    #[test]
    fn it_ticks_while_a_guest_runs_and_rests_when_none_does() {
        let (ticker, ticks) = ticker();
        let rests = || ticker.shared.rests.load(SeqCst);
        for _ in 0..3 {
            wait_until(rests);
            let before = ticks.load(SeqCst);
            let one = ticker.running();
            let another = ticker.running();
            drop(one);
            wait_until(|| ticks.load(SeqCst) > before + 3);
            assert!(!rests());
            drop(another);
        }
        wait_until(rests);
        let before = ticks.load(SeqCst);
        sleep(TICK * 5);
        assert_eq!(ticks.load(SeqCst), before);
    }

    #[test]
    fn it_ends_with_its_engine_even_while_it_rests() {
        let (ticker, ticks) = ticker();
        wait_until(|| ticker.shared.rests.load(SeqCst));
        let shared = ticker.shared.clone();
        drop(ticker);
        // The thread lets go of what it counts with.
        wait_until(|| Arc::strong_count(&ticks) == 1 && Arc::strong_count(&shared) == 1);
    }
}
