//! What is logged, what is not, and that nobody waits for it.

use http_body_util::Full;
use hyper::Request;

use crate::play::{Answer, Gateway, Mlflow, Upstream, eventually, get, post, send, value};

const CHAT: &str = "/up/v1/chat/completions";

#[tokio::test(flavor = "multi_thread")]
async fn a_call_becomes_a_span_with_what_was_said() {
    let provider =
        mock_provider::Provider::start(([127, 0, 0, 1], 0).into(), std::time::Duration::ZERO);
    let provider = provider.await.unwrap();
    let mlflow = Mlflow::start().await;
    let config = Gateway::config(&provider.url(), &mlflow, "provider = \"openai\"", "");
    let gateway = Gateway::start(&config).await;
    let request =
        r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"good morning"}]}"#;
    let answer = Answer::of(post(&gateway.address, CHAT, request).await).await;
    assert_eq!(
        answer.json()["choices"][0]["message"]["content"],
        "You said: good morning"
    );
    let span = mlflow.span().await;
    span.assert_ok();
    assert!(span.attribute("mlflow.spanInputs").contains("good morning"));
    assert!(
        span.attribute("mlflow.spanOutputs")
            .contains("You said: good morning")
    );
    assert_eq!(
        span.attribute("mlflow.llm.provider").trim_matches('"'),
        "openai"
    );
    let usage = span.attribute("mlflow.chat.tokenUsage");
    assert!(usage.contains("\"total_tokens\":6"), "{usage}");
}

/// Header fields in which providers and gateways are sent credentials.
const SECRET_FIELDS: [&str; 17] = [
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "x-goog-iam-authorization-token",
    "ocp-apim-subscription-key",
    "x-amz-security-token",
    "x-amz-credential",
    "x-amz-signature",
    "helicone-auth",
    "cf-aig-authorization",
    "x-portkey-api-key",
    "x-litellm-api-key",
    "x-functions-key",
    "x-client-secret",
    "cookie",
];

/// The parameters of a query that carry them.
const SECRET_QUERY: &str = "key=canary-1&api-key=canary-2&access_token=canary-3&sig=canary-4\
    &X-Amz-Credential=canary-5%2F20260101%2Fus-east-1&X-Amz-Security-Token=canary-6&X-Amz-Signature=canary-7\
    &subscription-key=canary-8&alt=sse";

/// The members of a body that do, and keys within texts.
const SECRET_BODY: &str = r#"{"model":"m","api_key":"canary-9","extra":{"Authorization":"Bearer canary-10","client_secret":"canary-11"},
    "tools":[{"type":"mcp","server_url":"https://x","headers":{"X-API-Key":"canary-12"},"authorization":"canary-13"}],
    "messages":[{"role":"user","content":"use sk-proj-canary456789012345678901234567890123456789 there"}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn credentials_reach_the_upstream_and_neither_span_nor_log_nor_metrics() {
    let mlflow = Mlflow::start().await;
    let (heard, mut hear) = tokio::sync::mpsc::unbounded_channel();
    let answer = r#"{"error":{"message":"Incorrect API key provided: sk-proj-canary456789012345678901234567890123456789.","type":"invalid_request_error","code":"invalid_api_key"}}"#;
    let good = Upstream::start(move |mut conversation| {
        heard.send((conversation.head.clone(), conversation.body.clone())).unwrap();
        async move {
            let head = "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\nconnection: close\r\n\
                set-cookie: session=canary-14\r\nx-new-token: canary-15\r\n";
            let length = answer.len();
            conversation.say(format!("{head}content-length: {length}\r\n\r\n{answer}")).await;
        }
    })
    .await;
    let gone = Upstream::start(|conversation| async move { drop(conversation) }).await;
    let broken = format!(
        "[[upstream]]\nprefix = \"/broken\"\nbase_url = \"{}\"",
        gone.url
    );
    // Even where header fields are logged.
    let config = Gateway::config(&good.url, &mlflow, &broken, "");
    let gateway = Gateway::start(&(config + "capture = { headers = true }\n")).await;
    for (path, status) in [
        ("/up/v1/chat/completions", 401),
        ("/broken/v1/messages", 502),
    ] {
        let mut request = Request::post(format!("{path}?{SECRET_QUERY}")).header("host", "x");
        for name in SECRET_FIELDS {
            request = request.header(name, format!("Bearer canary-of-{name}"));
        }
        let request = request
            .header("x-team", "search")
            .body(Full::from(SECRET_BODY))
            .unwrap();
        let answer = Answer::of(send(&gateway.address, request).await.unwrap()).await;
        assert_eq!(answer.status(), status);
        if status == 502 {
            assert!(!answer.text().contains("canary"), "{}", answer.text());
        }
    }
    let (head, body) = hear.recv().await.unwrap();
    assert!(head.contains(SECRET_QUERY), "{head}");
    assert_eq!(body, SECRET_BODY.as_bytes());
    for name in SECRET_FIELDS
        .iter()
        .filter(|name| !name.starts_with("proxy-"))
    {
        assert!(
            head.contains(&format!("canary-of-{name}\r\n")),
            "{name}: {head}"
        );
    }
    let spans = mlflow.spans(2).await;
    let fields = spans
        .iter()
        .filter(|span| span.attribute("http.request.headers").contains("search"));
    assert_eq!(fields.count(), 2);
    let raw = mlflow.raw();
    let raw = String::from_utf8_lossy(&raw);
    let around = raw.find("canary").map(|at| &raw[at.saturating_sub(80)..]);
    assert_eq!(
        around.map(|text| text.chars().take(160).collect::<String>()),
        None
    );
    let log = gateway.log();
    assert!(!log.contains("canary"), "{log}");
    let metrics = get(&gateway.metrics, "/metrics").await;
    assert!(!metrics.text().contains("canary"), "{}", metrics.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_server_that_does_not_answer() {
    let upstream = Upstream::json(r#"{"ok":true}"#).await;
    let mlflow = Mlflow::start().await;
    let gateway = Gateway::before(&upstream, &mlflow).await;
    mlflow.open(false);
    post(&gateway.address, CHAT, "{}").await;
    let waiting = mlflow.waiting.clone();
    eventually("a delivery", async || {
        (*waiting.lock().unwrap() > 0).then_some(())
    })
    .await;
    // The delivery hangs; calls do not.
    for _ in 0..50 {
        let answer = Answer::of(post(&gateway.address, CHAT, "{}").await).await;
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(mlflow.count(), 0);
    mlflow.open(true);
    mlflow.spans(51).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_room_calls_pass_unlogged_and_are_counted() {
    let body = format!("{{\"text\":\"{}\"}}", "x".repeat(300_000));
    let upstream = Upstream::json(&body).await;
    let mlflow = Mlflow::start().await;
    mlflow.open(false);
    let queue = "[queue]\nmax_bytes = 2000000\n";
    let gateway = Gateway::start(&Gateway::config(&upstream.url, &mlflow, "", queue)).await;
    for _ in 0..30 {
        let answer = Answer::of(post(&gateway.address, CHAT, "{}").await).await;
        assert!(answer.body == body, "another body: {:.200}", answer.text());
    }
    let metrics = get(&gateway.metrics, "/metrics").await;
    let dropped = value(metrics.text(), "gateway_logged_total{fate=\"Dropped\"}");
    assert!(dropped >= 15.0, "{dropped}");
    assert!(value(metrics.text(), "gateway_log_held_bytes") <= 2e6);
    gateway.said("calls were not logged").await;
    mlflow.open(true);
    mlflow.spans(30 - dropped as usize).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_can_go_unlogged() {
    let upstream = Upstream::json("{}").await;
    let mlflow = Mlflow::start().await;
    let second = format!(
        "log = false\n[[upstream]]\nprefix = \"/logged\"\nbase_url = \"{}\"",
        upstream.url
    );
    let gateway = Gateway::start(&Gateway::config(&upstream.url, &mlflow, &second, "")).await;
    for path in ["/up/one", "/logged/two"] {
        assert_eq!(post(&gateway.address, path, "{}").await.status(), 200);
    }
    assert_eq!(mlflow.span().await.attribute("url.path"), "/two");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted() {
    let upstream = Upstream::json("{}").await;
    let mlflow = Mlflow::start().await;
    let gateway = Gateway::before(&upstream, &mlflow).await;
    assert_eq!(get(&gateway.metrics, "/healthz").await.status(), 200);
    assert_eq!(get(&gateway.metrics, "/readyz").await.status(), 200);
    assert_eq!(get(&gateway.metrics, "/else").await.status(), 404);
    for _ in 0..3 {
        Answer::of(post(&gateway.address, CHAT, "{}").await).await;
    }
    let metrics = eventually("the deliveries' count", async || {
        let answer = get(&gateway.metrics, "/metrics").await;
        let text = answer.text().to_owned();
        (value(&text, "gateway_logged_total{fate=\"Delivered\"}") == 3.0).then_some(text)
    })
    .await;
    for (name, expected) in [
        (
            "gateway_requests_total{upstream=\"/up\",status=\"200\"}",
            3.0,
        ),
        ("gateway_in_flight{upstream=\"/up\"}", 0.0),
        ("gateway_first_byte_seconds_count{upstream=\"/up\"}", 3.0),
        ("gateway_duration_seconds_count{upstream=\"/up\"}", 3.0),
        ("gateway_log_held_bytes", 0.0),
    ] {
        assert_eq!(value(&metrics, name), expected, "{name}");
    }
    assert!(value(&metrics, "gateway_tracking_requests_total") >= 1.0);
}
