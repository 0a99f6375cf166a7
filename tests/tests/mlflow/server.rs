//! What the gateway says when MLflow is not there, or does not want to.

use e2e::{Gateway, events, mlflow};

use crate::support::{file, now};

#[test]
fn a_stopped_server_is_named_together_with_the_mend() {
    let address = mlflow::free_address().unwrap().to_string();
    let uri = format!("http://{address}");
    let file = file(events::jsonl([&events::chat("unreachable", now())]));
    let gateway = Gateway::find().unwrap();
    let replay = gateway.replay(file.path(), &uri, "nowhere", &[]).unwrap();
    assert_eq!(replay.code, Some(1), "{replay:#?}");
    assert_eq!(replay.report.events, 1);
    assert_eq!(replay.report.delivered, 0);
    assert!(replay.stderr.contains(&address), "{}", replay.stderr);
    assert!(replay.stderr.contains("mlflow server"), "{}", replay.stderr);
    assert!(
        replay.stderr.contains("--tracking-uri"),
        "{}",
        replay.stderr
    );
}

#[test]
fn an_empty_file_needs_no_server() {
    let uri = format!("http://{}", mlflow::free_address().unwrap());
    let gateway = Gateway::find().unwrap();
    let replay = gateway
        .replay(file("").path(), &uri, "nowhere", &[])
        .unwrap();
    assert_eq!(replay.code, Some(0), "{replay:#?}");
    assert_eq!(replay.report.events, 0);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let gateway = Gateway::find().unwrap();
    let arguments = [
        "replay",
        "no-such-file.jsonl",
        "--tracking-uri",
        "http://127.0.0.1:9",
    ];
    let output = gateway.command(arguments).output().unwrap();
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("no-such-file.jsonl"), "{errors}");
}
