use indicatif::ProgressBar;
use tokio::sync::mpsc;

use super::*;
use crate::replay::double::{Doubles, World, line};
use crate::replay::ledger::Report;
use crate::replay::patience::Limits;

const LIMITS: Limits = Limits {
    never_reached: Duration::from_secs(1),
    no_progress: Duration::from_secs(600),
};

/// Logs events that say these things, lines 1 and following.
async fn work(world: World, say: &[&str]) -> (Report, Result<(), Stop>, World) {
    let doubles = Doubles::default();
    *doubles.0.lock().unwrap() = world;
    let ledger = Mutex::new(Ledger::new(ProgressBar::hidden()));
    let (sender, receiver) = mpsc::channel(1);
    let worker = Worker::new(doubles.clone(), &ledger, Patience::new(LIMITS))
        .await
        .unwrap();
    let events = say.iter().enumerate().map(|(index, what)| {
        lock(&ledger).event();
        Recorded::read(index as u64 + 1, line(what)).unwrap()
    });
    let events: Vec<_> = events.collect();
    let feed = async move {
        for event in events {
            if sender.send(vec![event]).await.is_err() {
                break;
            }
        }
    };
    let (result, ()) = tokio::join!(worker.run(receiver), feed);
    let world = std::mem::take(&mut *doubles.0.lock().unwrap());
    (ledger.into_inner().unwrap().into_report(), result, world)
}

fn rejected(report: &Report) -> Vec<u64> {
    report
        .rejected
        .iter()
        .map(|rejection| rejection.line)
        .collect()
}

#[tokio::test]
async fn every_line_is_settled_as_it_should_be() {
    let (report, result, world) = work(
        World::default(),
        &["a", "bad", "refused", "skipped", "open", "b"],
    )
    .await;
    result.unwrap();
    assert_eq!((report.delivered, report.undelivered), (3, 0));
    assert_eq!(rejected(&report), [2, 3]);
    assert_eq!(report.rejected[0].reason, "it says bad");
    assert_eq!(report.skipped[0].line, 4);
    assert_eq!(world.stored.into_keys().collect::<Vec<_>>(), [1, 5, 6]);
}

#[tokio::test]
async fn an_event_that_traps_is_rejected_and_the_others_are_logged_again() {
    for trap in ["trap-log", "trap-flush"] {
        let (report, result, world) = work(
            World::default(),
            &["a", "open", trap, "b", trap, "c", "bad"],
        )
        .await;
        result.unwrap();
        assert_eq!(rejected(&report), [3, 5, 7], "{trap}");
        assert!(report.rejected[0].reason.contains("trapped"), "{trap}");
        assert_eq!(report.delivered, 4, "{trap}");
        assert!(world.instances >= 3, "{trap}");
    }
}

#[tokio::test]
async fn an_outage_is_waited_out() {
    let obstacle = Some((DeferralCause::Unavailable, 20));
    let (report, result, world) = work(
        World {
            obstacle,
            ..World::default()
        },
        &["a", "b"],
    )
    .await;
    result.unwrap();
    assert_eq!(report.delivered, 2);
    assert!(world.stored.values().all(|times| *times == 1));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_given_up_soon() {
    let obstacle = Some((DeferralCause::Unreachable, u32::MAX));
    let (report, result, _) = work(
        World {
            obstacle,
            ..World::default()
        },
        &["a", "bad"],
    )
    .await;
    let cause = match result.unwrap_err() {
        Stop::GaveUp { cause, .. } => cause,
        other => panic!("{other}"),
    };
    assert_eq!(cause, DeferralCause::Unreachable);
    assert_eq!((report.undelivered, rejected(&report)), (1, vec![2]));
}

#[tokio::test]
async fn what_somebody_has_to_mend_is_given_up_at_once() {
    let obstacle = Some((DeferralCause::Misconfigured, u32::MAX));
    let (report, result, world) = work(
        World {
            obstacle,
            ..World::default()
        },
        &["a"],
    )
    .await;
    assert!(matches!(result, Err(Stop::GaveUp { .. })));
    assert_eq!(report.undelivered, 1);
    assert_eq!(
        world.obstacle,
        Some((DeferralCause::Misconfigured, u32::MAX - 1))
    );
}

#[tokio::test]
async fn a_full_queue_is_flushed_and_the_rest_logged() {
    let room = Some(2);
    let (report, result, _) = work(
        World {
            room,
            ..World::default()
        },
        &["a"; 9],
    )
    .await;
    result.unwrap();
    assert_eq!(report.delivered, 9);
}

#[tokio::test]
async fn a_queue_full_of_open_streams_refuses_what_does_not_fit() {
    let room = Some(2);
    let (report, result, _) = work(
        World {
            room,
            ..World::default()
        },
        &["open", "open", "a"],
    )
    .await;
    result.unwrap();
    assert_eq!((report.delivered, rejected(&report)), (2, vec![3]));
    assert!(report.rejected[0].reason.contains("queue_max_bytes"));
}

#[tokio::test]
async fn what_is_given_back_is_logged_again() {
    let (report, result, _) = work(
        World {
            returns: 2,
            ..World::default()
        },
        &["a", "b"],
    )
    .await;
    result.unwrap();
    assert_eq!(report.delivered, 2);
}

#[tokio::test]
async fn a_plugin_that_never_reports_is_not_waited_for() {
    let (report, result, _) = work(
        World {
            silent: true,
            ..World::default()
        },
        &["a", "b"],
    )
    .await;
    result.unwrap();
    assert_eq!(rejected(&report), [1, 2]);
}
