//! Captured calls beyond the golden cases: encodings, room, the host's word, what an open call holds.

mod support;

use std::io::Write;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use logger_core::event::{CallStart, Context, EventError};
use logger_core::{FlushMode, Logger};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};
use support::{NOW, START, attribute, flush_at, logger, span, spans_of};

const REQUEST: &str = r#"{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true}"#;

fn start<'a>(headers: Vec<(&'a str, &'a [u8])>, body: &'a [u8]) -> CallStart<'a> {
    CallStart {
        key: 1,
        at: START,
        call_id: Some("call-1"),
        method: "POST",
        path: "/v1/chat/completions",
        authority: Some("api.openai.com"),
        provider: None,
        headers,
        context: Context::default(),
        body,
    }
}

fn begin(logger: &mut Logger) -> u64 {
    logger
        .begin_call(NOW, &start(vec![], REQUEST.as_bytes()))
        .unwrap()
}

fn chunk(text: &str, finish_reason: Value) -> String {
    let chunk = json!({
        "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}],
    });
    format!("data: {chunk}\n\n")
}

fn stream() -> String {
    let chunks = [chunk("Hel", Value::Null), chunk("lo", json!("stop"))];
    chunks.concat() + "data: [DONE]\n\n"
}

fn content(span: &Span) -> Value {
    attribute(span, "mlflow.spanOutputs").unwrap()["choices"][0]["message"]["content"].clone()
}

/// The span of a response of these header fields, whose pieces come a second after the other.
fn answered(headers: &[(&str, &[u8])], pieces: &[&[u8]]) -> Span {
    let mut logger = logger(json!({}));
    let call = begin(&mut logger);
    logger.response_head(call, START + 1, 200, headers).unwrap();
    for (second, piece) in (1..).zip(pieces) {
        logger
            .response_chunk(call, START + second * 1_000_000_000, piece)
            .unwrap();
    }
    logger
        .finish_call(NOW, call, START + 60_000_000_000)
        .unwrap();
    span(&mut logger)
}

fn gzip(pieces: &[&str]) -> Vec<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let mut encoded = Vec::new();
    for piece in pieces {
        encoder.write_all(piece.as_bytes()).unwrap();
        encoder.flush().unwrap();
        encoded.push(std::mem::take(encoder.get_mut()));
    }
    encoded.push(encoder.finish().unwrap());
    encoded
}

#[test]
fn an_encoded_stream_is_read_as_it_comes() {
    let pieces = gzip(&[&chunk("Hel", Value::Null), &chunk("lo", json!("stop"))]);
    let pieces: Vec<_> = pieces.iter().map(Vec::as_slice).collect();
    let headers: [(&str, &[u8]); 2] = [
        ("Content-Type", b"text/event-stream"),
        ("Content-Encoding", b"gzip"),
    ];
    let span = answered(&headers, &pieces);
    assert_eq!(content(&span), "Hello");
    let seconds: Vec<_> = span
        .events
        .iter()
        .map(|event| (event.time_unix_nano - START) / 1_000_000_000)
        .collect();
    assert_eq!(seconds, [1, 2]);
    assert_eq!(
        attribute(&span, "gen_ai.response.time_to_first_chunk").unwrap(),
        1.0
    );
}

#[test]
fn brotli_and_zstd_are_read() {
    for (encoding, body) in [
        ("br", &include_bytes!("encodings/text.br")[..]),
        ("zstd", &include_bytes!("encodings/text.zst")[..]),
    ] {
        let headers: [(&str, &[u8]); 2] = [
            ("content-type", b"text/plain"),
            ("content-encoding", encoding.as_bytes()),
        ];
        let mut logger = logger(json!({}));
        let mut start = start(vec![], b"{}");
        start.path = "/elsewhere";
        let call = logger.begin_call(NOW, &start).unwrap();
        logger.response_head(call, START, 200, &headers).unwrap();
        for piece in body.chunks(9) {
            logger.response_chunk(call, START, piece).unwrap();
        }
        logger.finish_call(NOW, call, START).unwrap();
        let outputs = attribute(&span(&mut logger), "mlflow.spanOutputs").unwrap();
        assert!(
            outputs.as_str().unwrap().starts_with("data: {\"a\""),
            "{encoding}: {outputs}"
        );
    }
}

#[test]
fn an_encoding_that_nobody_knows_is_described_and_marked() {
    let headers: [(&str, &[u8]); 2] = [
        ("content-type", b"application/json"),
        ("content-encoding", b"lzma"),
    ];
    let span = answered(&headers, &[b"abc", b"de"]);
    let described = json!({"media_type": "application/json", "bytes": 5});
    assert_eq!(attribute(&span, "mlflow.spanOutputs").unwrap(), described);
    let repairs = attribute(&span, "llm_logger.repairs").unwrap().to_string();
    assert!(repairs.contains("could not be decoded"), "{repairs}");
}

#[test]
fn a_stream_that_the_host_cut_is_no_failure() {
    let mut logger = logger(json!({}));
    let call = begin(&mut logger);
    let head: [(&str, &[u8]); 1] = [("content-type", b"text/event-stream")];
    logger.response_head(call, START, 200, &head).unwrap();
    let part = chunk("Hel", Value::Null);
    logger.response_chunk(call, START, part.as_bytes()).unwrap();
    logger.response_gap(call, START, 500).unwrap();
    let ignored = chunk("?", Value::Null);
    logger
        .response_chunk(call, START, ignored.as_bytes())
        .unwrap();
    logger.finish_call(NOW, call, START).unwrap();
    let span = span(&mut logger);
    assert_eq!(content(&span), "Hel");
    assert_eq!(span.status.as_ref().unwrap().code, 1);
    let repairs = attribute(&span, "llm_logger.repairs").unwrap().to_string();
    assert!(repairs.contains("were cut"), "{repairs}");
}

#[test]
fn a_small_body_cannot_fill_the_memory() {
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    bomb.write_all(b"\"").unwrap();
    for _ in 0..2000 {
        bomb.write_all(&[b'a'; 10_000]).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    let mut logger = logger(json!({"queue_max_bytes": 1_000_000}));
    let call = begin(&mut logger);
    let headers: [(&str, &[u8]); 2] = [
        ("content-type", b"application/json"),
        ("content-encoding", b"gzip"),
    ];
    logger.response_head(call, START, 200, &headers).unwrap();
    for piece in bomb.chunks(1000) {
        logger.response_chunk(call, START, piece).unwrap();
        assert!(
            logger.stats().queued_bytes <= 1_010_000,
            "{}",
            logger.stats().queued_bytes
        );
    }
    logger.finish_call(NOW, call, START).unwrap();
    assert!(attribute(&span(&mut logger), "llm_logger.repairs").is_some());
}

#[test]
fn a_stream_that_says_nothing_of_itself_is_told_from_its_first_byte() {
    for headers in [
        &[][..],
        &[("content-type", &b"application/octet-stream"[..])],
        &[("content-type", &b"text/plain; charset=utf-8"[..])],
    ] {
        let body = stream();
        let span = answered(headers, &[&body.as_bytes()[..1], &body.as_bytes()[1..]]);
        assert_eq!(content(&span), "Hello", "{headers:?}");
    }
}

#[test]
fn a_stream_that_was_asked_for_and_did_not_come_is_a_response() {
    let body = json!({"model": "m", "choices": [{"index": 0, "message": {"content": "Hello"}}]});
    let headers: [(&str, &[u8]); 1] = [("content-type", b"application/json")];
    assert_eq!(
        content(&answered(&headers, &[body.to_string().as_bytes()])),
        "Hello"
    );
}

#[test]
fn the_host_has_the_last_word() {
    let mut logger = logger(json!({}));
    let fields: Vec<(&str, &[u8])> = vec![
        ("x-mlflow-session", b"header"),
        ("x-mlflow-user", b"header"),
        ("x-mlflow-tags", b"a:header,b:header"),
    ];
    let mut start = start(fields, REQUEST.as_bytes());
    start.provider = Some(" Azure ");
    start.context = Context {
        session: Some("host"),
        tags: vec![("a", "host")],
        ..Context::default()
    };
    let call = logger.begin_call(NOW, &start).unwrap();
    logger.finish_call(NOW, call, START).unwrap();
    let span = span(&mut logger);
    let of = |key| attribute(&span, key).unwrap();
    assert_eq!(
        (of("session.id"), of("user.id")),
        (json!("host"), json!("header"))
    );
    assert_eq!(of("mlflow.traceTag.a"), "host");
    assert_eq!(of("mlflow.traceTag.b"), "header");
    assert_eq!(of("mlflow.llm.provider"), "azure");
}

#[test]
fn an_experiment_can_be_named_by_a_header() {
    let mut logger = logger(json!({"client_experiments": ["other"]}));
    let fields: Vec<(&str, &[u8])> = vec![("x-mlflow-experiment", b"other")];
    let call = logger
        .begin_call(NOW, &start(fields, REQUEST.as_bytes()))
        .unwrap();
    logger.finish_call(NOW, call, START).unwrap();
    logger.prepare(NOW, FlushMode::All);
    let request = logger.poll_request(NOW).unwrap();
    assert!(
        request.url.contains("get-by-name?experiment_name=other"),
        "{}",
        request.url
    );
}

#[test]
fn a_call_that_is_dropped_keeps_the_part_that_came() {
    let mut logger = logger(json!({}));
    let call = begin(&mut logger);
    logger
        .response_head(call, START, 200, &[("content-type", b"text/event-stream")])
        .unwrap();
    logger
        .response_chunk(call, START + 5, chunk("Hel", Value::Null).as_bytes())
        .unwrap();
    logger.drop_call(NOW, call);
    let mut all = Vec::new();
    flush_at(&mut logger, NOW, FlushMode::Close, |request| {
        all.extend(spans_of(request));
        support::answer(200, "")
    });
    assert_eq!(content(&all[0]), "Hel");
    assert_eq!(all[0].status.as_ref().unwrap().code, 2);
    assert!(format!("{:?}", all[0].events).contains("cancelled"));
}

/// The processor's time that the thread took, where the system tells it: what others do on the machine
/// does not count.
fn taken(since: Instant) -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|told| told.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| since.elapsed(), Duration::from_nanos)
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test measures")]
fn a_streams_cost_a_chunk_does_not_grow() {
    let since = Instant::now();
    let time = |chunks: u64| {
        let mut logger = logger(json!({}));
        let call = begin(&mut logger);
        let head: [(&str, &[u8]); 1] = [("content-type", b"text/event-stream")];
        logger.response_head(call, START, 200, &head).unwrap();
        let piece = chunk("word ", Value::Null);
        let before = taken(since);
        for at in 0..chunks {
            logger
                .response_chunk(call, START + at, piece.as_bytes())
                .unwrap();
        }
        logger.finish_call(NOW, call, START + chunks).unwrap();
        taken(since) - before
    };
    let short = (0..3).map(|_| time(10_000)).min().unwrap();
    let long = time(80_000);
    // Eight times the chunks; were it quadratic, it would be 64 times the time.
    assert!(
        long < short.max(Duration::from_millis(5)) * 32,
        "{short:?}, {long:?}"
    );
}

#[test]
fn an_open_stream_holds_its_answer_and_not_its_bytes() {
    let mut logger = logger(json!({"capture": {"chunks": false}}));
    let call = begin(&mut logger);
    let head: [(&str, &[u8]); 1] = [("content-type", b"text/event-stream")];
    logger.response_head(call, START, 200, &head).unwrap();
    let mut passed = 0;
    for _ in 0..1000 {
        let piece = chunk("word ", Value::Null);
        passed += piece.len() as u64;
        logger
            .response_chunk(call, START, piece.as_bytes())
            .unwrap();
    }
    let held = logger.stats().queued_bytes;
    assert!(held < passed / 5, "{held} of {passed}");
}

#[test]
fn a_call_begins_while_there_is_room_for_its_response_or_nothing_to_send() {
    let mut logger = logger(json!({"queue_max_bytes": 80_000}));
    let answer =
        json!({"choices": [{"message": {"role": "assistant", "content": "x".repeat(9_000)}}]});
    let answer = answer.to_string();
    let mut begun = 0;
    let refused = loop {
        let request = start(vec![], br#"{"model":"m","messages":[]}"#);
        let call = match logger.begin_call(NOW, &request) {
            Ok(call) => call,
            Err(error) => break error,
        };
        logger.response_head(call, START + 1, 200, &[]).unwrap();
        logger
            .response_chunk(call, START + 1, answer.as_bytes())
            .unwrap();
        logger.finish_call(NOW, call, START + 2).unwrap();
        begun += 1;
    };
    assert!(matches!(refused, EventError::QueueFull), "{refused}");
    let spans = support::spans(&mut logger);
    assert_eq!((spans.len(), begun >= 6), (begun, true));
    for span in spans {
        let content = content(&span);
        assert_eq!(content.as_str().map(str::len), Some(9_000));
    }
    begin(&mut logger);
}
