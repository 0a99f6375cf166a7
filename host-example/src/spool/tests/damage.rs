//! Files that are torn, damaged, foreign, or somebody else's.

use super::*;

/// A spool of three entries, and where the last one begins.
fn three(path: &Path) -> u64 {
    let (spool, _) = Spool::open(path, MAX_BYTES).unwrap();
    let tickets =
        [b"one".as_slice(), b"two", b"three"].map(|body| spool.append(&[body], None).unwrap());
    u64::from(tickets[2].offset)
}

fn bodies(spool: &Spool) -> Vec<String> {
    let tickets = std::iter::from_fn(|| spool.take_before(None));
    tickets
        .map(|ticket| String::from_utf8(spool.read(ticket).unwrap()).unwrap())
        .collect()
}

fn only_segment(path: &Path) -> PathBuf {
    segment::calls(path, 1)
}

#[test]
fn a_segment_torn_at_every_byte_keeps_what_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let original = directory.path().join("original");
    let last = three(&original);
    let bytes = std::fs::read(only_segment(&original)).unwrap();
    let ends: Vec<_> = [3, 3, 5]
        .iter()
        .scan(START as usize, |end, len| {
            *end += HEAD + len;
            Some(*end)
        })
        .collect();
    assert_eq!(ends[1] as u64, last);
    for length in 0..=bytes.len() {
        let path = directory.path().join(length.to_string());
        std::fs::create_dir(&path).unwrap();
        std::fs::write(only_segment(&path), &bytes[..length]).unwrap();
        let (spool, found) = Spool::open(&path, MAX_BYTES).unwrap();
        let whole = ends.iter().filter(|end| **end <= length).count();
        assert_eq!((found.entries, found.damaged), (whole, 0), "{length}");
        assert_eq!(bodies(&spool), ["one", "two", "three"][..whole]);
        // It goes on from there.
        spool.append(&[b"four"], None).unwrap();
    }
}

#[test]
fn a_byte_that_changed_costs_its_entry_and_the_file_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let original = directory.path().join("original");
    three(&original);
    let bytes = std::fs::read(only_segment(&original)).unwrap();
    for place in START as usize..bytes.len() {
        let path = directory.path().join(place.to_string());
        std::fs::create_dir(&path).unwrap();
        let mut bytes = bytes.clone();
        bytes[place] ^= 0x40;
        std::fs::write(only_segment(&path), &bytes).unwrap();
        let (spool, _) = Spool::open(&path, MAX_BYTES).unwrap();
        let mut read = 0;
        while let Some(ticket) = spool.take_before(None) {
            match spool.read(ticket) {
                Ok(_) => read += 1,
                Err(ReadError::Damaged) => {}
                Err(error) => panic!("{error}"),
            }
            spool.settle(&[ticket]).unwrap();
        }
        assert_eq!(read, 2, "{place}");
        let last_head = bytes.len() - HEAD - 5..bytes.len() - 5;
        // Where nothing follows, damage and an end that was never written look the same.
        let kept = only_segment(&path).with_extension("damaged").exists();
        assert_eq!(kept, !last_head.contains(&place), "{place}");
    }
}

#[test]
fn another_format_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    three(path);
    let mut bytes = std::fs::read(only_segment(path)).unwrap();
    bytes[8] = 9;
    std::fs::write(only_segment(path), bytes).unwrap();
    let error = Spool::open(path, MAX_BYTES).unwrap_err().to_string();
    assert!(error.contains("0000000001.calls has format 9"), "{error}");
}

#[test]
fn a_directory_has_one_user() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(directory.path(), MAX_BYTES).unwrap();
    let error = Spool::open(directory.path(), MAX_BYTES)
        .unwrap_err()
        .to_string();
    let process = format!("in use by another gateway (process {})", std::process::id());
    assert!(error.contains(&process), "{error}");
    drop(spool);
    Spool::open(directory.path(), MAX_BYTES).unwrap();
}

#[test]
fn what_is_no_directory_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    std::fs::write(&path, "").unwrap();
    let error = Spool::open(&path, MAX_BYTES).unwrap_err().to_string();
    assert!(error.contains("file cannot be created"), "{error}");
}

#[test]
fn nobody_else_may_look() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/spool");
    three(&path);
    let (spool, _) = Spool::open(&path, MAX_BYTES).unwrap();
    let ticket = spool.take_before(None).unwrap();
    spool.settle(&[ticket]).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for file in std::fs::read_dir(&path).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[test]
fn what_is_too_large_or_has_no_room_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(directory.path(), MAX_BYTES).unwrap();
    let quarter = vec![0; MAX_BYTES as usize / 4 - HEAD];
    let error = spool.append(&[&quarter, b"!"], None).unwrap_err();
    assert!(matches!(error, AppendError::TooLarge { .. }), "{error}");
    // What somebody has is not dropped for more.
    let full = std::iter::from_fn(|| {
        spool.make_room(quarter.len() as u64);
        match spool.append(&[&quarter], None) {
            Ok(_) => Some(None),
            Err(AppendError::Suspended) => {
                std::thread::sleep(Duration::from_millis(100));
                Some(None)
            }
            Err(error) => Some(Some(error)),
        }
    });
    let error = full.flatten().next().unwrap();
    assert!(matches!(error, AppendError::Full(_)), "{error}");
}

#[test]
fn a_lock_that_somebody_removes_is_taken_again() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(directory.path(), MAX_BYTES).unwrap();
    let lock = directory.path().join("lock");
    std::fs::remove_file(&lock).unwrap();
    spool.keep_lock().unwrap();
    let refused = Spool::open(directory.path(), MAX_BYTES).unwrap_err();
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused}");

    std::fs::remove_file(&lock).unwrap();
    let _another = Spool::open(directory.path(), MAX_BYTES).unwrap();
    let told = spool.keep_lock().unwrap_err().to_string();
    assert!(told.contains("in use by another gateway"), "{told}");
}

#[test]
fn a_segment_whose_notes_cannot_be_written_keeps_no_other_from_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let (spool, _) = Spool::open(path, MAX_BYTES).unwrap();
    let body = [0; 30_000];
    let tickets = [(); 4].map(|()| spool.append(&[&body], None).unwrap());
    assert_eq!(tickets.map(|ticket| ticket.segment), [1, 1, 2, 2]);
    let in_the_way = segment::done(path, 1);
    std::fs::create_dir(&in_the_way).unwrap();
    spool.settle(&[tickets[0], tickets[2]]).unwrap_err();
    assert_eq!(segment::read_done(path, 2).unwrap(), [tickets[2].offset]);
    // What was not noted is noted with what is done next.
    std::fs::remove_dir(&in_the_way).unwrap();
    spool.settle(&[]).unwrap();
    drop(spool);
    let (spool, found) = Spool::open(path, MAX_BYTES).unwrap();
    assert_eq!(found.entries, 2);
    assert_eq!(spool.take_before(None), Some(tickets[1]));
}

#[test]
fn nobody_waits_long_for_a_disk_that_hangs() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(directory.path(), MAX_BYTES).unwrap();
    std::thread::scope(|scope| {
        let hangs = spool.writer.lock();
        let (append, appended) = std::sync::mpsc::channel();
        for _ in 0..2 {
            let (append, spool) = (append.clone(), &spool);
            scope.spawn(move || append.send(spool.append(&[b"one"], None)).unwrap());
        }
        for _ in 0..2 {
            let told = appended.recv_timeout(PATIENCE / 2).unwrap();
            assert!(matches!(told, Err(AppendError::Suspended)), "{told:?}");
        }
        drop(hangs);
    });
    spool.append(&[b"two"], None).unwrap();
}

#[test]
fn a_directory_that_became_a_file_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("spool");
    let (spool, _) = Spool::open(&path, MAX_BYTES).unwrap();
    let [taken, waiting] = [b"one", b"two"].map(|body| spool.append(&[body], None).unwrap());
    assert!(spool.put_back(waiting));
    assert_eq!(spool.forget_removed(), Removed::default());
    std::fs::rename(&path, directory.path().join("gone")).unwrap();
    std::fs::write(&path, b"").unwrap();
    let removed = spool.forget_removed();
    assert_eq!((removed.segments, removed.entries), (1, 1));
    assert!(!spool.has(taken));
}
