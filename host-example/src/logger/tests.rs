use tokio::net::TcpListener;

use super::*;
use crate::engine::{CodeCache, Limits};
use crate::plugin::Plugin;

/// The built plugin; tests run two directories below the target directory's profile.
async fn plugin() -> Plugin {
    let exe = std::env::current_exe().unwrap();
    let path = exe
        .ancestors()
        .nth(3)
        .unwrap()
        .join("dist")
        .join(crate::find::FILE);
    assert!(
        path.is_file(),
        "{} is missing: run `cargo xtask dist` first",
        path.display()
    );
    let engine = Engine::new(Limits::default(), CodeCache::User).unwrap();
    Plugin::load(&engine, &path).await.unwrap()
}

/// The guest is told of a server that the host was not: as if it had been talked into it.
#[tokio::test]
async fn a_guest_that_turns_to_another_server_is_denied() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = elsewhere.local_addr().unwrap();
    let json = format!(r#"{{"tracking_uri":"http://{address}","experiment_id":"0"}}"#);
    let mut logger = plugin().await.instantiate().await.unwrap();
    let told = logger.enter("configure", async |inside| {
        inside.guest.call_configure(inside.store, &json).await
    });
    told.await.unwrap().unwrap();
    let allowed = Origin::parse("http://127.0.0.1:9").unwrap();
    logger
        .store
        .data_mut()
        .outbound
        .allow(allowed, Timeouts::default());

    let payload = r#"{"kwargs":{"litellm_call_id":"a","messages":[]},"response_obj":null}"#;
    let event = Event {
        key: 1,
        payload,
        start_time: Some(1_764_020_000_000_000_000),
        end_time: None,
        time: None,
        context: crate::bindings::llm_gateway::hooks::types::Context {
            traceparent: None,
            session: None,
            user: None,
            tags: &[],
            experiment: None,
        },
    };
    logger.log_success_event(event).await.unwrap();
    let report = logger.flush(FlushMode::All).await.unwrap();
    let reason = report.deferred.unwrap().reason;
    assert!(reason.contains("does not allow"), "{reason}");
    let nobody = tokio::time::timeout(Duration::from_millis(100), elsewhere.accept()).await;
    assert!(nobody.is_err(), "the guest got through");
}
