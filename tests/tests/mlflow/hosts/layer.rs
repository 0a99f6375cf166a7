//! docs/wasmtime-serve.md: the layer, composed before another handler as `wac plug` does it, under `wasmtime serve`.

use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;

use e2e::{ComponentHost, Mlflow, paths};
use serde_json::{Value, json};
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, plug};

use crate::envoy::client::{Answer, Post};
use crate::envoy::stage::{chat, runtime, streamed, traces};

/// The layer with the tests' handler behind it.
fn composed() -> Vec<u8> {
    let target = paths::target().unwrap();
    let mut graph = CompositionGraph::new();
    let mut package = |name: &str, path: &str| {
        let path = target.join(path);
        let package = Package::from_file(name, None, path, graph.types_mut()).unwrap();
        graph.register_package(package).unwrap()
    };
    let layer = package("logger:layer", "dist/mlflow_layer.wasm");
    let handler = package("test:handler", "test-guests/handler.wasm");
    plug(&mut graph, vec![handler], layer).unwrap();
    graph.encode(EncodeOptions::default()).unwrap()
}

fn host() -> &'static ComponentHost {
    static HOST: OnceLock<ComponentHost> = OnceLock::new();
    HOST.get_or_init(|| {
        let mut file = tempfile::NamedTempFile::with_suffix(".wasm").unwrap();
        file.write_all(&composed()).unwrap();
        let settings =
            json!({"tracking_uri": Mlflow::shared().unwrap().uri(), "client_experiments": true});
        serve(file.path(), &settings)
    })
}

fn serve(component: &Path, settings: &Value) -> ComponentHost {
    ComponentHost::wasmtime(component, "MLFLOW_LOGGER_CONFIG", settings).unwrap()
}

fn post(experiment: &str, body: &Value) -> Answer {
    let post = Post::json("/v1/chat/completions", body).header("x-mlflow-experiment", experiment);
    runtime().block_on(post.send(host().address))
}

#[test]
fn what_passes_to_the_handler_and_back_is_logged() {
    let request = chat("said behind a layer");
    let answer = post("layer-call", &request);
    assert_eq!((answer.status, answer.is_whole), (200, true));
    let said: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        said["choices"][0]["message"]["content"],
        "said behind a layer"
    );
    let trace = traces("layer-call", 1).swap_remove(0);
    let root = trace.root().unwrap();
    assert_eq!(root.inputs["messages"], request["messages"]);
    assert_eq!(root.outputs, said);
}

#[test]
fn streams_pass_as_they_come() {
    let answer = post("layer-stream", &streamed("one two three"));
    let text = String::from_utf8(answer.body).unwrap();
    assert_eq!(text.matches("data: ").count(), 4, "{text}");
    let trace = traces("layer-stream", 1).swap_remove(0);
    let root = trace.root().unwrap();
    assert_eq!(
        root.outputs["choices"][0]["message"]["content"],
        "one two three"
    );
    assert_eq!(root.events.len(), 3, "{:?}", root.events);
}

#[test]
fn a_handler_that_fails_is_logged() {
    let answer = post("layer-fail", &chat("fail"));
    assert!(answer.status >= 500);
    let trace = traces("layer-fail", 1).swap_remove(0);
    assert_eq!(trace.info.state, "ERROR");
}
