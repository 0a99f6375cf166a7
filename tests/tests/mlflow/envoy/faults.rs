//! MLflow that fails, many streams at once, and configurations that are replaced.

use std::fs;
use std::path::Path;

use e2e::Envoy;
use e2e::envoy::Config;
use serde_json::json;

use super::client::Post;
use super::door::{Door, Way};
use super::stage::{call, chat, config, mlflow, post, runtime, streamed, traces};

#[test]
fn calls_wait_while_mlflow_fails_and_none_is_lost() {
    let experiment = "envoy-faults";
    let door = Door::before(mlflow(), Way::Reset);
    let mut config = config(experiment);
    config.lead("mlflow", door.address);
    let envoy = Envoy::start(&config).unwrap();
    let mut calls = 0;
    let mut send = |count: u64| {
        for _ in 0..count {
            assert_eq!(post(&envoy, call(experiment, &chat("hello"))).status, 200);
        }
        calls += count;
        calls
    };
    send(10);
    envoy.reaches("retries", 1).unwrap();
    for way in [Way::Status(503), Way::Status(504), Way::Reset] {
        door.set(way);
        let retries = envoy.metric("retries").unwrap();
        send(5);
        envoy.reaches("retries", retries + 1).unwrap();
    }
    assert_eq!(envoy.metric("delivered").unwrap(), 0);
    door.set(Way::Open);
    let calls = send(5);
    envoy.reaches("delivered", calls).unwrap();
    traces(experiment, calls as usize);
    for name in [
        "refused",
        "dropped.full",
        "dropped.undelivered",
        "dropped.invalid",
    ] {
        assert_eq!(envoy.metric(name).unwrap(), 0, "{name}");
    }
    let log = envoy.log();
    assert!(log.contains("calls are not delivered for now"), "{log}");
    assert!(log.contains("calls are delivered again"), "{log}");
}

#[test]
fn a_thousand_streams_at_once_are_logged() {
    let experiment = "envoy-thousand";
    let mut config = config(experiment);
    config.settings(json!({"flush_interval_ms": 1000})).unwrap();
    for cluster in config.clusters() {
        cluster["circuit_breakers"]["thresholds"] =
            json!([{"max_connections": 2000, "max_requests": 2000}]);
    }
    let envoy = Envoy::start(&config).unwrap();
    let request = streamed(&"word ".repeat(100));
    let address = envoy.address;
    let streams: Vec<_> = (0..1000)
        .map(|_| runtime().spawn(call(experiment, &request).send(address)))
        .collect();
    for stream in streams {
        let answer = runtime().block_on(stream).unwrap();
        assert!(answer.is_whole && answer.status == 200, "{answer:?}");
    }
    envoy.reaches("delivered", 1000).unwrap();
    assert_eq!(envoy.metric("calls").unwrap(), 1000);
    for name in ["truncated", "dropped.full", "queued_bytes", "open_calls"] {
        assert_eq!(envoy.metric(name).unwrap(), 0, "{name}");
    }
}

#[test]
fn a_replaced_configuration_delivers_what_it_holds() {
    let [before, after] = ["envoy-before", "envoy-after"];
    let mut config = config(before);
    // Nothing is sent before the configuration is replaced.
    config
        .settings(json!({"flush_interval_ms": 3_600_000}))
        .unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("listeners.json");
    let (config, listeners) = dynamic(config, &file);
    replace(&file, &listeners);
    let envoy = Envoy::start(&config).unwrap();
    let plain = |said: &str| {
        let mut post = call("", &chat(said));
        post.headers
            .retain(|(name, _)| name != "x-mlflow-experiment");
        post
    };
    for _ in 0..20 {
        assert_eq!(post(&envoy, plain("one")).status, 200);
    }
    let mut replaced = listeners.clone();
    replaced
        .settings(json!({"experiment_name": after, "flush_interval_ms": 100}))
        .unwrap();
    replace(&file, &replaced);
    envoy.reaches("delivered", 20).unwrap();
    for _ in 0..20 {
        assert_eq!(post(&envoy, plain("two")).status, 200);
    }
    envoy.reaches("delivered", 40).unwrap();
    traces(before, 20);
    traces(after, 20);
    assert_eq!(envoy.metric("queued_calls").unwrap(), 0);

    // A wrong one is refused, and the one before goes on.
    replaced.settings(json!({"flush_interval_ms": -1})).unwrap();
    replace(&file, &replaced);
    envoy.says("`flush_interval_ms`").unwrap();
    assert_eq!(post(&envoy, plain("three")).status, 200);
    envoy.reaches("delivered", 41).unwrap();
}

/// The configuration with its listener in a file of its own, which can be replaced.
fn dynamic(mut config: Config, file: &Path) -> (Config, Config) {
    let listeners = config.clone();
    config.0["static_resources"]["listeners"] = json!([]);
    config.0["node"] = json!({"id": "test", "cluster": "test"});
    config.0["dynamic_resources"]["lds_config"]["path_config_source"]["path"] = json!(file);
    (config, listeners)
}

fn replace(file: &Path, listeners: &Config) {
    let mut listener = listeners.clone().listener().clone();
    listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
    // Envoy sees files that are moved to their place.
    let fresh = file.with_extension("fresh");
    fs::write(&fresh, json!({"resources": [listener]}).to_string()).unwrap();
    fs::rename(fresh, file).unwrap();
}

/// Whatever comes, the filter neither fails nor loses a call uncounted.
#[test]
fn hostile_bodies_and_heads_are_logged_or_counted() {
    let experiment = "envoy-hostile";
    let envoy = Envoy::start(&config(experiment)).unwrap();
    let mut seed = 7_u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % below
    };
    let transcripts = transcripts::all().unwrap();
    let deep = "[".repeat(5000) + &"]".repeat(5000);
    let fixed = [
        &b""[..],
        b"{",
        b"\xff\xfe\x00",
        b"\xed\xa0\x80",
        b"[1,2",
        b"99999999999999999999999",
        b"\"\\ud800\"",
        b"{\"model\":{},\"messages\":7,\"stream\":\"yes\",\"tools\":[null]}",
        deep.as_bytes(),
    ];
    let mutated = transcripts.iter().take(60).map(|transcript| {
        let (_, mut body) = transcript.request();
        body.push(b' ');
        for _ in 0..3 {
            let at = random(body.len());
            body[at] = random(256) as u8;
        }
        body.truncate(random(body.len()) + 1);
        body
    });
    let bodies: Vec<_> = fixed
        .iter()
        .map(|body| body.to_vec())
        .chain(mutated)
        .collect();
    let count = bodies.len() as u64;
    let paths = [
        "/v1/chat/completions",
        "/v1/messages",
        "/v1beta/models/m:streamGenerateContent",
        "/%ff?key=%zz&&=;",
    ];
    for (at, body) in bodies.into_iter().enumerate() {
        let request = Post {
            path: format!("/openai{}", paths[at % paths.len()]),
            body,
            ..Post::default()
        };
        let request = request
            .header(
                "content-encoding",
                ["gzip", "br", "zstd", "identity"][at % 4],
            )
            .header(
                "content-type",
                [
                    "application/json",
                    "multipart/form-data; boundary=",
                    "text/x",
                    ";",
                ][at % 4],
            )
            .header("traceparent", ["00-zz", "", "ff-00", "\u{e9}"][at % 4])
            .header("x-mlflow-tags", "{\"a\":[1],\"\":null,:::");
        let status = post(&envoy, request).status;
        assert!((200..500).contains(&status), "{status}");
    }
    envoy.reaches("delivered", count).unwrap();
    assert_eq!(envoy.metric("logged").unwrap(), count);
    let stats = envoy.ask("GET", "/stats?filter=vm_reload_success").unwrap();
    assert!(stats.trim().ends_with(": 0"), "{stats}");
}
