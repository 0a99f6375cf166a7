//! What no format claims: the bodies as they are, and the members that many share.

use super::{Asked, Assemble, Format, openai_chat};
use crate::call::Operation;
use crate::json::{Node, Raw};
use crate::litellm::some_text;
use crate::wire::facts::Facts;

pub(super) const FORMAT: Format = Format {
    name: "unknown",
    doc: ("Anything else: bodies as they are", "any"),
    home: None,
    operation: Operation::Other,
    verb: "",
    message_format: None,
    path: |_| false,
    body: |_| false,
    request,
    response: openai_chat::response,
    assemble: || Box::<Listed>::default(),
    reasoning: None,
    streams_array: |_| false,
};

fn request<'a>(asked: &Asked<'a>, facts: &mut Facts<'a>) {
    facts.request_model = some_text(asked.body.get("model"));
}

/// A stream of anything: its frames' data, in a list.
#[derive(Debug, Default)]
pub(super) struct Listed(Vec<Node>);

impl Assemble for Listed {
    fn add(&mut self, _: &str, data: Raw<'_>) -> usize {
        self.0.push(Node::from(data));
        data.text().len()
    }

    fn is_complete(&self) -> bool {
        // Nobody knows how it ends.
        true
    }

    fn finish(self: Box<Self>) -> String {
        Node::List(self.0).json()
    }
}
