//! The real plugin within its limits, and what happens beyond them.

mod common;

use std::num::NonZero;
use std::time::Duration;

use common::{Server, line, plugin, settings};
use host_example::bindings::llm_gateway::hooks::types::{CallStart, Context, Event};
use host_example::replay::Replay;
use host_example::{FlushMode, Limits, Logger, LoggerError};
use indicatif::ProgressBar;
use serde_json::json;

const CONTEXT: Context<'static> = Context {
    traceparent: None,
    session: None,
    user: None,
    tags: &[],
    experiment: None,
};

fn event(key: u64, payload: &str) -> Event<'_> {
    Event {
        key,
        payload,
        start_time: Some(1_764_020_000_000_000_000),
        end_time: None,
        time: None,
        context: CONTEXT,
    }
}

async fn configured(limits: Limits, server: &str) -> Logger {
    let mut logger = plugin(limits).await.instantiate().await.unwrap();
    logger.configure(&settings(server, &[])).await.unwrap();
    logger
}

#[tokio::test]
async fn the_plugin_imports_io_clocks_http_and_nothing_else() {
    let plugin = plugin(Limits::default()).await;
    let allowed = ["wasi:io/", "wasi:clocks/", "wasi:random/", "wasi:http/"];
    let imports = plugin.imports();
    for import in &imports {
        // Types of our own package are no capability.
        let own_types = import.starts_with("llm-gateway:hooks/types@");
        let known = allowed.iter().any(|prefix| import.starts_with(prefix));
        assert!(own_types || known, "{import}");
    }
    assert!(
        imports
            .iter()
            .any(|import| import.starts_with("wasi:http/outgoing-handler@"))
    );
    assert_eq!(plugin.exports(), ["llm-gateway:hooks/logger@0.1.0"]);
}

#[tokio::test]
async fn an_event_goes_to_the_server_and_comes_back_in_the_report() {
    let server = Server::start(Duration::ZERO).await;
    let mut logger = configured(Limits::default(), &server.url).await;
    logger
        .log_success_event(event(7, &line("a", 10)))
        .await
        .unwrap();
    let report = logger.flush(FlushMode::All).await.unwrap();
    assert_eq!(report.delivered[0].keys, [7]);
    assert!(report.delivered[0].trace_id.starts_with("tr-"));
    assert_eq!(*server.requests.lock().unwrap(), ["/v1/traces"]);
    assert_eq!(logger.stats().await.unwrap().spans_delivered, 1);
}

#[tokio::test]
async fn a_flush_of_what_is_due_tells_what_became_of_some_before_all_is_sent() {
    let server = Server::start(Duration::from_millis(400)).await;
    let mut logger = plugin(Limits::default()).await.instantiate().await.unwrap();
    let one_each = settings(&server.url, &[("batch_max_spans", json!(1))]);
    logger.configure(&one_each).await.unwrap();
    for key in 0..6 {
        let line = line(&key.to_string(), 10);
        logger.log_success_event(event(key, &line)).await.unwrap();
    }
    let first = logger.flush(FlushMode::Due).await.unwrap().delivered.len();
    assert!((1..6).contains(&first), "{first}");
    assert_eq!(logger.next_wake().await.unwrap(), Some(Duration::ZERO));
    let rest = logger.flush(FlushMode::All).await.unwrap().delivered.len();
    assert_eq!(first + rest, 6);
    assert_eq!(server.count(), 6);
}

#[tokio::test]
async fn a_plugin_without_settings_and_one_with_bad_settings_say_so() {
    let mut logger = plugin(Limits::default()).await.instantiate().await.unwrap();
    let error = logger.log_success_event(event(1, "{}")).await.unwrap_err();
    assert!(matches!(error, LoggerError::Refused(_)), "{error}");
    let bad = settings("http://127.0.0.1:9", &[("sample_ratio", json!(2))]);
    let error = logger.configure(&bad).await.unwrap_err().to_string();
    assert!(error.contains("sample_ratio"), "{error}");
    assert!(logger.is_usable());
}

#[tokio::test]
async fn waiting_for_a_slow_server_costs_no_cpu_time() {
    let cpu_per_call = Duration::from_millis(250);
    let server = Server::start(Duration::from_secs(1)).await;
    let limits = Limits {
        cpu_per_call,
        ..Limits::default()
    };
    let mut logger = configured(limits, &server.url).await;
    logger
        .log_success_event(event(1, &line("a", 10)))
        .await
        .unwrap();
    let report = logger.flush(FlushMode::All).await.unwrap();
    assert_eq!(report.delivered.len(), 1, "{:?}", report.deferred);
}

#[tokio::test]
async fn too_much_computing_ends_the_instance_and_not_the_plugin() {
    // Far more than an instance needs to start, far less than the event takes.
    let cpu_per_call = Duration::from_millis(20);
    let plugin = plugin(Limits {
        cpu_per_call,
        ..Limits::default()
    })
    .await;
    let mut logger = plugin.instantiate().await.unwrap();
    logger
        .configure(&settings("http://127.0.0.1:9", &[]))
        .await
        .unwrap();
    let large = line("a", 30 << 20);
    let error = logger
        .log_success_event(event(1, &large))
        .await
        .unwrap_err();
    assert!(matches!(error, LoggerError::CpuExceeded { .. }), "{error}");
    assert!(!logger.is_usable());
    assert_eq!(logger.next_wake().await, Err(LoggerError::Unusable));
    plugin
        .instantiate()
        .await
        .unwrap()
        .next_wake()
        .await
        .unwrap();
}

#[tokio::test]
async fn too_much_memory_ends_the_instance_and_not_the_plugin() {
    let memory_bytes = 8 << 20;
    let plugin = plugin(Limits {
        memory_bytes,
        ..Limits::default()
    })
    .await;
    let mut logger = plugin.instantiate().await.unwrap();
    logger
        .configure(&settings("http://127.0.0.1:9", &[]))
        .await
        .unwrap();
    let large = line("a", 16 << 20);
    let error = logger
        .log_success_event(event(1, &large))
        .await
        .unwrap_err();
    assert!(matches!(error, LoggerError::Trap { .. }), "{error}");
    assert_eq!(logger.next_wake().await, Err(LoggerError::Unusable));
    let mut fresh = plugin.instantiate().await.unwrap();
    fresh
        .configure(&settings("http://127.0.0.1:9", &[]))
        .await
        .unwrap();
    fresh
        .log_success_event(event(1, &line("a", 10)))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_call_that_is_dropped_is_logged_as_cancelled() {
    let server = Server::start(Duration::ZERO).await;
    let mut logger = configured(Limits::default(), &server.url).await;
    let start = CallStart {
        key: 5,
        at: 1_764_020_000_000_000_000,
        call_id: Some("c"),
        method: "POST",
        path: "/v1/chat/completions",
        authority: None,
        provider: Some("openai"),
        headers: &[],
        context: CONTEXT,
    };
    let body = br#"{"model":"gpt-4o","messages":[]}"#;
    let mut call = logger.begin_call(start, body).await.unwrap();
    call.response_head(&mut logger, 1_764_020_000_500_000_000, 200, &[])
        .await
        .unwrap();
    assert_eq!(logger.stats().await.unwrap().open_calls, 1);
    drop(call);
    let report = logger.flush(FlushMode::All).await.unwrap();
    assert_eq!(report.delivered[0].keys, [5]);
    assert_eq!(logger.stats().await.unwrap().open_calls, 0);
}

#[test]
fn the_blocking_logger_does_the_same() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start(Duration::ZERO));
    let plugin = runtime.block_on(plugin(Limits::default()));
    let mut logger = host_example::blocking::Logger::new(&plugin).unwrap();
    logger.configure(&settings(&server.url, &[])).unwrap();
    logger.log_failure_event(event(3, &line("a", 10))).unwrap();
    assert!(logger.next_wake().unwrap().is_some());
    let report = logger
        .run(async |logger| logger.flush(FlushMode::Close).await)
        .unwrap();
    assert_eq!(report.delivered[0].keys, [3]);
}

/// A future of the async logger can be handed to another thread.
#[tokio::test(flavor = "multi_thread")]
async fn loggers_can_be_used_in_tasks() {
    let mut logger = configured(Limits::default(), "http://127.0.0.1:9").await;
    let task = tokio::spawn(async move {
        logger.log_success_event(event(1, &line("a", 10))).await?;
        logger.next_wake().await
    });
    assert!(task.await.unwrap().unwrap().is_some());
}

#[test]
fn a_line_that_makes_the_plugin_trap_is_rejected_and_its_neighbours_are_delivered() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start(Duration::ZERO));
    let memory_bytes = 24 << 20;
    let plugin = runtime.block_on(plugin(Limits {
        memory_bytes,
        ..Limits::default()
    }));
    let lines = [
        line("a", 10),
        line("b", 10),
        line("poison", 30 << 20),
        line("c", 10),
    ];
    let input = lines.join("\n");
    let replay = Replay {
        input: input.as_bytes(),
        ends: true,
        threads: NonZero::<usize>::MIN,
        progress: ProgressBar::hidden(),
    };
    let (report, result) = replay.run(&plugin, &settings(&server.url, &[]));
    result.unwrap();
    assert_eq!(report.delivered, 3);
    let [rejection] = report.rejected.as_slice() else {
        panic!("{:?}", report.rejected);
    };
    assert_eq!(rejection.line, 3);
    assert!(rejection.reason.contains("trapped"), "{}", rejection.reason);
}
