//! The worker with an instance and a server that are played. What a call's `method` says is what
//! happens to it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tempfile::TempDir;

use super::*;
use crate::bindings::llm_gateway::hooks::types::{
    Deferral, DeferralCause, Delivery, Refusal as Refused,
};
use crate::gateway::backlog::tests::{backlog, record, spooled};
use crate::logger::DeliveryReport;
use crate::settings::Source;

#[derive(Default)]
struct World {
    stored: BTreeMap<u64, u32>,
    instances: u32,
    flushes: u32,
    /// Flushes that find no server.
    down: u32,
    /// Flushes that trap.
    traps: u32,
    /// Flushes that give all back.
    returns: u32,
    room: Option<usize>,
    /// The server that cannot be reached. What was logged for it stays bound to it.
    unreachable: Option<String>,
    configured: Vec<String>,
}

#[derive(Clone, Default)]
struct Played(Arc<Mutex<World>>);

struct Instance {
    world: Arc<Mutex<World>>,
    held: Vec<(u64, String)>,
    server: Option<String>,
    bound: Option<String>,
}

fn trap(hook: &'static str) -> LoggerError {
    let reason = "played".to_owned();
    LoggerError::Trap { hook, reason }
}

impl Sinks for Played {
    type Sink = Instance;

    async fn fresh(&self) -> Result<Instance, LoggerError> {
        self.0.lock().unwrap().instances += 1;
        Ok(Instance {
            world: self.0.clone(),
            held: Vec::new(),
            server: None,
            bound: None,
        })
    }
}

impl Sink for Instance {
    async fn configure(&mut self, settings: &Settings) -> Result<(), LoggerError> {
        self.server = settings.text("tracking_uri").map(str::to_owned);
        self.world
            .lock()
            .unwrap()
            .configured
            .push(settings.to_json());
        Ok(())
    }

    async fn log(&mut self, record: &Record) -> Result<(), LoggerError> {
        let room = self.world.lock().unwrap().room;
        match record.start.method.as_str() {
            "trap" => Err(trap("call.begin")),
            "bad" => Err(Refusal::InvalidPayload("it says bad".to_owned()).into()),
            _ if room.is_some_and(|room| self.held.len() >= room) => Err(Refusal::QueueFull.into()),
            method => {
                self.bound = self.bound.take().or_else(|| self.server.clone());
                self.held.push((record.start.key, method.to_owned()));
                Ok(())
            }
        }
    }

    async fn flush(&mut self, _mode: FlushMode) -> Result<DeliveryReport, LoggerError> {
        let mut world = self.world.lock().unwrap();
        world.flushes += 1;
        let mut report = DeliveryReport {
            delivered: Vec::new(),
            refused: Vec::new(),
            skipped: Vec::new(),
            returned: Vec::new(),
            deferred: None,
        };
        let poison = self.held.iter().any(|(_, method)| method == "trap-flush");
        if poison || world.traps > 0 {
            world.traps = world.traps.saturating_sub(1);
            return Err(trap("flush"));
        }
        let unreachable = self.bound.is_some() && self.bound == world.unreachable;
        if world.down > 0 || unreachable {
            world.down = world.down.saturating_sub(1);
            report.deferred = Some(Deferral {
                after_ms: if unreachable { 60_000 } else { 1 },
                reason: "played".to_owned(),
                cause: DeferralCause::Unreachable,
            });
            return Ok(report);
        }
        if world.returns > 0 {
            world.returns -= 1;
            let returned = self.held.drain(..).map(|(key, _)| Refused {
                keys: vec![key],
                reason: "played".to_owned(),
            });
            report.returned = returned.collect();
            return Ok(report);
        }
        for (key, _) in self.held.drain(..) {
            *world.stored.entry(key).or_default() += 1;
            report.delivered.push(Delivery {
                keys: vec![key],
                trace_id: format!("tr-{key}"),
            });
        }
        Ok(report)
    }

    async fn next_wake(&mut self) -> Result<Option<Duration>, LoggerError> {
        Ok((!self.held.is_empty()).then_some(Duration::from_millis(1)))
    }

    async fn stats(&mut self) -> Result<Stats, LoggerError> {
        Err(LoggerError::Unusable)
    }
}

/// What the server holds after these calls, and how many could not be delivered.
async fn outcome(world: World, methods: &[&str]) -> (Vec<u64>, usize, Arc<Mutex<World>>) {
    let played = Played(Arc::new(Mutex::new(world)));
    let backlog = backlog(1 << 20);
    for (key, method) in (1..).zip(methods) {
        let mut record = record(&backlog, key, 100).unwrap();
        record.start.method = (*method).to_owned();
        backlog.push(record);
    }
    backlog.close();
    let (_settings, receiver) = watch::channel(Settings::default());
    let mut worker = start(&played, receiver, &backlog).await;
    worker.run().await;
    let left = worker.close(Instant::now() + Duration::from_secs(20)).await;
    assert_eq!(backlog.budget().held(), 0);
    let world = played.0;
    let stored = world.lock().unwrap().stored.clone();
    assert!(stored.values().all(|times| *times == 1), "{stored:?}");
    (stored.into_keys().collect(), left, world)
}

#[tokio::test]
async fn all_calls_are_delivered() {
    let (stored, left, _) = outcome(World::default(), &["POST"; 5]).await;
    assert_eq!((stored, left), (vec![1, 2, 3, 4, 5], 0));
}

#[tokio::test]
async fn a_bad_call_is_refused_alone() {
    let (stored, left, _) = outcome(World::default(), &["POST", "bad", "POST"]).await;
    assert_eq!((stored, left), (vec![1, 3], 0));
}

#[tokio::test]
async fn a_call_that_traps_costs_an_instance_and_no_neighbour() {
    let (stored, left, world) = outcome(World::default(), &["POST", "trap", "POST"]).await;
    assert_eq!((stored, left), (vec![1, 3], 0));
    assert_eq!(world.lock().unwrap().instances, 3);
}

#[tokio::test]
async fn a_call_that_makes_flushing_trap_is_found() {
    let methods = ["POST", "POST", "trap-flush", "POST", "POST"];
    let (stored, left, _) = outcome(World::default(), &methods).await;
    assert_eq!((stored, left), (vec![1, 2, 4, 5], 0));
}

#[tokio::test]
async fn a_trap_that_passes_costs_nothing() {
    let world = World {
        traps: 2,
        ..World::default()
    };
    let (stored, left, _) = outcome(world, &["POST"; 3]).await;
    assert_eq!((stored, left), (vec![1, 2, 3], 0));
}

#[tokio::test]
async fn a_server_that_comes_back_gets_all() {
    let world = World {
        down: 5,
        returns: 1,
        room: Some(2),
        ..World::default()
    };
    let (stored, left, _) = outcome(world, &["POST"; 7]).await;
    assert_eq!((stored.len(), left), (7, 0));
}

#[tokio::test]
async fn what_cannot_be_delivered_in_time_is_counted() {
    let played = Played::default();
    played.0.lock().unwrap().down = u32::MAX;
    let backlog = backlog(1000);
    backlog.push(record(&backlog, 1, 100).unwrap());
    backlog.close();
    let (_settings, receiver) = watch::channel(Settings::default());
    let mut worker = start(&played, receiver, &backlog).await;
    worker.run().await;
    assert_eq!(
        worker
            .close(Instant::now() + Duration::from_millis(100))
            .await,
        1
    );
}

/// A worker whose instances are played.
async fn start(
    played: &Played,
    settings: watch::Receiver<Settings>,
    backlog: &Arc<Backlog>,
) -> Worker<Played> {
    let (played, backlog) = (played.clone(), backlog.clone());
    let worker = Worker::start(played, settings, backlog, Metrics::new(), 2);
    worker.await.unwrap()
}

/// Settings that name a server.
fn server(uri: &str) -> Settings {
    let value = serde_json::Value::String(uri.to_owned());
    let layer = [("tracking_uri".to_owned(), (value, Source::Option("test")))];
    Settings::merge([layer.into()])
}

/// A worker whose settings name a server that cannot be reached, and a call that waits for it.
async fn before_nowhere() -> (Worker<Played>, Arc<Backlog>, watch::Sender<Settings>) {
    let played = Played::default();
    played.0.lock().unwrap().unreachable = Some("http://nowhere".to_owned());
    let backlog = backlog(1000);
    backlog.push(record(&backlog, 1, 100).unwrap());
    let (settings, receiver) = watch::channel(server("http://nowhere"));
    let worker = start(&played, receiver, &backlog).await;
    (worker, backlog, settings)
}

#[tokio::test]
async fn settings_that_mend_what_stood_in_the_way_are_for_what_is_held_too() {
    let (mut worker, backlog, settings) = before_nowhere().await;
    let played = worker.sinks.clone();
    let mended = async {
        while backlog.budget().held() == 0 || played.0.lock().unwrap().flushes == 0 {
            tokio::time::sleep(SHORTEST).await;
        }
        settings.send_replace(server("http://there"));
        while backlog.budget().held() > 0 {
            tokio::time::sleep(SHORTEST).await;
        }
    };
    tokio::select! {
        () = worker.run() => panic!("it has not ended"),
        () = mended => {}
    }
    let world = played.0.lock().unwrap();
    assert_eq!(world.stored, BTreeMap::from([(1, 1)]));
}

#[tokio::test]
async fn what_was_logged_before_the_settings_changed_follows_once_its_server_is_found_away() {
    let (mut worker, backlog, settings) = before_nowhere().await;
    let played = worker.sinks.clone();
    // It is given to the instance, and the settings change before anything is sent.
    worker.held.add(backlog.take().await.unwrap());
    worker.log_held().await;
    settings.send_replace(server("http://there"));
    worker.configure().await;
    let until = Instant::now() + Duration::from_secs(20);
    assert_eq!(worker.close(until).await, 0);
    let world = played.0.lock().unwrap();
    assert_eq!(world.stored, BTreeMap::from([(1, 1)]));
}

/// A worker that holds calls which the disk did not take, before a server that is away.
async fn unwritten(directory: &TempDir, calls: u64) -> (Worker<Played>, Arc<Backlog>) {
    let (dir, gone) = (
        directory.path().join("spool"),
        directory.path().join("gone"),
    );
    let backlog = Arc::new(spooled(directory, 1 << 20, 1 << 20));
    std::fs::rename(&dir, &gone).unwrap();
    for key in 1..=calls {
        backlog.push(record(&backlog, key, 100).unwrap());
    }
    let played = Played::default();
    played.0.lock().unwrap().down = u32::MAX;
    let (_settings, receiver) = watch::channel(Settings::default());
    let mut worker = start(&played, receiver, &backlog).await;
    for _ in 0..calls {
        worker.held.add(backlog.take().await.unwrap());
    }
    assert_eq!(backlog.left(), (0, 0));
    std::fs::rename(&gone, &dir).unwrap();
    (worker, backlog)
}

#[tokio::test]
async fn what_the_disk_did_not_take_is_written_when_it_works_again() {
    let directory = tempfile::tempdir().unwrap();
    let (mut worker, backlog) = unwritten(&directory, 3).await;
    let written = async {
        while backlog.left().0 < 3 {
            tokio::time::sleep(SHORTEST).await;
        }
    };
    tokio::select! {
        () = worker.run() => panic!("it has not ended"),
        () = written => {}
    }
}

#[tokio::test]
async fn what_the_disk_did_not_take_is_written_at_last() {
    let directory = tempfile::tempdir().unwrap();
    let (mut worker, backlog) = unwritten(&directory, 3).await;
    assert_eq!(worker.close(Instant::now()).await, 0);
    assert_eq!(backlog.left(), (3, 0));
    drop((worker, backlog));
    assert_eq!(spooled(&directory, 1 << 20, 1 << 20).left(), (3, 0));
}

#[tokio::test]
async fn no_instance_is_begun_when_the_time_is_up() {
    let played = Played::default();
    played.0.lock().unwrap().traps = u32::MAX;
    let backlog = backlog(1000);
    backlog.push(record(&backlog, 1, 100).unwrap());
    let (_settings, receiver) = watch::channel(Settings::default());
    let mut worker = start(&played, receiver, &backlog).await;
    worker.held.add(backlog.take().await.unwrap());
    assert_eq!(worker.close(Instant::now()).await, 1);
    assert_eq!(played.0.lock().unwrap().instances, 1);
}

/// A worker before a server that is away, and a call of this size in its hands; `most` bounds the memory.
async fn holding(directory: &TempDir, most: usize, bytes: usize) -> (Worker<Played>, Arc<Backlog>) {
    let backlog = Arc::new(spooled(directory, most, 1 << 20));
    let played = Played::default();
    played.0.lock().unwrap().down = u32::MAX;
    let (_settings, receiver) = watch::channel(Settings::default());
    let mut worker = start(&played, receiver, &backlog).await;
    for key in 1..=3 {
        let mut call = record(&backlog, key, bytes).unwrap();
        call.request.add(1, &vec![b'x'; bytes].into(), bytes);
        backlog.push(call);
        worker.held.add(backlog.take().await.unwrap());
        worker.log_held().await;
    }
    (worker, backlog)
}

#[tokio::test]
async fn large_calls_with_a_worker_leave_memory_to_those_under_way() {
    let directory = tempfile::tempdir().unwrap();
    let (mut worker, backlog) = holding(&directory, 100_000, 70_000).await;
    assert_eq!(backlog.budget().held(), 0);
    assert!(record(&backlog, 4, 100_000).is_some());
    // The instance is lost, and a fresh one before a server that is there has them whole.
    worker.sinks.0.lock().unwrap().down = 0;
    worker.begin_again(trap("flush")).await;
    worker.log_held().await;
    worker.flush(FlushMode::All).await;
    let stored = worker.sinks.0.lock().unwrap().stored.clone();
    assert_eq!(stored, BTreeMap::from([(1, 1), (2, 1), (3, 1)]));
    assert_eq!((backlog.left(), backlog.dropped()), ((0, 0), 0));
    assert_eq!(backlog.budget().held(), 0);
}

/// However small spool and memory are: what fails is not to keep out what would not.
#[tokio::test]
async fn a_worker_of_whose_calls_none_is_taken_takes_others() {
    let directory = tempfile::tempdir().unwrap();
    let (mut worker, _backlog) = holding(&directory, 100_000, 70_000).await;
    assert!(!worker.has_room());
    worker.settled_at -= Duration::from_secs(10);
    assert!(worker.has_room());
}

#[tokio::test]
async fn a_call_that_was_shed_is_read_back_whole() {
    let directory = tempfile::tempdir().unwrap();
    let (mut worker, _backlog) = holding(&directory, 100_000, 70_000).await;
    let shed = worker.held.events_mut().next().unwrap();
    assert!(shed.is_shed() && shed.request.parts.is_empty());
    worker.restore(1);
    let restored = worker.held.unlogged_one(1).unwrap();
    assert_eq!((restored.request.kept, restored.is_shed()), (70_000, false));
}

#[tokio::test]
async fn a_bound_that_is_lowered_holds_for_what_workers_hold() {
    let directory = tempfile::tempdir().unwrap();
    let (mut worker, backlog) = holding(&directory, 1 << 20, 10_000).await;
    assert_eq!(backlog.budget().held(), 30_000);
    backlog.budget().set(20_000);
    assert!(record(&backlog, 4, 10_000).is_none());
    worker.configure().await;
    assert_eq!(backlog.budget().held(), 10_000);
    assert!(record(&backlog, 4, 10_000).is_some());
    assert_eq!(worker.held.len(), 3, "they are still to be delivered");
}

#[tokio::test]
async fn the_age_of_what_a_worker_holds_is_shown_without_a_spool() {
    let played = Played::default();
    played.0.lock().unwrap().down = u32::MAX;
    let backlog = backlog(1000);
    backlog.push(record(&backlog, 1, 100).unwrap());
    let (_settings, receiver) = watch::channel(Settings::default());
    let mut worker = start(&played, receiver, &backlog).await;
    let shown = async {
        // It ended in 1970, and nothing waits any more.
        let waits = || backlog.metric("gateway_log_waiting");
        while waits() > 0 || backlog.metric("gateway_log_oldest_seconds") == 0 {
            tokio::time::sleep(SHORTEST).await;
        }
    };
    tokio::select! {
        () = worker.run() => panic!("it has not ended"),
        () = shown => {}
    }
}
