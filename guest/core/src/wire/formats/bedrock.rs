//! Amazon Bedrock's Converse and ConverseStream.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Asked, Assemble, Format, path_part, unknown};
use crate::call::{Operation, Usage};
use crate::json::{Node, Raw};
use crate::litellm::some_text;
use crate::wire::facts::{Counts, Facts, Tool, count, sum};

pub(super) const FORMAT: Format = Format {
    name: "bedrock",
    doc: (
        "Amazon Bedrock Converse",
        "`/model/{model}/converse`, `/converse-stream`",
    ),
    home: Some("bedrock"),
    operation: Operation::Chat,
    verb: "chat",
    message_format: Some("bedrock"),
    path: |path| path.ends_with("/converse") || path.ends_with("/converse-stream"),
    body: |body| body.get("inferenceConfig").is_some(),
    request,
    response,
    assemble: || Box::<Message>::default(),
    ..unknown::FORMAT
};

/// The model that the path names.
pub(super) fn model(path: &str) -> Option<Cow<'static, str>> {
    path_part(path, "/model/").map(Cow::Owned)
}

fn request<'a>(asked: &Asked<'a>, facts: &mut Facts<'a>) {
    let [config, tools] = asked.body.fields(["inferenceConfig", "toolConfig"]);
    facts.request_model = model(asked.path);
    if let Some(config) = config {
        facts.sampling(config);
    }
    let tools = tools.and_then(|config| config.get("tools"));
    let specs = tools
        .into_iter()
        .flat_map(Raw::items)
        .filter_map(|tool| tool.get("toolSpec"));
    facts.tools(specs.filter_map(|spec| {
        let mut tool = Tool::of(spec, "inputSchema")?;
        tool.parameters = tool.parameters.and_then(|schema| schema.get("json"));
        Some(tool)
    }));
}

pub(super) fn response<'a>(response: Raw<'a>, facts: &mut Facts<'a>) {
    let [reason, used] = response.fields(["stopReason", "usage"]);
    facts.finished(std::iter::once(reason));
    facts.usage = used.and_then(usage);
}

/// Cached tokens are counted apart from the input's.
pub(super) fn usage(used: Raw<'_>) -> Option<Usage> {
    let [input, output, total, read, written] = used
        .fields([
            "inputTokens",
            "outputTokens",
            "totalTokens",
            "cacheReadInputTokens",
            "cacheWriteInputTokens",
        ])
        .map(count);
    let counts = Counts {
        input: input.and_then(|input| sum(&[Some(input), read, written])),
        output,
        total,
    };
    counts.usage(Usage {
        cache_read: read,
        cache_creation: written,
        ..Usage::default()
    })
}

/// A stream of events.
#[derive(Debug, Default)]
pub(super) struct Message {
    role: Option<String>,
    blocks: BTreeMap<i64, Block>,
    others: Node,
    complete: bool,
}

#[derive(Debug, Default)]
struct Block {
    node: Node,
    /// The input of a tool, as text.
    input: String,
    reasoning: Node,
}

impl Message {
    /// Keeps a member of the response as it came.
    pub(super) fn keep(&mut self, key: &str, value: Raw<'_>) -> usize {
        self.others.set(key, Node::from(value));
        value.text().len()
    }
}

impl Assemble for Message {
    fn add(&mut self, event: &str, data: Raw<'_>) -> usize {
        let [role, index, start, delta] =
            data.fields(["role", "contentBlockIndex", "start", "delta"]);
        let index = index.and_then(Raw::as_i64).unwrap_or(0);
        match event {
            "messageStart" => self.role = some_text(role).map(Cow::into_owned),
            "contentBlockStart" => {
                let block = self.blocks.entry(index).or_default();
                for (key, value) in start.into_iter().flat_map(Raw::entries) {
                    block.node.set(&key, {
                        let mut member = Node::default();
                        member.merge(value);
                        member
                    });
                }
            }
            "contentBlockDelta" => {
                if let Some(delta) = delta {
                    self.blocks.entry(index).or_default().grow(delta);
                }
            }
            "messageStop" | "metadata" => {
                self.complete |= event == "messageStop";
                // `p` is padding against guesses from lengths.
                self.others
                    .set_all(data.entries().filter(|(key, _)| key != "p"));
            }
            _ => return 0,
        }
        data.text().len()
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn finish(self: Box<Self>) -> String {
        let mut message = Node::default();
        message.set(
            "role",
            Node::text(self.role.as_deref().unwrap_or("assistant")),
        );
        let blocks = self.blocks.into_values().map(Block::whole).collect();
        message.set("content", Node::List(blocks));
        let mut output = Node::default();
        output.set("message", message);
        let mut response = self.others;
        response.set("output", output);
        response.json()
    }
}

impl Block {
    fn grow(&mut self, delta: Raw<'_>) {
        let [text, tool, reasoning, citation] =
            delta.fields(["text", "toolUse", "reasoningContent", "citation"]);
        if let Some(piece) = text.and_then(Raw::as_str) {
            self.node.grow("text", &piece);
        }
        let input = tool.and_then(|tool| tool.get("input"));
        self.input
            .push_str(&input.and_then(Raw::as_str).unwrap_or_default());
        for (key, value) in reasoning.into_iter().flat_map(Raw::entries) {
            let piece = value.as_str().unwrap_or_default();
            self.reasoning.grow(&key, &piece);
        }
        if let Some(citation) = citation {
            let list = format!("{{\"citations\":[{}]}}", citation.text());
            if let Ok(list) = Raw::parse(&list) {
                self.node.merge(list);
            }
        }
    }

    fn whole(mut self) -> Node {
        if let Some(tool) = self
            .node
            .get("toolUse")
            .is_some()
            .then(|| self.node.member("toolUse"))
        {
            let input = match Raw::parse(&self.input) {
                Ok(input) => Node::from(input),
                Err(_) if self.input.is_empty() => Node::default(),
                Err(_) => Node::text(&self.input),
            };
            if let Some(tool) = tool {
                tool.set("input", input);
            }
        }
        if self.reasoning != Node::default() {
            let mut content = Node::default();
            if let Some(redacted) = self.reasoning.remove("redactedContent") {
                content.set("redactedContent", redacted);
            }
            if self.reasoning != Node::default() {
                content.set("reasoningText", self.reasoning);
            }
            self.node.set("reasoningContent", content);
        }
        self.node
    }
}
