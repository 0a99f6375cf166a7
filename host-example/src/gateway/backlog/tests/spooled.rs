//! The backlog with a spool.

use hyper::body::Bytes;
use tempfile::TempDir;

use super::*;
use crate::spool::Spool;

/// One whose spool is in this directory.
pub fn spooled(directory: &TempDir, memory: usize, disk: u64) -> Backlog {
    lettered(directory, memory, disk, None)
}

/// One with a file of dead letters, too.
fn lettered(directory: &TempDir, memory: usize, disk: u64, letters: Option<Letters>) -> Backlog {
    let (spool, _) = Spool::open(&directory.path().join("spool"), disk).unwrap();
    Backlog::new(
        Budget::new(memory),
        Metrics::new(),
        Some(spool),
        letters,
        Redaction::default(),
    )
}

/// A call of about that many bytes.
fn push(backlog: &Backlog, key: u64, bytes: usize) {
    let mut record = record(backlog, key, bytes).unwrap();
    let body = Bytes::from(vec![b'x'; bytes]);
    record.response.add(1, &body, bytes);
    backlog.push(record);
}

/// The calls' ids, all of which are settled or left.
async fn ids(backlog: &Backlog, settle: bool) -> Vec<String> {
    backlog.close();
    let mut ids = Vec::new();
    while let Some(record) = backlog.take().await {
        if settle {
            backlog.done(record.ticket.as_slice());
        }
        ids.push(record.start.call_id);
    }
    ids
}

fn expected(keys: std::ops::RangeInclusive<u64>) -> Vec<String> {
    keys.map(|key| format!("call-{key}")).collect()
}

fn metric(backlog: &Backlog, line: &str) -> bool {
    let text = backlog.metrics.encode(&backlog.gauges()).unwrap();
    text.lines().any(|shown| shown == line)
}

#[tokio::test]
async fn what_memory_has_no_room_for_waits_on_the_disk_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let backlog = spooled(&directory, 100_000, 8 << 20);
    for key in 1..=50 {
        push(&backlog, key, 10_000);
    }
    assert!(backlog.budget().held() <= 60_000);
    assert!(metric(&backlog, "gateway_log_waiting 50"));
    assert!(metric(&backlog, "gateway_spool_calls 50"));
    assert_eq!(ids(&backlog, true).await, expected(1..=50));
    assert_eq!(backlog.left(), (0, 0));
    assert_eq!(backlog.dropped(), 0);
}

#[tokio::test]
async fn those_under_way_push_waiting_calls_out_of_memory_and_lose_none() {
    let directory = tempfile::tempdir().unwrap();
    let backlog = spooled(&directory, 100_000, 8 << 20);
    for key in 1..=4 {
        push(&backlog, key, 10_000);
    }
    let under_way = record(&backlog, 5, 90_000).unwrap();
    assert_eq!(backlog.budget().held(), 100_000);
    backlog.push(under_way);
    assert_eq!(ids(&backlog, true).await, expected(1..=5));
}

#[tokio::test]
async fn a_process_that_dies_leaves_all_that_is_not_settled() {
    let directory = tempfile::tempdir().unwrap();
    let backlog = spooled(&directory, 50_000, 8 << 20);
    for key in 1..=20 {
        push(&backlog, key, 10_000);
    }
    for _ in 0..5 {
        let record = backlog.take().await.unwrap();
        backlog.done(record.ticket.as_slice());
    }
    backlog.take().await.unwrap();
    drop(backlog);
    let backlog = spooled(&directory, 50_000, 8 << 20);
    assert_eq!(backlog.left(), (15, 0));
    assert_eq!(ids(&backlog, false).await, expected(6..=20));
    assert_eq!(backlog.left(), (15, 0), "they are with somebody");
}

#[tokio::test]
async fn a_full_spool_loses_the_oldest_and_counts_them() {
    let directory = tempfile::tempdir().unwrap();
    let backlog = spooled(&directory, 50_000, 1 << 20);
    for key in 1..=200 {
        push(&backlog, key, 10_000);
    }
    let left = ids(&backlog, true).await;
    assert!((70..=110).contains(&left.len()), "{}", left.len());
    // The first few are in memory and are not dropped for others.
    assert_eq!(left[0], "call-1");
    assert_eq!(left[left.len() - 60..], expected(141..=200));
    assert_eq!(backlog.dropped(), 200 - left.len());
}

#[tokio::test]
async fn a_disk_that_fails_costs_no_call_and_is_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let backlog = spooled(&directory, 1 << 20, 1 << 20);
    let dir = directory.path().join("spool");
    push(&backlog, 1, 60_000);
    std::fs::rename(&dir, directory.path().join("gone")).unwrap();
    for key in 2..=5 {
        push(&backlog, key, 60_000);
    }
    assert!(backlog.trouble().is_some());
    assert!(metric(&backlog, "gateway_spool_failing 1"));
    assert!(metric(&backlog, "gateway_spool_unwritten_total 4"));
    std::fs::rename(directory.path().join("gone"), &dir).unwrap();
    for _ in 0..500 {
        if backlog.trouble().is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        backlog.keep();
    }
    backlog.keep();
    assert_eq!(backlog.trouble(), None);
    assert_eq!(backlog.left(), (5, 0));
    let mut left = ids(&backlog, true).await;
    left.sort_unstable();
    assert_eq!(left, expected(1..=5));
}

/// Has the keeper's work done until it comes to that.
async fn kept_until(backlog: &Backlog, so: impl Fn() -> bool) {
    while !so() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        backlog.keep();
    }
}

#[tokio::test]
async fn a_disk_that_works_again_is_no_trouble_though_nothing_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let backlog = spooled(&directory, 1 << 20, 1 << 20);
    let (dir, gone) = (
        directory.path().join("spool"),
        directory.path().join("gone"),
    );
    std::fs::rename(&dir, &gone).unwrap();
    push(&backlog, 1, 100);
    // It was delivered from memory.
    drop(backlog.take().await.unwrap());
    let began = std::time::Instant::now();
    kept_until(&backlog, || began.elapsed() > Duration::from_millis(1200)).await;
    assert!(metric(&backlog, "gateway_spool_failing 1"));
    std::fs::rename(&gone, &dir).unwrap();
    kept_until(&backlog, || metric(&backlog, "gateway_spool_failing 0")).await;
    assert_eq!(backlog.left(), (0, 0));
    push(&backlog, 2, 100);
    assert_eq!(backlog.left(), (1, 0), "it is used at once");
}

#[tokio::test]
async fn a_call_that_can_never_be_written_holds_up_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let backlog = spooled(&directory, 2 << 20, 1 << 20);
    let (dir, gone) = (
        directory.path().join("spool"),
        directory.path().join("gone"),
    );
    std::fs::rename(&dir, &gone).unwrap();
    // More than a quarter of the spool.
    push(&backlog, 1, 300_000);
    push(&backlog, 2, 1000);
    std::fs::rename(&gone, &dir).unwrap();
    kept_until(&backlog, || backlog.left() == (1, 1)).await;
    assert_eq!(ids(&backlog, true).await, expected(1..=2));
}

#[tokio::test]
async fn what_memory_holds_of_files_that_were_removed_is_written_again() {
    let directory = tempfile::tempdir().unwrap();
    let backlog = spooled(&directory, 100_000, 1 << 20);
    for key in 1..=20 {
        push(&backlog, key, 10_000);
    }
    let in_memory = backlog.lock().calls.len();
    let mut taken = vec![backlog.take().await.unwrap()];
    for file in std::fs::read_dir(directory.path().join("spool")).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    let lost = 20 - in_memory;
    kept_until(&backlog, || backlog.dropped() == lost).await;
    assert!(backlog.save(&mut taken));
    assert_eq!(backlog.left(), (in_memory, 0));
    drop(backlog);
    let backlog = spooled(&directory, 100_000, 1 << 20);
    assert_eq!(ids(&backlog, true).await.len(), in_memory);
}

#[tokio::test]
async fn a_disk_that_does_not_give_calls_for_a_while_costs_none() {
    let directory = tempfile::tempdir().unwrap();
    let backlog = spooled(&directory, 50_000, 8 << 20);
    for key in 1..=50 {
        push(&backlog, key, 10_000);
    }
    // A file that leads to itself cannot be opened, and is there.
    let files = std::fs::read_dir(directory.path().join("spool")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let segments: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|kind| kind == "calls"))
        .collect();
    for segment in &segments {
        std::fs::rename(segment, segment.with_extension("kept")).unwrap();
        std::os::unix::fs::symlink(segment, segment).unwrap();
    }
    let soon = Duration::from_millis(300);
    let mut taken = Vec::new();
    while let Ok(record) = tokio::time::timeout(soon, backlog.take()).await {
        taken.push(record.unwrap().start.call_id);
    }
    assert!(taken.len() < 10, "{taken:?}");
    assert!(metric(&backlog, "gateway_spool_failing 1"));
    for segment in &segments {
        std::fs::rename(segment.with_extension("kept"), segment).unwrap();
    }
    while taken.len() < 50 {
        backlog.keep();
        if let Ok(record) = tokio::time::timeout(soon, backlog.take()).await {
            taken.push(record.unwrap().start.call_id);
        }
    }
    taken.sort_unstable();
    let mut all = expected(1..=50);
    all.sort_unstable();
    assert_eq!(taken, all);
    assert_eq!(backlog.dropped(), 0);
    assert!(metric(&backlog, "gateway_spool_damaged_total 0"));
    assert!(metric(&backlog, "gateway_spool_failing 0"));
}

/// A backlog with the directory of its dead letters, and where that is moved to so that they cannot be written.
fn unlettered(directory: &TempDir) -> (Backlog, [std::path::PathBuf; 2]) {
    let [dir, gone] = ["letters", "gone"].map(|name| directory.path().join(name));
    std::fs::create_dir(&dir).unwrap();
    let letters = Letters::open(&dir.join("dead"), 1 << 20).unwrap();
    let backlog = lettered(directory, 10_000, 1 << 20, Some(letters));
    std::fs::rename(&dir, &gone).unwrap();
    (backlog, [dir, gone])
}

#[tokio::test]
async fn letters_that_cannot_be_written_are_written_when_they_can_be() {
    let directory = tempfile::tempdir().unwrap();
    let (backlog, [dir, gone]) = unlettered(&directory);
    push(&backlog, 1, 100);
    let spooled = backlog.take().await.unwrap();
    let alone = record(&backlog, 2, 100).unwrap();
    assert_eq!(backlog.refuse(spooled, "it says no"), None);
    assert_eq!(backlog.refuse(alone, "it says no"), None);
    assert!(backlog.trouble().unwrap().contains("`dead_letter.file`"));
    assert!(metric(&backlog, "gateway_dead_letters_failing 1"));
    assert!(metric(&backlog, "gateway_dead_letters_waiting 2"));
    assert!(metric(&backlog, "gateway_spool_failing 0"));
    assert_eq!(backlog.left(), (1, 1));
    std::fs::rename(&gone, &dir).unwrap();
    kept_until(&backlog, || backlog.trouble().is_none()).await;
    let letters = std::fs::read_to_string(dir.join("dead")).unwrap();
    let reasons = letters.matches("\"reason\":\"it says no\"").count();
    assert_eq!((letters.lines().count(), reasons), (2, 2));
    assert!(letters.contains("call-1") && letters.contains("call-2"));
    assert_eq!(backlog.left(), (0, 0));
    assert_eq!(backlog.metric("gateway_logged_total{fate=\"Refused\"}"), 2);
    assert!(metric(&backlog, "gateway_dead_letters_waiting 0"));
}

#[tokio::test]
async fn a_refused_call_that_only_memory_has_makes_room_or_is_kept_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let (backlog, _) = unlettered(&directory);
    let [first, second] = [1, 2].map(|key| record(&backlog, key, 4000).unwrap());
    backlog.refuse(first, "it says no");
    backlog.refuse(second, "it says no");
    let under_way = record(&backlog, 3, 4000).unwrap();
    assert_eq!((backlog.dropped(), backlog.left()), (1, (0, 1)));
    drop(under_way);
    backlog.end();
    assert_eq!(backlog.left(), (1, 0));
    drop(backlog);
    let backlog = spooled(&directory, 10_000, 1 << 20);
    assert_eq!(ids(&backlog, true).await, expected(2..=2));
}

#[tokio::test]
async fn a_refused_call_that_only_memory_has_is_spooled_once_that_works() {
    let directory = tempfile::tempdir().unwrap();
    let (backlog, _) = unlettered(&directory);
    let alone = record(&backlog, 1, 4000).unwrap();
    backlog.refuse(alone, "it says no");
    assert_eq!(backlog.left(), (0, 1));
    kept_until(&backlog, || backlog.left() == (1, 0)).await;
    assert_eq!(backlog.budget().held(), 0);
    // As after `kill -9`.
    drop(backlog);
    let backlog = spooled(&directory, 10_000, 1 << 20);
    assert_eq!(ids(&backlog, true).await, expected(1..=1));
}

#[tokio::test]
async fn refused_calls_make_room_in_the_spool_for_others() {
    let directory = tempfile::tempdir().unwrap();
    let (backlog, [dir, gone]) = unlettered(&directory);
    for key in 1..=300 {
        push(&backlog, key, 10_000);
        let refused = backlog.take().await.unwrap();
        assert_eq!(backlog.refuse(refused, "it says no"), None);
    }
    assert!(metric(&backlog, "gateway_spool_unwritten_total 0"));
    let dropped = backlog.dropped();
    assert!((150..300).contains(&dropped), "{dropped}");
    std::fs::rename(&gone, &dir).unwrap();
    kept_until(&backlog, || backlog.trouble().is_none()).await;
    // Room is made for what comes next as well.
    let refused = backlog.metric("gateway_logged_total{fate=\"Refused\"}");
    assert_eq!(refused + backlog.dropped(), 300);
    let letters = std::fs::read_to_string(dir.join("dead")).unwrap();
    assert!(letters.contains("call-300"));
    assert_eq!(backlog.left(), (0, 0));
}
