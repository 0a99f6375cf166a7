//! Calls through Envoy, as MLflow then has them.

use super::client::Post;
use super::stage::{chat, envoy, post, streamed, traces};

const CHAT: &str = "/openai/v1/chat/completions";

#[test]
fn a_chat_call_and_a_stream_are_traces() {
    let experiment = "envoy-first";
    for request in [chat("one two"), streamed("three four")] {
        let request = Post::json(CHAT, &request)
            .header("x-mlflow-experiment", experiment)
            .header("x-mlflow-session", "s-1")
            .header("authorization", "Bearer canary");
        let answer = post(envoy(), request);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.is_whole);
    }
    let traces = traces(experiment, 2);
    for (trace, said) in traces.iter().zip(["one two", "three four"]) {
        assert_eq!(trace.info.state, "OK");
        let answered = format!("You said: {said}");
        assert_eq!(trace.info.request_preview.as_deref(), Some(said));
        assert_eq!(trace.info.response_preview, Some(answered));
        assert_eq!(trace.info.metadata["mlflow.trace.session"], "s-1");
        let usage = trace.info.token_usage.as_ref().unwrap();
        assert_eq!(usage["total_tokens"], 6);
        let root = trace.root().unwrap();
        assert_eq!(root.text("url.path"), Some("/v1/chat/completions"));
        assert_eq!(root.text("mlflow.llm.provider"), Some("openai"));
        assert!(!format!("{trace:?}").contains("canary"));
    }
    let chunks = traces[1].root().unwrap().events.iter();
    let chunks = chunks.filter(|event| event.name == "streaming_chunk");
    assert!(chunks.count() > 3);
}
