//! What the tests share: the gateway, the server, and files to replay.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use e2e::events::Call;
use e2e::{Gateway, Mlflow, Replay, Trace};
use tempfile::NamedTempFile;

/// A replay of a file with these bytes into an experiment of the shared server.
pub fn replay(experiment: &str, bytes: impl AsRef<[u8]>, options: &[&str]) -> Replay {
    let file = file(bytes);
    let uri = Mlflow::shared().unwrap().uri();
    let gateway = Gateway::find().unwrap();
    gateway
        .replay(file.path(), &uri, experiment, options)
        .unwrap()
}

/// A replay that has to deliver everything.
pub fn replay_all(experiment: &str, bytes: impl AsRef<[u8]>) -> Replay {
    let replay = replay(experiment, bytes, &[]);
    assert_eq!(replay.code, Some(0), "{replay:#?}");
    assert_eq!(replay.report.delivered, replay.report.events, "{replay:#?}");
    replay
}

/// The traces that the shared server holds of an experiment.
pub fn traces(experiment: &str) -> Vec<Trace> {
    Mlflow::shared().unwrap().traces(experiment).unwrap()
}

/// Asserts that every call is held, once, as it was sent.
pub fn assert_held<'c>(calls: impl IntoIterator<Item = &'c Call>, traces: &[Trace]) {
    let calls = calls.into_iter();
    let differences: Vec<_> = calls
        .flat_map(|call| call.expected.differences(traces))
        .collect();
    let shown = &differences[..differences.len().min(20)];
    assert!(differences.is_empty(), "{}", shown.join("\n"));
}

/// A temporary file with these bytes.
pub fn file(bytes: impl AsRef<[u8]>) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes.as_ref()).unwrap();
    file
}

/// Nanoseconds since the epoch.
pub fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_nanos()).unwrap()
}
