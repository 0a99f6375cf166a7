//! What the tests stand on: one runtime, one provider, and Envoys between it and MLflow.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use e2e::envoy::Config;
use e2e::{Envoy, Mlflow, Trace};
use mock_provider::Provider;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::client::{Answer, Post};

/// The runtime that the provider and clients run on.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

/// The provider that is played.
pub fn provider() -> SocketAddr {
    static PROVIDER: OnceLock<SocketAddr> = OnceLock::new();
    *PROVIDER.get_or_init(|| {
        let start = Provider::start(([127, 0, 0, 1], 0).into(), Duration::from_millis(5));
        let provider = runtime().block_on(start).unwrap();
        provider
            .url()
            .trim_start_matches("http://")
            .parse()
            .unwrap()
    })
}

/// Where MLflow is.
pub fn mlflow() -> SocketAddr {
    let uri = Mlflow::shared().unwrap().uri();
    uri.trim_start_matches("http://").parse().unwrap()
}

/// The example's configuration, logging to an experiment.
pub fn config(experiment: &str) -> Config {
    let python = Mlflow::shared().unwrap().python();
    let mut config = Config::example(python, provider(), mlflow()).unwrap();
    let settings = json!({
        "experiment_name": experiment, "client_experiments": true, "flush_interval_ms": 200,
    });
    config.settings(settings).unwrap();
    config
}

/// The Envoy that tests share which change nothing of it. Where its traces go is told call by call.
pub fn envoy() -> &'static Envoy {
    static ENVOY: OnceLock<Envoy> = OnceLock::new();
    ENVOY.get_or_init(|| Envoy::start(&config("envoy")).unwrap())
}

/// Posts to an Envoy.
pub fn post(envoy: &Envoy, post: Post) -> Answer {
    runtime().block_on(post.send(envoy.address))
}

/// A request for chat completions, whose trace goes to an experiment.
pub fn call(experiment: &str, body: &Value) -> Post {
    let post = Post::json("/openai/v1/chat/completions", body);
    post.header("x-mlflow-experiment", experiment)
}

/// A chat request.
pub fn chat(said: &str) -> Value {
    json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": said}]})
}

/// The same, streamed.
pub fn streamed(said: &str) -> Value {
    let mut request = chat(said);
    request["stream"] = json!(true);
    request["stream_options"] = json!({"include_usage": true});
    request
}

/// An experiment's traces, once there are so many.
pub fn traces(experiment: &str, count: usize) -> Vec<Trace> {
    let mlflow = Mlflow::shared().unwrap();
    for _ in 0..240 {
        let traces = mlflow.traces(experiment).unwrap();
        if traces.len() >= count {
            assert_eq!(traces.len(), count, "{traces:#?}");
            return traces;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    panic!("no {count} traces in {experiment}:\n{}", envoy().log_tail());
}
