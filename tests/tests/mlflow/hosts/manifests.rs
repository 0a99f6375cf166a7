//! docs/wasmtime-serve.md: Spin and wasmCloud. The latter is run; the manifests of what is not are read, and the
//! component held against what these hosts have.

use std::path::Path;

use e2e::{ComponentHost, Mlflow, envoy, paths};
use logger_core::settings::Settings;
use serde_json::{Value, json};
use wit_component::DecodedWasm;

use crate::envoy::client::Post;
use crate::envoy::stage::{chat, provider, runtime, traces};

const VARIABLE: &str = "MLFLOW_LOGGER_CONFIG";

fn document(file: &str) -> Value {
    let path = paths::root().join("host-example").join(file);
    if file.ends_with(".toml") {
        let text = std::fs::read_to_string(path).unwrap();
        let table: toml::Table = toml::from_str(&text).unwrap();
        return serde_json::to_value(table).unwrap();
    }
    let python = Mlflow::shared().unwrap().python();
    envoy::documents(python, &path).unwrap().swap_remove(0)
}

/// The settings within a manifest, which the logger takes, and hosts it may reach that include all it needs.
fn settings(environment: &Value, allowed: &Value) -> Value {
    let settings: Value = serde_json::from_str(environment[VARIABLE].as_str().unwrap()).unwrap();
    let logger = &settings["logger"];
    let taken = Settings::parse(&logger.to_string());
    assert!(taken.is_ok(), "{taken:?}");
    let host = |url: &Value| {
        url.as_str()
            .unwrap()
            .split("://")
            .nth(1)
            .unwrap()
            .to_owned()
    };
    let needed = [
        &settings["upstream"][0]["base_url"],
        &logger["tracking_uri"],
    ];
    for url in needed {
        let mut allowed = allowed.as_array().unwrap().iter();
        let found = allowed.any(|allowed| allowed == url || *allowed == json!(host(url)));
        assert!(found, "{url} is not allowed");
    }
    settings
}

/// All that Spin and wasmCloud give to a component that serves HTTP, and that this one may ask for.
const GIVEN: [&str; 9] = [
    "wasi:cli/environment",
    "wasi:cli/stderr",
    "wasi:clocks/",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/random",
];

#[test]
fn the_component_asks_for_nothing_that_these_hosts_lack() {
    let component = paths::target().unwrap().join("dist/mlflow_middleware.wasm");
    let component = std::fs::read(component).unwrap();
    let DecodedWasm::Component(resolve, world) = wit_component::decode(&component).unwrap() else {
        panic!("it is no component");
    };
    let world = &resolve.worlds[world];
    for import in world.imports.keys() {
        let name = resolve.name_world_key(import);
        assert!(GIVEN.iter().any(|given| name.starts_with(given)), "{name}");
    }
    let exports = world
        .exports
        .keys()
        .map(|export| resolve.name_world_key(export));
    assert_eq!(
        exports.collect::<Vec<_>>(),
        ["wasi:http/incoming-handler@0.2.2"]
    );
}

#[test]
fn spins_manifest_is_whole() {
    let manifest = document("spin/spin.toml");
    assert_eq!(manifest["spin_manifest_version"], 2);
    for key in ["name", "version"] {
        assert!(manifest["application"][key].is_string());
    }
    let trigger = &manifest["trigger"]["http"][0];
    assert_eq!(trigger["route"], "/...");
    let component = &manifest["component"][trigger["component"].as_str().unwrap()];
    let source = component["source"].as_str().unwrap();
    let leads_to = Path::new("host-example/spin").join(source);
    assert!(leads_to.ends_with("target/dist/mlflow_middleware.wasm"));
    settings(
        &component["environment"],
        &component["allowed_outbound_hosts"],
    );
}

#[test]
fn wasmclouds_deployment_is_whole() {
    let manifest = document("wasmcloud/workload.yaml");
    assert_eq!(manifest["apiVersion"], "runtime.wasmcloud.dev/v1alpha1");
    assert_eq!(manifest["kind"], "WorkloadDeployment");
    let spec = &manifest["spec"]["template"]["spec"];
    let interface = &spec["hostInterfaces"][0];
    assert_eq!(
        (&interface["namespace"], &interface["package"]),
        (&json!("wasi"), &json!("http"))
    );
    let resources = &spec["components"][0]["localResources"];
    settings(
        &resources["environment"]["config"],
        &resources["allowedHosts"],
    );
}

#[test]
fn wasmcloud_runs_the_middleware() {
    let mut config = document("wasmcloud/.wash/config.yaml");
    let workload = &mut config["workload"];
    let mut settings = settings(
        &workload["environment"]["config"],
        &workload["allowedHosts"],
    );
    let mlflow = Mlflow::shared().unwrap();
    settings["upstream"][0]["base_url"] = json!(format!("http://{}", provider()));
    settings["logger"] = json!({"tracking_uri": mlflow.uri(), "experiment_name": "wasmcloud"});
    workload["environment"]["config"][VARIABLE] = json!(settings.to_string());
    workload["allowedHosts"] = json!([provider().to_string(), mlflow.address().to_string()]);
    let component = paths::target().unwrap().join("dist/mlflow_middleware.wasm");
    config["build"]["component_path"] = json!(component);

    let host = ComponentHost::wasmcloud(config).unwrap();
    let request = chat("through wasmCloud");
    let post = Post::json("/openai/v1/chat/completions", &request);
    let answer = runtime().block_on(post.send(host.address));
    let said: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer.status, 200, "{said}\n{}", host.log());
    let trace = traces("wasmcloud", 1).swap_remove(0);
    let root = trace.root().unwrap();
    assert_eq!(root.inputs["messages"], request["messages"]);
    assert_eq!(root.outputs, said);
}
