//! Amazon Bedrock's InvokeModel: the model's own format, of which Anthropic's is read. A stream wraps
//! each event in `{"bytes":"…"}`, base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Asked, Assemble, Format, anthropic, bedrock};
use crate::json::Raw;
use crate::wire::facts::Facts;

pub(super) const FORMAT: Format = Format {
    name: "bedrock_invoke",
    doc: (
        "Amazon Bedrock InvokeModel, of Anthropic's models",
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

/// Anthropic's events, wrapped.
#[derive(Debug, Default)]
struct Wrapped(anthropic::Message);

impl Assemble for Wrapped {
    fn add(&mut self, event: &str, data: Raw<'_>) -> usize {
        let bytes = data.get("bytes").and_then(Raw::as_str);
        let bytes = bytes.and_then(|bytes| STANDARD.decode(bytes.as_bytes()).ok());
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let inner = text.as_deref().and_then(|text| Raw::parse(text).ok());
        inner.map_or(0, |inner| self.0.add(event, inner))
    }

    fn is_complete(&self) -> bool {
        self.0.is_complete()
    }

    fn finish(self: Box<Self>) -> String {
        Box::new(self.0).finish()
    }
}
