//! OpenAI's audio: speech, transcriptions, translations.

use super::{Assemble, Format, openai_chat};
use crate::call::{Operation, Usage};
use crate::json::{Node, Raw};
use crate::litellm::some_text;
use crate::wire::facts::{Counts, Facts, count};

pub(super) const SPEECH: Format = Format {
    name: "openai_speech",
    doc: ("OpenAI speech", "`…/audio/speech`"),
    verb: "speech",
    operation: Operation::Other,
    message_format: None,
    path: |path| path.ends_with("/audio/speech"),
    body: |_| false,
    response,
    assemble: || Box::<Speech>::default(),
    ..openai_chat::FORMAT
};

pub(super) const TRANSCRIPTION: Format = Format {
    name: "openai_transcription",
    doc: (
        "OpenAI transcriptions and translations",
        "`…/audio/transcriptions`, `…/audio/translations`",
    ),
    verb: "transcription",
    path: |path| path.ends_with("/audio/transcriptions") || path.ends_with("/audio/translations"),
    assemble: || Box::<Transcript>::default(),
    ..SPEECH
};

fn response<'a>(response: Raw<'a>, facts: &mut Facts<'a>) {
    openai_chat::response(response, facts);
    // Here the details of the input have a name of their own.
    let used = response.get("usage");
    let details = used.and_then(|used| used.get("input_token_details"));
    if let (Some(used), Some(details)) = (used, details) {
        let [input, output, total] = used.fields(["input_tokens", "output_tokens", "total_tokens"]);
        let counts = Counts {
            input: count(input),
            output: count(output),
            total: count(total),
        };
        facts.usage = counts.usage(Usage {
            input_audio: count(details.get("audio_tokens")),
            ..Usage::default()
        });
    }
}

/// A stream of audio: only its size is kept.
#[derive(Debug, Default)]
struct Speech {
    bytes: usize,
    head: Node,
    complete: bool,
}

impl Assemble for Speech {
    fn add(&mut self, _: &str, data: Raw<'_>) -> usize {
        let [kind, audio, usage] = data.fields(["type", "audio", "usage"]);
        // Base64 writes three bytes in four characters.
        let audio = some_text(audio).unwrap_or_default();
        self.bytes += audio.trim_end_matches('=').len() * 3 / 4;
        if let Some(usage) = usage {
            self.head.set("usage", Node::from(usage));
        }
        self.complete |= some_text(kind).is_some_and(|kind| kind.ends_with(".done"));
        0
    }

    fn chunks<'d>(&self, data: Raw<'d>) -> Vec<Raw<'d>> {
        data.get("type").into_iter().collect()
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn finish(self: Box<Self>) -> String {
        let mut response = self.head;
        response.set("bytes", Node::Whole(self.bytes.to_string()));
        response.json()
    }
}

/// A stream of a transcript.
#[derive(Debug, Default)]
struct Transcript {
    response: Node,
    complete: bool,
}

impl Assemble for Transcript {
    fn add(&mut self, _: &str, data: Raw<'_>) -> usize {
        let kind = some_text(data.get("type")).unwrap_or_default();
        if kind.ends_with(".done") {
            self.complete = true;
            self.response
                .set_all(data.entries().filter(|(key, _)| key != "type"));
        } else if kind.ends_with("text.delta") {
            let piece = some_text(data.get("delta")).unwrap_or_default();
            self.response.grow("text", &piece);
        }
        data.text().len()
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn finish(self: Box<Self>) -> String {
        self.response.json()
    }
}
