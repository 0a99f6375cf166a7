//! Same settings, same spans: every transcript through `mlflow-gateway serve` and through Envoy, and the traces compared
//! field by field.

use std::fs;
use std::net::SocketAddr;

use e2e::{Envoy, Gateway, Mlflow, Serving, Trace};
use serde_json::{Value, json};
use transcripts::Transcript;

use super::client::Post;
use super::stage::{config, post, provider, runtime, traces};

#[test]
fn envoy_logs_what_the_gateway_logs() {
    let transcripts = transcripts::all().unwrap();
    let answered = transcripts.iter().filter(|one| one.status() >= 200);
    let transcripts: Vec<_> = answered.collect();
    assert!(transcripts.len() >= 30);

    let [by_gateway, by_envoy] = ["same-gateway", "same-envoy"];
    let serving = gateway(by_gateway);
    let gateway: SocketAddr = serving.url().trim_start_matches("http://").parse().unwrap();
    let envoy = envoy(by_envoy);
    for transcript in &transcripts {
        for to in [gateway, envoy.address] {
            let answer = runtime().block_on(request(transcript).send(to));
            assert_eq!(answer.status, transcript.status(), "{}", transcript.name);
            assert!(answer.body == transcript.body(), "{}", transcript.name);
        }
    }
    // Midway, as a client sees it that reads on.
    for to in [gateway, envoy.address] {
        let broken = request(transcripts.iter().find(|one| one.is_stream()).unwrap());
        let broken = tagged(broken, "broken").header("x-mock-break", "2");
        assert!(!runtime().block_on(broken.send(to)).is_whole);
    }

    let count = transcripts.len() + 1;
    assert!(serving.stop().unwrap().success());
    let (expected, found) = (traces(by_gateway, count), traces(by_envoy, count));
    let mut different = Vec::new();
    for one in &expected {
        let case = &one.info.tags["case"];
        let other = found.iter().find(|trace| trace.info.tags["case"] == *case);
        let (one, other) = (comparable(one), comparable(other.unwrap()));
        if one != other {
            different.push(format!("{case}\n  gateway {one}\n  envoy   {other}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert_eq!(post(&envoy, Post::json("/none", &json!({}))).status, 404);
}

/// The gateway, before the provider under a prefix, every setting as in Envoy.
fn gateway(experiment: &str) -> Serving {
    let provider = provider();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gateway.toml");
    let uri = Mlflow::shared().unwrap().uri();
    let text = format!(
        "listen = \"127.0.0.1:0\"\n[[upstream]]\nprefix = \"/any\"\nbase_url = \"http://{provider}\"\n\
         [logger]\ntracking_uri = \"{uri}\"\nexperiment_name = \"{experiment}\"\n"
    );
    fs::write(&file, text).unwrap();
    let gateway = Gateway::find().unwrap();
    let mut command = gateway.command(["--quiet", "serve", "--config"]);
    Serving::start(command.arg(file)).unwrap()
}

fn envoy(experiment: &str) -> Envoy {
    let mut config = config(experiment);
    let routes = &mut config.http()["route_config"]["virtual_hosts"][0]["routes"];
    routes[0]["match"]["prefix"] = json!("/any/");
    config.settings(json!({"upstreams": null})).unwrap();
    Envoy::start(&config).unwrap()
}

fn request(transcript: &Transcript) -> Post {
    let (headers, body) = transcript.request();
    let post = Post {
        method: transcript.method().to_owned(),
        path: format!("/any{}", transcript.request_path()),
        headers,
        body,
        ..Post::default()
    };
    tagged(post, &transcript.name).header("x-mock-transcript", &transcript.name)
}

/// The tag that tells the two traces of a call from others.
fn tagged(mut post: Post, case: &str) -> Post {
    post.headers.retain(|(name, _)| name != "x-mlflow-tags");
    post.header("x-mlflow-tags", &format!("case:{case}"))
}

/// All of a trace but ids, times and places.
fn comparable(trace: &Trace) -> Value {
    const OF_TIME: [&str; 4] = [
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.server.time_per_output_token",
        "mlflow.traceRequestId",
        "http.request.headers",
    ];
    let info = &trace.info;
    let tags = info
        .tags
        .iter()
        .filter(|(key, _)| *key != "mlflow.artifactLocation");
    let spans = trace.spans.iter().map(|span| {
        let attributes = span.attributes.iter();
        let attributes = attributes.filter(|(key, _)| !OF_TIME.contains(&key.as_str()));
        let events = span
            .events
            .iter()
            .map(|event| json!([event.name, event.attributes]));
        json!({
            "name": span.name,
            "kind": span.kind,
            "status": [span.status, span.status_description],
            "in": span.inputs,
            "out": span.outputs,
            "attributes": attributes.collect::<std::collections::BTreeMap<_, _>>(),
            "events": events.collect::<Vec<_>>(),
            "root": span.parent_id.is_none(),
        })
    });
    json!({
        "state": info.state,
        "previews": [info.request_preview, info.response_preview],
        "tags": tags.collect::<std::collections::BTreeMap<_, _>>(),
        "metadata": info.metadata,
        "usage": info.token_usage,
        "cost": info.cost,
        "spans": spans.collect::<Vec<_>>(),
    })
}
