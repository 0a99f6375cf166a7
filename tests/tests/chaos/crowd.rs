//! Clients that call again and again while a test does something else.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, anyhow};
use e2e::load::{self, Outcome};

use crate::play::marker;

/// The clients; they end when this is dropped.
pub struct Crowd {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

/// What became of their calls, by the calls' markers.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    /// Those whose whole response came.
    pub complete: BTreeSet<String>,
    /// Those whose connection broke before that.
    pub cut: BTreeSet<String>,
}

struct Shared {
    name: String,
    gateway: Mutex<Option<String>>,
    calls: Mutex<Calls>,
    next: AtomicUsize,
    /// How long a client rests between two calls.
    rest: Duration,
    ended: AtomicBool,
}

impl Crowd {
    /// So many clients, who call nobody yet, and rest so long between two calls.
    pub fn gather(name: &str, clients: usize, rest: Duration) -> Self {
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            gateway: Mutex::default(),
            calls: Mutex::default(),
            next: AtomicUsize::new(0),
            rest,
            ended: AtomicBool::new(false),
        });
        let client = |_| {
            let shared = shared.clone();
            std::thread::spawn(move || shared.call_until_ended())
        };
        Self {
            clients: (0..clients).map(client).collect(),
            shared,
        }
    }

    /// From here on they call this gateway.
    pub fn call(&self, url: &str) {
        *lock(&self.shared.gateway) = Some(url.to_owned());
    }

    /// From here on they begin no more calls.
    pub fn rest(&self) {
        *lock(&self.shared.gateway) = None;
    }

    /// What became of all calls, which end first.
    pub fn leave(mut self) -> Result<Calls> {
        self.shared.ended.store(true, SeqCst);
        for client in self.clients.drain(..) {
            client.join().map_err(|_| anyhow!("a client panicked"))?;
        }
        Ok(lock(&self.shared.calls).clone())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.shared.ended.store(true, SeqCst);
    }
}

impl Shared {
    fn call_until_ended(&self) {
        while !self.ended.load(SeqCst) {
            let gateway = lock(&self.gateway).clone();
            if let Some(url) = gateway {
                let number = self.next.fetch_add(1, SeqCst);
                let marker = marker(&self.name, number);
                let outcome = load::chat(&url, &marker, number.is_multiple_of(4));
                let mut calls = lock(&self.calls);
                match outcome {
                    Outcome::Complete(_) => calls.complete.insert(marker),
                    Outcome::Cut => calls.cut.insert(marker),
                };
            }
            std::thread::sleep(self.rest);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
