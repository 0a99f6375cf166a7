//! Components that were built for versions of the hooks that are out, in today's host.

mod common;

use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{Server, load};
use host_example::bindings::llm_gateway::hooks::types::{Context, Event};
use host_example::{FlushMode, Layer, Limits, Settings, Source};

/// Each version's component.
fn components() -> Vec<PathBuf> {
    let frozen = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/frozen");
    let versions = frozen.read_dir().unwrap();
    versions
        .map(|version| version.unwrap().path().join("json_lines.wasm"))
        .collect()
}

#[tokio::test]
async fn a_component_of_each_version_that_is_out_still_logs() {
    let components = components();
    assert!(!components.is_empty());
    for component in components {
        let server = Server::start(Duration::ZERO).await;
        let plugin = load(&component, Limits::default()).await;
        assert_eq!(plugin.description().name, "json-lines");
        let mut logger = plugin.instantiate().await.unwrap();
        let uri = (server.url.clone().into(), Source::Option("test"));
        let settings = Settings::merge([Layer::from([("tracking_uri".to_owned(), uri)])]);
        logger.configure(&settings).await.unwrap();
        let event = Event {
            key: 7,
            payload: r#"{"kwargs":{}}"#,
            start_time: Some(1),
            end_time: Some(2),
            time: None,
            context: Context {
                traceparent: None,
                session: Some("s"),
                user: None,
                tags: &[],
                experiment: None,
            },
        };
        logger.log_success_event(event).await.unwrap();
        assert!(logger.next_wake().await.unwrap().is_some());
        let report = logger.flush(FlushMode::All).await.unwrap();
        assert_eq!(report.delivered[0].keys, [7], "{}", component.display());
        assert_eq!(server.count(), 1);
        assert_eq!(logger.stats().await.unwrap().spans_delivered, 1);
    }
}
