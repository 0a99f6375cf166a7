//! OpenAI's images: generations, edits, variations. A stream brings partial images and then the whole.

use super::{Assemble, Format, openai_chat};
use crate::call::Operation;
use crate::json::{Node, Raw};
use crate::litellm::some_text;

pub(super) const FORMAT: Format = Format {
    name: "openai_images",
    doc: (
        "OpenAI images",
        "`…/images/generations`, `…/images/edits`, `…/images/variations`",
    ),
    operation: Operation::Other,
    verb: "image_generation",
    message_format: None,
    path: |path| {
        ["/images/generations", "/images/edits", "/images/variations"]
            .iter()
            .any(|end| path.ends_with(end))
    },
    body: |_| false,
    assemble: || Box::<Images>::default(),
    ..openai_chat::FORMAT
};

/// A stream of images.
#[derive(Debug, Default)]
struct Images {
    head: Node,
    images: Vec<Node>,
    complete: bool,
}

impl Assemble for Images {
    fn add(&mut self, _: &str, data: Raw<'_>) -> usize {
        let kind = some_text(data.get("type")).unwrap_or_default();
        if !kind.ends_with(".completed") {
            return 0;
        }
        self.complete = true;
        let mut image = Node::default();
        for (key, value) in data.entries() {
            match key.as_ref() {
                "type" => {}
                "created_at" => self.head.set("created", Node::from(value)),
                "b64_json" | "url" | "revised_prompt" => image.set(&key, Node::from(value)),
                _ => self.head.set(&key, Node::from(value)),
            }
        }
        self.images.push(image);
        data.text().len()
    }

    fn chunks<'d>(&self, data: Raw<'d>) -> Vec<Raw<'d>> {
        // Each is a whole image: too much to show again.
        data.get("type").into_iter().collect()
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn finish(self: Box<Self>) -> String {
        let mut response = self.head;
        response.set("data", Node::List(self.images));
        response.json()
    }
}
