//! The fixtures themselves, against MLflow alone: what fails here says nothing about the logger.

use e2e::parent::Parent;
use e2e::{Mlflow, events};

#[test]
fn a_span_of_mlflows_own_client_is_read_back() {
    let mlflow = Mlflow::shared().unwrap();
    let parent = Parent::open(mlflow, "fixtures", "agent").unwrap();
    let id = parent.trace_id();
    assert!(parent.traceparent().starts_with("00-"));
    parent.end().unwrap();

    let traces = mlflow.traces("fixtures").unwrap();
    assert_eq!(traces.len(), 1);
    assert_eq!(traces[0].info.trace_id, id);
    assert_eq!(traces[0].info.state, "OK");
    let root = traces[0].root().unwrap();
    assert_eq!(root.name, "agent");
    assert_eq!(root.kind.as_deref(), Some("AGENT"));
    assert!(root.end_ns.unwrap() > root.start_ns);
}

#[test]
fn an_experiment_that_is_not_there_has_no_traces() {
    let mlflow = Mlflow::shared().unwrap();
    assert!(mlflow.traces("nowhere").unwrap().is_empty());
}

#[test]
fn a_call_that_mlflow_does_not_hold_is_missed() {
    let call = events::chat("never-logged", 0);
    let differences = call.expected.differences(&[]);
    assert_eq!(differences, ["never-logged: 1 span expected, 0 found"]);
}
