//! A model's reasoning where no member's name tells it, so that `capture` can leave it out: the policy
//! knows names alone.

use crate::json::{Kind, Node, Raw};
use crate::policy::NOT_CAPTURED;

/// How deep it is looked for.
const DEPTH: usize = 10;

/// How a format marks reasoning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marked {
    /// Whether an object is reasoning.
    pub is: fn(Raw<'_>) -> bool,
    /// The members of such an object that hold it.
    pub members: &'static [&'static str],
}

impl Marked {
    /// A value, as JSON, with what is reasoning replaced.
    pub fn hide(self, value: Raw<'_>) -> String {
        self.node(value, 0).json()
    }

    fn node(self, value: Raw<'_>, depth: usize) -> Node {
        match value.kind() {
            _ if depth == DEPTH => Node::from(value),
            Kind::Array => {
                let items = value.items();
                Node::List(items.map(|item| self.node(item, depth + 1)).collect())
            }
            Kind::Object => {
                let is_reasoning = (self.is)(value);
                let members = value.entries().map(|(key, member)| {
                    let is_hidden = is_reasoning && self.members.contains(&key.as_ref());
                    let member = if is_hidden {
                        Node::text(NOT_CAPTURED)
                    } else {
                        self.node(member, depth + 1)
                    };
                    (key.into_owned(), member)
                });
                Node::Object(members.collect())
            }
            _ => Node::from(value),
        }
    }
}
