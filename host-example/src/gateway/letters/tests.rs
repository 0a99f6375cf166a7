//! Dead letters: what they tell, and what becomes of their file.

use super::*;
use crate::gateway::backlog::tests::{backlog, record};
use crate::gateway::record::Record;
use crate::gateway::record::written::Redaction;

fn write(letters: &Letters, record: &Record, reason: &str) -> io::Result<u64> {
    let redaction = Redaction::default();
    letters.write(&redaction.written(record), reason)
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_letter_tells_the_call_and_the_reason_once() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("letters");
    let backlog = backlog(1 << 20);
    let mut record = record(&backlog, 1, 100).unwrap();
    record
        .response
        .add(5, &vec![0xFF; BODY as usize + 1].into(), usize::MAX);
    let letters = Letters::open(&path, 1 << 30).unwrap();
    write(&letters, &record, "it says no").unwrap();
    write(&letters, &record, "it says no").unwrap();
    drop(letters);
    // A line that was not written to its end is no reason to stop.
    std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap()
        .write_all(b"{\"call")
        .unwrap();
    write(
        &Letters::open(&path, 1 << 30).unwrap(),
        &record,
        "it says no",
    )
    .unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert_eq!(
        (&line["call_id"], &line["reason"]),
        (&json!("call-1"), &json!("it says no"))
    );
    assert_eq!(line["event"]["path"], "/v1/chat/completions");
    assert_eq!(line["event"]["request"], json!({"text": ""}));
    assert_eq!(line["event"]["response"]["bytes"], BODY as usize + 1);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn the_files_stay_within_the_bound() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("letters");
    let backlog = backlog(1 << 20);
    let letters = Letters::open(&path, 4000).unwrap();
    let mut overwritten = 0;
    for key in 0..30 {
        overwritten += write(&letters, &record(&backlog, key, 100).unwrap(), "no").unwrap();
    }
    let kept = [&path, &older(&path)].map(|path| lines(path).len() as u64);
    assert_eq!(overwritten + kept.iter().sum::<u64>(), 30);
    let sizes = [&path, &older(&path)].map(|path| std::fs::metadata(path).unwrap().len());
    assert!(sizes.iter().sum::<u64>() <= 4000, "{sizes:?}");
    let last = lines(&path).pop().unwrap();
    assert_eq!(last["call_id"], "call-29");
    let letters = Letters::open(&path, 4000).unwrap();
    write(&letters, &record(&backlog, 29, 100).unwrap(), "no").unwrap();
    assert_eq!(lines(&path).pop().unwrap(), last);
}

#[test]
fn a_file_that_somebody_moves_or_removes_is_begun_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("letters");
    let backlog = backlog(1 << 20);
    let letters = Letters::open(&path, 1 << 20).unwrap();
    let write = |key| write(&letters, &record(&backlog, key, 100).unwrap(), "no").unwrap();
    write(1);
    std::fs::rename(&path, directory.path().join("moved")).unwrap();
    write(2);
    assert_eq!(lines(&path)[0]["call_id"], "call-2");
    std::fs::remove_file(&path).unwrap();
    write(3);
    write(4);
    let ids = lines(&path).into_iter().map(|line| line["call_id"].clone());
    assert_eq!(ids.collect::<Vec<_>>(), ["call-3", "call-4"]);
    assert_eq!(lines(&directory.path().join("moved")).len(), 1);
}

/// Names the directory for the process whose files are kept small.
const SMALL_FILES: &str = "TEST_LETTERS_OF_SMALL_FILES";

#[test]
fn a_letter_that_is_not_written_whole_leaves_nothing() {
    let Some(directory) = std::env::var_os(SMALL_FILES) else {
        // The bound of files is a process's, and other tests write larger ones.
        let directory = tempfile::tempdir().unwrap();
        let limited = "trap '' XFSZ; ulimit -f 8; exec \"$@\"";
        let test = "gateway::letters::tests::a_letter_that_is_not_written_whole_leaves_nothing";
        let output = std::process::Command::new("sh")
            .args(["-c", limited, "sh"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", test])
            .env(SMALL_FILES, directory.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("1 passed"), "{said}");
        return;
    };
    let path = Path::new(&directory).join("letters");
    let backlog = backlog(1 << 20);
    let letters = Letters::open(&path, 1 << 20).unwrap();
    let [first, mut large, last] = [1, 2, 3].map(|key| record(&backlog, key, 100).unwrap());
    let body = vec![b'x'; 20_000].into();
    large.response.add(5, &body, usize::MAX);
    write(&letters, &first, "no").unwrap();
    let before = lines(&path);
    write(&letters, &large, "no").unwrap_err();
    assert_eq!(lines(&path), before);
    write(&letters, &last, "no").unwrap();
    assert_eq!(lines(&path).len(), 2);
}
