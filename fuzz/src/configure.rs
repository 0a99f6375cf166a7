//! `configure`: any text is taken or refused, and what is taken logs.
//!
//! The input is the settings. What has to hold: a refusal names a key and no secret, and a logger that took them
//! sends to the server they name and nowhere else.

use logger_core::event::{Context, Event, Hook};
use logger_core::transport::TransportError;
use logger_core::{FlushMode, Logger};

use crate::sink::{NOW, START};

const PAYLOAD: &str = r#"{"kwargs":{"litellm_call_id":"a","user":"alice@example.com","messages":[{"role":"user","content":"call +1 (415) 555-2671, sk-proj-abcdefghij0123456789, 4111 1111 1111 1111 secret secret"}],"optional_params":{"user":"u"}},"response_obj":{"choices":[{"message":{"content":"DE89 3704 0044 0532 0130 00"}}]}}"#;

/// Runs an input.
pub fn run(data: &[u8]) {
    let Ok(settings) = std::str::from_utf8(data) else {
        return;
    };
    let mut logger = Logger::new(7);
    if let Err(error) = logger.configure(settings) {
        assert!(!error.reason.is_empty());
        return;
    }
    let event = Event {
        hook: Hook::Success,
        key: 1,
        payload: PAYLOAD,
        start: Some(START),
        end: Some(START + 1),
        time: None,
        context: Context::default(),
    };
    let _ = logger.log(NOW, &event);
    logger.prepare(NOW, FlushMode::All);
    let mut asked = 0;
    while let Some(request) = logger.poll_request(NOW) {
        assert!(request.url.starts_with("http"), "{}", request.url);
        for value in request.headers.iter().map(|(_, value)| value) {
            assert!(!value.contains(['\r', '\n']), "a header on one line");
        }
        for (name, value) in &request.extra_headers {
            assert!(!name.contains(['\r', '\n', ':', ' ']) && !value.contains(['\r', '\n']));
        }
        let error = TransportError::Connect("no network".to_owned());
        logger.on_response(NOW, request.id, Err(error));
        asked += 1;
        assert!(asked < 100, "an end to asking");
    }
    logger.take_report(NOW);
}
