use std::time::Duration;

use super::*;
use crate::gateway::record::{Copied, Record, Start};

mod spooled;

pub use spooled::spooled;

/// A call that takes this much of the budget.
pub fn record(backlog: &Backlog, key: u64, bytes: usize) -> Option<Record> {
    let mut weight = Weight::none(backlog.budget());
    backlog.make_room(&mut weight, bytes).then(|| Record {
        start: Start {
            key,
            call_id: format!("call-{key}"),
            method: "POST".to_owned(),
            path: "/v1/chat/completions".to_owned(),
            authority: "api.example".to_owned(),
            provider: None,
            traceparent: None,
            headers: Vec::new(),
        },
        at: 1,
        request: Copied::default(),
        head: None,
        response: Copied::default(),
        ended: 2,
        failure: None,
        weight,
        ticket: None,
        stale: false,
        shed: 0,
    })
}

pub fn backlog(bytes: usize) -> Arc<Backlog> {
    let redaction = Redaction::default();
    Arc::new(Backlog::new(
        Budget::new(bytes),
        Metrics::new(),
        None,
        None,
        redaction,
    ))
}

impl Backlog {
    /// How many calls were dropped.
    pub fn dropped(&self) -> usize {
        self.metric("gateway_logged_total{fate=\"Dropped\"}")
    }

    /// What a metric is at.
    pub fn metric(&self, name: &str) -> usize {
        let text = self.metrics.encode(&self.gauges()).unwrap();
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        let mut values = lines.filter(|(shown, _)| *shown == name);
        values.next().unwrap().1.parse().unwrap()
    }
}

fn push(backlog: &Backlog, key: u64, bytes: usize) {
    backlog.push(record(backlog, key, bytes).unwrap());
}

#[tokio::test]
async fn the_oldest_makes_room() {
    let backlog = backlog(10);
    for key in 1..=3 {
        push(&backlog, key, 4);
    }
    assert_eq!(backlog.take().await.unwrap().start.key, 2);
    assert_eq!(backlog.take().await.unwrap().start.key, 3);
    assert_eq!(backlog.dropped(), 1);
}

#[tokio::test]
async fn what_is_under_way_is_not_dropped_for_more() {
    let backlog = backlog(10);
    let under_way = record(&backlog, 1, 8);
    assert!(under_way.is_some() && record(&backlog, 2, 4).is_none());
    push(&backlog, 3, 2);
    // What can never fit costs nobody anything.
    assert!(record(&backlog, 4, 11).is_none());
    assert_eq!(backlog.take().await.unwrap().start.key, 3);
}

#[tokio::test]
async fn a_closed_one_is_emptied_and_ends() {
    let backlog = backlog(100);
    push(&backlog, 1, 1);
    let waiting = {
        let backlog = backlog.clone();
        tokio::spawn(
            async move { [backlog.take().await, backlog.take().await].map(|r| r.is_some()) },
        )
    };
    tokio::task::yield_now().await;
    backlog.close();
    assert_eq!(waiting.await.unwrap(), [true, false]);
    push(&backlog, 2, 1);
    assert!(backlog.take().await.is_none());
    assert_eq!(backlog.budget().held(), 0);
}

#[tokio::test]
async fn whoever_takes_no_more_wakes_another() {
    let backlog = backlog(1000);
    let taking: Vec<_> = (0..3)
        .map(|_| {
            let backlog = backlog.clone();
            tokio::spawn(async move {
                let record = backlog.take().await;
                backlog.leave_to_others();
                record.map(|record| record.start.key)
            })
        })
        .collect();
    tokio::task::yield_now().await;
    for key in 0..3 {
        push(&backlog, key, 1);
    }
    let mut taken = Vec::new();
    for task in taking {
        taken.push(task.await.unwrap().unwrap());
    }
    taken.sort_unstable();
    assert_eq!(taken, [0, 1, 2]);
}

#[tokio::test]
async fn many_calls_wake_all() {
    let backlog = backlog(1000);
    let taking: Vec<_> = (0..3)
        .map(|_| {
            let backlog = backlog.clone();
            tokio::spawn(async move { backlog.take().await.is_some() })
        })
        .collect();
    tokio::task::yield_now().await;
    for key in 0..MANY as u64 + 2 {
        push(&backlog, key, 1);
    }
    for task in taking {
        assert!(task.await.unwrap());
    }
}

#[tokio::test]
async fn where_calls_follow_each_other_a_worker_looks_by_itself_for_a_while() {
    let backlog = backlog(1000);
    let taken = Arc::<AtomicU64>::default();
    let taking = {
        let (backlog, taken) = (backlog.clone(), taken.clone());
        tokio::spawn(async move {
            while backlog.take().await.is_some() {
                taken.fetch_add(1, Relaxed);
            }
        })
    };
    let mut pushed = 0;
    let mut push_one = async || {
        push(&backlog, pushed, 1);
        pushed += 1;
        until(|| taken.load(Relaxed) == pushed).await;
    };
    push_one().await;
    assert!(
        backlog.lock().look == Look::Nobody,
        "one call is no sequence"
    );
    // On a busy machine the next may not come soon enough.
    while backlog.lock().look == Look::Nobody {
        push_one().await;
    }
    push_one().await;
    until(|| backlog.lock().look == Look::Nobody).await;
    push_one().await;
    backlog.close();
    taking.await.unwrap();
}

async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
