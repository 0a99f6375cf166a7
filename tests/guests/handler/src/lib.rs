//! A handler for tests: it answers a chat request as a provider would, plain or as a stream, in as many parts as the
//! request has words. A request that says `fail` is answered with an error.

mod bindings {
    wit_bindgen::generate!({
        path: "../../../guest/layer/wit",
        inline: "
            package test:handler;
            world answering { export wasi:http/handler@0.3.0; }
        ",
        world: "test:handler/answering",
        generate_all,
    });
}

use bindings::exports::wasi::http::handler::Guest;
use bindings::wasi::http::types::{ErrorCode, Fields, Request, Response};
use bindings::{wit_future, wit_stream};
use wit_bindgen::spawn_local;

struct Handler;

bindings::export!(Handler with_types_in bindings);

impl Guest for Handler {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let (_read, done) = wit_future::new(|| Ok(()));
        let (body, _trailers) = Request::consume_body(request, done);
        let asked = String::from_utf8_lossy(&body.collect().await).into_owned();
        if asked.contains("\"fail\"") {
            return Err(ErrorCode::ConnectionRefused);
        }
        let said = asked.split("\"content\":\"").nth(1).unwrap_or_default();
        let said = said.split('"').next().unwrap_or_default().to_owned();
        let (kind, parts) = match asked.contains("\"stream\":true") {
            true => ("text/event-stream", chunks(&said)),
            false => ("application/json", vec![whole(&said)]),
        };
        let headers = Fields::new();
        let _ = headers.append("content-type", kind.as_bytes());
        let (mut out, contents) = wit_stream::new();
        let (trailers, no_trailers) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(headers, Some(contents), no_trailers);
        spawn_local(async move {
            for part in parts {
                out.write_all(part.into_bytes()).await;
            }
            drop((out, trailers));
        });
        Ok(response)
    }
}

fn whole(said: &str) -> String {
    format!(
        r#"{{"id":"h","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{{"index":0,"finish_reason":"stop","message":{{"role":"assistant","content":"{said}"}}}}]}}"#
    )
}

fn chunks(said: &str) -> Vec<String> {
    let chunk = |word: &str| {
        format!(
            "data: {{\"id\":\"h\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o\",\"choices\":[{{\"index\":0,\"finish_reason\":null,\"delta\":{{\"content\":\"{word}\"}}}}]}}\n\n"
        )
    };
    let words = said.split_inclusive(' ').map(chunk);
    words.chain(["data: [DONE]\n\n".to_owned()]).collect()
}
