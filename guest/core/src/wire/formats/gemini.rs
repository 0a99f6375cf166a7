//! Gemini's generateContent and streamGenerateContent, on Google AI and on Vertex AI. Streams are
//! server-sent events where the client asks for them, and else the elements of a JSON array.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Asked, Assemble, Format, path_part};
use crate::call::{Operation, Usage};
use crate::json::{Kind, Node, Raw};
use crate::litellm::some_text;
use crate::wire::facts::{Counts, Facts, Tool, count, sum};
use crate::wire::reasoning::Marked;

pub(super) const FORMAT: Format = Format {
    name: "gemini",
    doc: (
        "Gemini, on Google AI and on Vertex AI",
        "`…/models/{model}:generateContent`, `:streamGenerateContent`",
    ),
    home: Some("gemini"),
    operation: Operation::GenerateContent,
    verb: "generate_content",
    message_format: Some("gemini"),
    path: |path| path.ends_with(":generateContent") || path.ends_with(":streamGenerateContent"),
    body: |body| {
        body.get("contents")
            .is_some_and(|contents| contents.kind() == Kind::Array)
    },
    request,
    response,
    assemble: || Box::<Candidates>::default(),
    reasoning: Some(Marked {
        is: |part| part.get("thought").is_some_and(Raw::is_truthy),
        members: &["text"],
    }),
    streams_array: |path| path.ends_with(":streamGenerateContent"),
};

/// The model that the path names.
pub(super) fn model(path: &str) -> Option<Cow<'static, str>> {
    // Vertex AI serves a tuned model at an endpoint.
    let places = ["/models/", "/tunedModels/", "/endpoints/"];
    let part = places.iter().find_map(|place| path_part(path, place))?;
    let model = part
        .rsplit_once(':')
        .map_or(part.as_str(), |(model, _)| model);
    Some(Cow::Owned(model.to_owned()))
}

fn request<'a>(asked: &Asked<'a>, facts: &mut Facts<'a>) {
    // Both spellings of every member are taken by the API.
    let [config, other_config, tools] =
        asked
            .body
            .fields(["generationConfig", "generation_config", "tools"]);
    facts.request_model = model(asked.path).or_else(|| some_text(asked.body.get("model")));
    if let Some(config) = config.or(other_config) {
        facts.sampling(config);
    }
    let tools = tools.into_iter().flat_map(Raw::items);
    let functions = tools.filter_map(|tool| {
        let [functions, others] = tool.fields(["functionDeclarations", "function_declarations"]);
        functions.or(others)
    });
    facts.tools(functions.flat_map(Raw::items).filter_map(|function| {
        let schema = if function.get("parametersJsonSchema").is_some() {
            "parametersJsonSchema"
        } else {
            "parameters"
        };
        Tool::of(function, schema)
    }));
}

fn response<'a>(response: Raw<'a>, facts: &mut Facts<'a>) {
    let [id, model, candidates, used, feedback] = response.fields([
        "responseId",
        "modelVersion",
        "candidates",
        "usageMetadata",
        "promptFeedback",
    ]);
    facts.response_id = some_text(id);
    facts.response_model = some_text(model);
    let candidates = candidates.into_iter().flat_map(Raw::items);
    facts.finished(candidates.map(|candidate| candidate.get("finishReason")));
    facts.finished(
        feedback
            .into_iter()
            .map(|feedback| feedback.get("blockReason")),
    );
    facts.usage = used.and_then(usage);
}

/// Cached tokens are part of the prompt's; thoughts are counted apart from the answer's.
pub(super) fn usage(used: Raw<'_>) -> Option<Usage> {
    let [
        prompt,
        tools,
        answer,
        thoughts,
        cached,
        total,
        prompt_details,
        answer_details,
    ] = used.fields([
        "promptTokenCount",
        "toolUsePromptTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "cachedContentTokenCount",
        "totalTokenCount",
        "promptTokensDetails",
        "candidatesTokensDetails",
    ]);
    let of = |details: Option<Raw<'_>>, wanted: &str| {
        let mut all = details.into_iter().flat_map(Raw::items);
        let found = all.find(|detail| some_text(detail.get("modality")).as_deref() == Some(wanted));
        count(found?.get("tokenCount"))
    };
    let counts = Counts {
        input: sum(&[count(prompt), count(tools)]),
        output: sum(&[count(answer), count(thoughts)]),
        total: count(total),
    };
    counts.usage(Usage {
        cache_read: count(cached),
        reasoning: count(thoughts),
        input_audio: of(prompt_details, "AUDIO"),
        input_image: of(prompt_details, "IMAGE"),
        output_audio: of(answer_details, "AUDIO"),
        output_image: of(answer_details, "IMAGE"),
        ..Usage::default()
    })
}

/// A stream of responses, each with a further piece of the candidates.
#[derive(Debug, Default)]
struct Candidates {
    head: Node,
    candidates: BTreeMap<i64, Candidate>,
}

#[derive(Debug, Default)]
struct Candidate {
    role: Option<String>,
    parts: Vec<Node>,
    others: Node,
}

impl Assemble for Candidates {
    fn add(&mut self, _: &str, data: Raw<'_>) -> usize {
        for (key, value) in data.entries().filter(|(key, _)| key != "error") {
            if key == "candidates" {
                for candidate in value.items() {
                    let index = candidate.get("index").and_then(Raw::as_i64).unwrap_or(0);
                    self.candidates.entry(index).or_default().add(candidate);
                }
            } else {
                self.head.set(&key, Node::from(value));
            }
        }
        data.text().len()
    }

    fn is_complete(&self) -> bool {
        let ended = |candidate: &Candidate| candidate.others.get("finishReason").is_some();
        let feedback = match self.head.get("promptFeedback") {
            Some(Node::Whole(feedback)) => Raw::parse(feedback).ok(),
            _ => None,
        };
        let blocked = feedback.is_some_and(|feedback| feedback.get("blockReason").is_some());
        blocked || (!self.candidates.is_empty() && self.candidates.values().all(ended))
    }

    fn finish(self: Box<Self>) -> String {
        let mut response = self.head;
        let candidates = self.candidates.into_values().map(Candidate::whole);
        response.set("candidates", Node::List(candidates.collect()));
        response.json()
    }
}

impl Candidate {
    fn add(&mut self, candidate: Raw<'_>) {
        for (key, value) in candidate.entries() {
            if key != "content" {
                self.others.set(&key, Node::from(value));
                continue;
            }
            let [role, parts] = value.fields(["role", "parts"]);
            self.role = self.role.take().or(some_text(role).map(Cow::into_owned));
            for part in parts.into_iter().flat_map(Raw::items) {
                self.add_part(part);
            }
        }
    }

    /// A text goes on where the last part is a text of its kind; anything else is a part of its own.
    fn add_part(&mut self, part: Raw<'_>) {
        let [text, thought, signature] = part.fields(["text", "thought", "thoughtSignature"]);
        let Some(piece) = text.and_then(Raw::as_str) else {
            self.parts.push(Node::from(part));
            return;
        };
        // Beside the end of a stream, and nothing that the call would have returned whole.
        if piece.is_empty() && signature.is_none() {
            return;
        }
        let thought = thought.is_some_and(Raw::is_truthy);
        let same = |last: &&mut Node| {
            last.get("text").is_some()
                && last.get("thought").is_some() == thought
                && last.get("thoughtSignature").is_none()
        };
        let last = self.parts.last_mut().filter(same);
        if let (Some(last), None) = (last, signature) {
            return last.grow("text", &piece);
        }
        let mut node = Node::default();
        node.set("text", Node::text(&piece));
        if thought {
            node.set("thought", Node::Whole("true".to_owned()));
        }
        if let Some(signature) = signature {
            node.set("thoughtSignature", Node::from(signature));
        }
        self.parts.push(node);
    }

    fn whole(self) -> Node {
        let mut content = Node::default();
        content.set("parts", Node::List(self.parts));
        content.set("role", Node::text(self.role.as_deref().unwrap_or("model")));
        let mut candidate = self.others;
        candidate.set("content", content);
        candidate
    }
}
