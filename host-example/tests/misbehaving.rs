//! A plugin that means harm, within the sandbox: what it does costs its instance and nothing else.

mod common;

use std::time::Duration;

use common::{Server, load, misbehaving_path, settings};
use host_example::bindings::llm_gateway::hooks::types::{Context, Event};
use host_example::{FlushMode, Limits, Logger, LoggerError, Plugin};

const LIMITS: Limits = Limits {
    instances: 4,
    memory_bytes: 32 << 20,
    cpu_per_call: Duration::from_millis(100),
};

const CONTEXT: Context<'static> = Context {
    traceparent: None,
    session: None,
    user: None,
    tags: &[],
    experiment: None,
};

async fn misbehaving() -> Plugin {
    load(&misbehaving_path(), LIMITS).await
}

async fn log(logger: &mut Logger, key: u64, act: &str) -> Result<(), LoggerError> {
    let payload = format!(r#"{{"kwargs":{{}},"say":"misbehave:{act}"}}"#);
    let event = Event {
        key,
        payload: &payload,
        start_time: None,
        end_time: None,
        time: None,
        context: CONTEXT,
    };
    logger.log_success_event(event).await
}

/// What the hooks answer, from the one that logs to the one that an act is for.
async fn until_it_happens(logger: &mut Logger, act: &str) -> Result<(), LoggerError> {
    log(logger, 1, act).await?;
    logger.next_wake().await?;
    logger.flush(FlushMode::All).await.map(drop)
}

#[tokio::test]
async fn whatever_harm_is_done_it_costs_the_instance_and_nothing_else() {
    let plugin = misbehaving().await;
    let mut bystander = plugin.instantiate().await.unwrap();
    for harm in ["trap", "loop", "hog", "recurse"] {
        for place in ["log", "wake", "flush"] {
            let act = format!("{harm}@{place}");
            let mut logger = plugin.instantiate().await.unwrap();
            let error = until_it_happens(&mut logger, &act).await.unwrap_err();
            let hook = match (&error, harm) {
                (LoggerError::CpuExceeded { hook, .. }, "loop") => *hook,
                // The CPU time may be used up before memory or stack are.
                (LoggerError::CpuExceeded { hook, .. }, "hog" | "recurse") => *hook,
                (LoggerError::Trap { hook, .. }, "trap" | "hog" | "recurse") => *hook,
                _ => panic!("{act}: {error}"),
            };
            assert!(hook.contains(place), "{act}: {error}");
            assert!(!logger.is_usable());
            assert_eq!(logger.next_wake().await, Err(LoggerError::Unusable));
            // One that lived beside it all along goes on.
            log(&mut bystander, 2, "nothing").await.unwrap();
            let report = bystander.flush(FlushMode::All).await.unwrap();
            assert_eq!(report.delivered.len(), 1, "{act}");
        }
    }
}

#[tokio::test]
async fn memory_is_bounded_in_the_guest_and_given_back() {
    let plugin = misbehaving().await;
    // More instances than there are slots, one after the other: each is given back.
    for round in 0..20 {
        let mut logger = plugin.instantiate().await.unwrap();
        let error = log(&mut logger, round, "hog@log").await.unwrap_err();
        assert!(error.is_fatal(), "{error}");
    }
    let mut logger = plugin.instantiate().await.unwrap();
    log(&mut logger, 1, "nothing").await.unwrap();
}

#[tokio::test]
async fn the_tracking_server_is_all_that_it_can_reach() {
    let tracking = Server::start(Duration::ZERO).await;
    let other = Server::start(Duration::ZERO).await;
    let port = other.url.rsplit(':').next().unwrap();
    let own = tracking.url.strip_prefix("http://").unwrap();
    let own_port = own.rsplit(':').next().unwrap();
    let mut logger = misbehaving().await.instantiate().await.unwrap();
    logger
        .configure(&settings(&tracking.url, &[]))
        .await
        .unwrap();
    let denied = [
        format!("{}/metadata", other.url),
        format!("http://localhost:{port}/"),
        // The same machine under other names, another scheme, another port.
        format!("http://localhost:{own_port}/"),
        format!("http://[::1]:{own_port}/"),
        format!("http://127.1:{own_port}/"),
        format!("http://2130706433:{own_port}/"),
        format!("https://{own}/"),
        "http://127.0.0.1/".to_owned(),
        format!("http://{own}@127.0.0.1:{port}/"),
        format!("http://user@{own}.example:{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://metadata.google.internal/".to_owned(),
        format!("ftp://{own}/"),
    ];
    for (key, url) in (1..).zip(&denied) {
        log(&mut logger, key, &format!("fetch={url}"))
            .await
            .unwrap();
        let report = logger.flush(FlushMode::All).await.unwrap();
        let reason = report.refused[0].reason.as_str();
        assert!(!reason.starts_with("status"), "{url}: {reason}");
    }
    assert_eq!((tracking.count(), other.count()), (0, 0));
    let allowed = format!("fetch={}/page", tracking.url);
    log(&mut logger, 99, &allowed).await.unwrap();
    let report = logger.flush(FlushMode::All).await.unwrap();
    assert_eq!(report.refused[0].reason, "status 200");
    assert_eq!(*tracking.requests.lock().unwrap(), ["/page"]);
}

#[tokio::test]
async fn without_settings_it_reaches_nothing() {
    let server = Server::start(Duration::ZERO).await;
    let mut logger = misbehaving().await.instantiate().await.unwrap();
    log(&mut logger, 1, &format!("fetch={}/", server.url))
        .await
        .unwrap();
    let report = logger.flush(FlushMode::All).await.unwrap();
    let reason = report.refused[0].reason.as_str();
    assert!(reason.contains("HttpRequestDenied"), "{reason}");
    assert_eq!(server.count(), 0);
}
