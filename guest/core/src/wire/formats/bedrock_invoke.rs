//! Amazon Bedrock's InvokeModel: the model's own format, of which Anthropic's is read. A stream wraps
//! each event in `{"bytes":"…"}`, base64. Other models' answers are logged as they are.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Asked, Assemble, Format, anthropic, bedrock};
use crate::json::{Node, Raw};
use crate::wire::facts::Facts;

pub(super) const FORMAT: Format = Format {
    name: "bedrock_invoke",
    doc: (
        "Amazon Bedrock InvokeModel, read where the model is Anthropic's",
        "`/model/{model}/invoke`, `/invoke-with-response-stream`",
    ),
    home: Some("bedrock"),
    path: |path| {
        path.contains("/model/")
            && (path.ends_with("/invoke") || path.ends_with("/invoke-with-response-stream"))
    },
    body: |body| body.get("anthropic_version").is_some(),
    request,
    assemble: || Box::<Wrapped>::default(),
    ..anthropic::FORMAT
};

fn request<'a>(asked: &Asked<'a>, facts: &mut Facts<'a>) {
    anthropic::request(asked, facts);
    facts.request_model = bedrock::model(asked.path).or(facts.request_model.take());
}

/// Anthropic's events, wrapped; those of other models are listed.
#[derive(Debug, Default)]
struct Wrapped {
    message: anthropic::Message,
    others: Vec<Node>,
}

impl Assemble for Wrapped {
    fn add(&mut self, event: &str, data: Raw<'_>) -> usize {
        if data.get("type").is_some() {
            return self.message.add(event, data);
        }
        self.others.push(Node::from(data));
        data.text().len()
    }

    fn unwrap(&self, data: Raw<'_>) -> Option<String> {
        let bytes = data.get("bytes").and_then(Raw::as_str)?;
        String::from_utf8(STANDARD.decode(bytes.as_bytes()).ok()?).ok()
    }

    fn is_complete(&self) -> bool {
        // How the streams of other models end nobody knows.
        !self.others.is_empty() || self.message.is_complete()
    }

    fn finish(self: Box<Self>) -> String {
        if self.others.is_empty() {
            return Box::new(self.message).finish();
        }
        Node::List(self.others).json()
    }
}
