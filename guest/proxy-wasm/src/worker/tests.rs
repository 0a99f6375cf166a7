use super::*;
use crate::head;

const NOW: Duration = Duration::from_secs(1000);
const START: Timestamp = 1_000_000_000_000;

fn worker(rest: &str) -> Worker {
    let text = format!(r#"{{"tracking_uri":"http://m:1","experiment_id":"1"{rest}}}"#);
    Worker::new(Settings::parse_for_proxy(&text, |_| None).unwrap(), 1, NOW)
}

/// A call with a response of this body, up to its end.
fn call(worker: &mut Worker, response: &[u8]) -> bool {
    if !worker.admits() {
        return false;
    }
    let mut record = worker.begin(START, None);
    for (body, bytes) in [
        (&mut record.request, &br#"{"model":"m","messages":[]}"#[..]),
        (&mut record.response, response),
    ] {
        let wanted = worker.wants(body, bytes.len());
        worker.keep(body, START, bytes.len(), bytes[..wanted].to_vec());
    }
    worker.end(Ended {
        record,
        request: head::Request {
            method: "POST".to_owned(),
            path: "/v1/chat/completions".to_owned(),
            ..head::Request::default()
        },
        response: head::Response {
            status: Some(200),
            ..head::Response::default()
        },
        at: START + 1,
        failed: None,
    });
    true
}

/// Does all there is to do, answering with this status; returns how many requests were sent.
fn work(worker: &mut Worker, now: Duration, status: u16) -> usize {
    let mut sent = 0;
    worker.slice(now);
    loop {
        match worker.step(now) {
            Step::Send(request) => {
                sent += 1;
                let answer = Response {
                    status,
                    retry_after: None,
                    body: Vec::new(),
                };
                worker.answered(now, request.id, Ok(answer));
            }
            Step::More => {}
            Step::Done => return sent,
        }
    }
}

#[test]
fn a_call_is_delivered_and_leaves_nothing_behind() {
    let mut worker = worker("");
    assert_eq!(worker.wake(NOW), None);
    assert!(call(&mut worker, b"{}"));
    assert_eq!(worker.wake(NOW), Some(Duration::ZERO));
    assert_eq!(work(&mut worker, NOW, 200), 0);
    let wake = worker.wake(NOW).unwrap();
    assert!(wake > Duration::ZERO, "it waits for others");
    assert_eq!(work(&mut worker, NOW + wake, 200), 1);
    assert_eq!(worker.wake(NOW + wake), None);
    assert!(worker.is_empty());
    let numbers = worker.numbers();
    assert_eq!(
        (numbers.calls, numbers.logged, numbers.delivered),
        (1, 1, 1)
    );
    assert_eq!((numbers.queued_bytes, numbers.open_calls), (0, 0));
}

#[test]
fn one_that_closes_waits_for_nothing() {
    let mut worker = worker(r#","flush_interval_ms":3600000"#);
    call(&mut worker, b"{}");
    work(&mut worker, NOW, 200);
    assert!(worker.wake(NOW).unwrap() > Duration::from_secs(3000));
    worker.close();
    assert_eq!(worker.wake(NOW), Some(Duration::ZERO));
    assert_eq!(work(&mut worker, NOW, 200), 1);
    assert!(worker.is_empty() && worker.wake(NOW).is_none());
}

#[test]
fn what_is_held_is_bounded_and_what_passes_unlogged_is_counted() {
    let mut worker = worker(r#","queue_max_bytes":100000"#);
    let body = vec![b'x'; 3000];
    let admitted = (0..500).filter(|_| call(&mut worker, &body)).count();
    let numbers = worker.numbers();
    assert!(numbers.queued_bytes <= 100_000, "{numbers:?}");
    assert_eq!(numbers.calls, 500);
    assert_eq!(numbers.dropped_full, 500 - admitted as u64);
    assert!(admitted > 10);
    worker.close();
    work(&mut worker, NOW, 200);
    work(&mut worker, NOW, 200);
    assert!(worker.is_empty());
    assert_eq!(worker.numbers().delivered, admitted as u64);
    assert!(call(&mut worker, b"{}"), "there is room again");
}

#[test]
fn header_fields_are_within_the_bound() {
    let mut worker = worker("");
    let fields = vec![("x-large".to_owned(), vec![b'x'; 50_000])];
    assert!(worker.admits());
    let ended = Ended {
        record: worker.begin(START, None),
        request: head::Request {
            fields: fields.clone(),
            ..head::Request::default()
        },
        response: head::Response {
            status: Some(200),
            fields,
        },
        at: START + 1,
        failed: None,
    };
    worker.end(ended);
    assert!(worker.numbers().queued_bytes > 100_000);
    worker.close();
    work(&mut worker, NOW, 200);
    work(&mut worker, NOW, 200);
    assert_eq!(worker.numbers().queued_bytes, 0);
}

#[test]
fn what_is_given_up_is_counted_and_gauges_are_taken_back() {
    let mut worker = worker("");
    for _ in 0..3 {
        call(&mut worker, b"{}");
    }
    worker.close();
    work(&mut worker, NOW, 503);
    call(&mut worker, b"{}");
    assert_eq!(worker.give_up(), 4);
    let numbers = worker.numbers();
    assert_eq!((numbers.dropped_undelivered, numbers.queued_calls), (4, 4));
    let told = numbers.without_gauges();
    assert_eq!((told.dropped_undelivered, told.queued_calls), (4, 0));
}

#[test]
fn a_body_past_its_bound_is_cut_and_tagged() {
    let mut worker = worker(r#","log_body_bytes":10"#);
    assert!(call(&mut worker, b"0123456789abcdef"));
    work(&mut worker, NOW, 200);
    assert_eq!(worker.numbers().truncated, 1);
}

#[test]
fn a_server_that_is_down_is_told_of_once_and_tried_again() {
    let mut worker = worker("");
    call(&mut worker, b"{}");
    worker.close();
    work(&mut worker, NOW, 503);
    work(&mut worker, NOW, 503);
    let lines = worker.settle(NOW);
    assert!(lines[0].1.contains("not delivered for now"), "{lines:?}");
    assert!(worker.settle(NOW).is_empty());
    let wake = Duration::from_secs(1);
    assert_eq!(work(&mut worker, NOW + wake, 200), 1);
    let lines = worker.settle(NOW + wake);
    assert!(lines[0].1.contains("delivered again"), "{lines:?}");
    assert!(worker.is_empty());
}
