//! The part of a stream after which its client looks for no more.
//!
//! Clients of these APIs may stop at the event that says so, before the stream itself has ended. To take
//! a part for the last one that is none costs one write to the spool.

use memchr::memmem;

/// How many bytes at a part's end are looked at.
const TAIL: usize = 256;

/// What the last events hold: of OpenAI's chat, Anthropic and Bedrock, OpenAI's responses, Ollama, Cohere.
const MARKS: [&[u8]; 6] = [
    b"data: [DONE]",
    b"message_stop",
    b"messageStop",
    b"\"response.completed\"",
    b"\"done\":true",
    b"message-end",
];

/// Whether a part of a response may be the last that its client looks at.
pub(super) fn announces_end(part: &[u8]) -> bool {
    let tail = part.get(part.len().saturating_sub(TAIL)..).unwrap_or(part);
    // An event with a whole response begins with its name.
    let head = part.get(..TAIL).filter(|_| part.len() > TAIL);
    let found = |bytes: &[u8]| MARKS.iter().any(|mark| memmem::find(bytes, mark).is_some());
    found(tail) || head.is_some_and(found)
}

#[cfg(test)]
mod tests {
    use super::announces_end;

    #[test]
    fn a_last_event_is_known_and_others_are_not() {
        let long = format!(
            "event: response.completed\ndata: {{\"type\":\"response.completed\",\"response\":\"{}\"}}\n\n",
            "x".repeat(5000)
        );
        for last in [
            "data: {\"choices\":[]}\n\ndata: [DONE]\n\n",
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            "{\"model\":\"m\",\"done\":true}\n",
            &long,
        ] {
            assert!(announces_end(last.as_bytes()), "{last}");
        }
        for other in ["", "data: {\"choices\":[]}\n\n", "{\"done\":false}"] {
            assert!(!announces_end(other.as_bytes()), "{other}");
        }
    }
}
