//! Amazon Bedrock's InvokeModel: the model's own format. Anthropic's is read, Amazon Nova's, which is
//! that of Converse, and those of models that answer with one text (Llama, Titan). A stream wraps each
//! event in `{"bytes":"…"}`, base64. Other models' answers are logged as they are.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Asked, Assemble, Format, anthropic, bedrock};
use crate::call::Usage;
use crate::json::{Kind, Node, Raw};
use crate::wire::facts::{Counts, Facts, count};

pub(super) const FORMAT: Format = Format {
    name: "bedrock_invoke",
    doc: (
        "Amazon Bedrock InvokeModel: Anthropic, Nova, Llama, Titan; other models' bodies as they are",
        "`/model/{model}/invoke`, `/invoke-with-response-stream`",
    ),
    home: Some("bedrock"),
    path: |path| {
        path.contains("/model/")
            && (path.ends_with("/invoke") || path.ends_with("/invoke-with-response-stream"))
    },
    body: |body| body.get("anthropic_version").is_some(),
    request,
    response,
    assemble: || Box::<Wrapped>::default(),
    ..anthropic::FORMAT
};

/// Members that hold a piece of a text that is all of an answer: Llama's and Titan's.
const TEXTS: [&str; 2] = ["generation", "outputText"];

fn request<'a>(asked: &Asked<'a>, facts: &mut Facts<'a>) {
    anthropic::request(asked, facts);
    facts.request_model = bedrock::model(asked.path).or(facts.request_model.take());
    let configs = asked
        .body
        .fields(["inferenceConfig", "textGenerationConfig"]);
    for config in configs.into_iter().flatten() {
        facts.sampling(config);
    }
}

fn response<'a>(response: Raw<'a>, facts: &mut Facts<'a>) {
    anthropic::response(response, facts);
    let [nova, results, reason] = response.fields(["output", "results", "completionReason"]);
    if nova.is_some() {
        bedrock::response(response, facts);
    }
    let results = results.into_iter().flat_map(Raw::items);
    facts.finished(results.map(|result| result.get("completionReason")));
    facts.finished(std::iter::once(reason));
    if facts.usage.is_none() {
        facts.usage = counted(response);
    }
}

/// Tokens as Llama and Titan count them, or else as Bedrock does beside a stream's last event.
fn counted(response: Raw<'_>) -> Option<Usage> {
    let [llama, llama_answer, titan, titan_answer, results, metrics] = response.fields([
        "prompt_token_count",
        "generation_token_count",
        "inputTextTokenCount",
        "totalOutputTextTokenCount",
        "results",
        "amazon-bedrock-invocationMetrics",
    ]);
    let result = results.and_then(|results| results.items().next());
    let result = result.and_then(|result| result.get("tokenCount"));
    let [input, output] = metrics.map_or([None; 2], |metrics| {
        metrics.fields(["inputTokenCount", "outputTokenCount"])
    });
    let first = |counts: [Option<Raw<'_>>; 4]| counts.into_iter().find_map(count);
    let counts = Counts {
        input: first([llama, titan, input, None]),
        output: first([llama_answer, titan_answer, result, output]),
        total: None,
    };
    counts.usage(Usage::default())
}

/// Events of whichever model; those that nobody knows are listed.
#[derive(Debug, Default)]
struct Wrapped {
    anthropic: anthropic::Message,
    nova: Option<bedrock::Message>,
    /// An answer that is one text.
    text: Option<Node>,
    others: Vec<Node>,
}

impl Wrapped {
    fn add_text(&mut self, data: Raw<'_>) {
        let text = self.text.get_or_insert_default();
        for (key, value) in data.entries() {
            match value.as_str() {
                Some(piece) if TEXTS.contains(&key.as_ref()) => text.grow(&key, &piece),
                // What a piece leaves out stays as it was said before.
                _ if value.is_null() && text.get(&key).is_some() => {}
                _ => text.set(&key, Node::from(value)),
            }
        }
    }
}

impl Assemble for Wrapped {
    fn add(&mut self, event: &str, data: Raw<'_>) -> usize {
        if data.get("type").is_some() {
            return self.anthropic.add(event, data);
        }
        let first = data.entries().next();
        match first {
            Some((name, piece))
                if name.starts_with("message") || name.starts_with("contentBlock") =>
            {
                self.nova.get_or_insert_default().add(&name, piece);
            }
            Some((name, _)) if name == "metadata" && self.nova.is_some() => {
                let nova = self.nova.get_or_insert_default();
                for (name, piece) in data.entries() {
                    match piece.kind() {
                        Kind::Object if name == "metadata" => nova.add(&name, piece),
                        _ => nova.keep(&name, piece),
                    };
                }
            }
            _ if TEXTS.iter().any(|text| data.get(text).is_some()) => self.add_text(data),
            _ => self.others.push(Node::from(data)),
        }
        data.text().len()
    }

    fn unwrap(&self, data: Raw<'_>) -> Option<String> {
        let bytes = data.get("bytes").and_then(Raw::as_str)?;
        String::from_utf8(STANDARD.decode(bytes.as_bytes()).ok()?).ok()
    }

    fn is_complete(&self) -> bool {
        let ended = |text: &Node| {
            let reason = text.get("stop_reason").or(text.get("completionReason"));
            reason.is_some_and(|reason| !reason.is_null())
        };
        // How the streams of other models end nobody knows.
        !self.others.is_empty()
            || self.anthropic.is_complete()
            || self.nova.as_ref().is_some_and(Assemble::is_complete)
            || self.text.as_ref().is_some_and(ended)
    }

    fn finish(self: Box<Self>) -> String {
        if !self.others.is_empty() {
            return Node::List(self.others).json();
        }
        match (self.nova, self.text) {
            (Some(nova), _) => Box::new(nova).finish(),
            (None, Some(text)) => text.json(),
            (None, None) => Box::new(self.anthropic).finish(),
        }
    }
}
