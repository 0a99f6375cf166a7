use super::*;

fn post(path: &str, request: Value) -> Reply {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    reply(&Method::POST, path, Some(query), &request)
}

fn whole(reply: Reply) -> (u16, Value) {
    match reply {
        Reply::Json(status, value) => (status, value),
        Reply::Events { .. } | Reply::Played { .. } => panic!("streamed"),
    }
}

/// The data of a stream's events, and whether it breaks off.
fn streamed(reply: Reply) -> (Vec<Value>, bool) {
    let Reply::Events { events, broken } = reply else {
        panic!("not streamed");
    };
    let data = events.iter().filter_map(|event| {
        let (_, data) = event.split_once("data: ").unwrap();
        serde_json::from_str(data.trim()).ok()
    });
    (data.collect(), broken)
}

#[test]
fn a_stream_says_what_the_whole_answer_says() {
    let mut request = json!({"model": "m", "messages": [{"role": "user", "content": "two words"}]});
    let (_, answer) = whole(post("/v1/chat/completions", request.clone()));
    request["stream"] = true.into();
    let (chunks, _) = streamed(post("/v1/chat/completions", request.clone()));
    let pieces = chunks
        .iter()
        .filter_map(|c| c["choices"][0]["delta"]["content"].as_str());
    let text: String = pieces.collect();
    assert_eq!(answer["choices"][0]["message"]["content"], text);

    let (events, _) = streamed(post("/v1/messages", request.clone()));
    let pieces = events
        .iter()
        .filter_map(|event| event["delta"]["text"].as_str());
    assert_eq!(pieces.collect::<String>(), text);

    let contents = json!({"contents": [{"role": "user", "parts": [{"text": "two words"}]}]});
    let path = "/v1beta/models/m:streamGenerateContent?alt=sse";
    let (parts, _) = streamed(post(path, contents));
    let pieces = parts
        .iter()
        .filter_map(|part| part["candidates"][0]["content"]["parts"][0]["text"].as_str());
    assert_eq!(pieces.collect::<String>(), text);
}

#[test]
fn tools_are_called_with_arguments_that_are_json() {
    let request = json!({
        "model": "m",
        "stream": true,
        "messages": [{"role": "user", "content": "say \"hi\" there"}],
        "tools": [{"type": "function", "function": {"name": "find"}, "name": "find"}],
    });
    let (chunks, _) = streamed(post("/v1/chat/completions", request.clone()));
    let arguments = chunks.iter().filter_map(|chunk| {
        chunk["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str()
    });
    let expected = json!({"query": "say \"hi\" there"});
    let arguments: String = arguments.collect();
    assert_eq!(serde_json::from_str::<Value>(&arguments).unwrap(), expected);
    let (events, _) = streamed(post("/v1/messages", request));
    let input: String = events
        .iter()
        .filter_map(|event| event["delta"]["partial_json"].as_str())
        .collect();
    assert_eq!(serde_json::from_str::<Value>(&input).unwrap(), expected);
}

#[test]
fn models_fail_by_name() {
    for (path, status) in [
        ("/v1/chat/completions", 503),
        ("/v1/messages", 529),
        ("/v1beta/models/fail-overloaded:generateContent", 503),
    ] {
        assert_eq!(
            whole(post(path, json!({"model": "fail-overloaded"}))).0,
            status,
            "{path}"
        );
    }
    let midway = json!({"model": "fail-midway", "stream": true});
    let (chunks, broken) = streamed(post("/v1/chat/completions", midway));
    assert!(broken && !chunks.is_empty());
}

/// The body of a transcript that is played.
fn played(reply: Reply) -> String {
    let Reply::Played {
        status: 200, parts, ..
    } = reply
    else {
        panic!("not played: {reply:?}");
    };
    String::from_utf8_lossy(&parts.concat()).into_owned()
}

#[test]
fn every_other_api_is_played() {
    let stream = json!({"stream": true});
    for (path, request, words) in [
        ("/v1/responses", json!({}), "\"object\": \"response\""),
        ("/v1/responses", stream.clone(), "event: response.completed"),
        ("/v1/completions", stream.clone(), "text_completion"),
        ("/v1/audio/transcriptions", Value::Null, "\"text\""),
        ("/v1/moderations", json!({}), "flagged"),
        ("/model/m/converse", json!({}), "stopReason"),
        ("/model/m/converse-stream", json!({}), "contentBlockDelta"),
        ("/v2/chat", stream, "message-end"),
        ("/v1/rerank", json!({}), "relevance_score"),
        ("/api/chat", json!({}), "\"done\":true"),
        ("/api/embed", json!({}), "embeddings"),
    ] {
        let body = played(post(path, request.clone()));
        assert!(body.contains(words), "{path} {request}: {body}");
    }
    assert_eq!(whole(post("/v1/nothing", json!({}))).0, 404);
}
