//! JSON Pointers to what is replaced: RFC 6901, with `*` for every member or element.

use crate::json::{Place, Step};

/// The document that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// What was asked.
    Inputs,
    /// The member of what was asked.
    Input(&'static str),
    /// What was answered.
    Outputs,
    /// Anything else.
    Other,
}

/// A pointer into what was asked or answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    inputs: bool,
    outputs: bool,
    tokens: Vec<String>,
}

impl Pointer {
    /// Reads a pointer. `/inputs` and `/outputs` in front tell which of both is meant; otherwise both are.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.is_empty() && !text.starts_with('/') {
            return Err(format!("a JSON Pointer begins with `/`, found \"{text}\""));
        }
        let mut tokens = Vec::new();
        for token in text.split('/').skip(1) {
            let mut rest = token.split('~').skip(1);
            if !rest.all(|rest| rest.starts_with(['0', '1'])) {
                return Err(format!(
                    "in a JSON Pointer `~` is written `~0`, found \"{text}\""
                ));
            }
            tokens.push(token.replace("~1", "/").replace("~0", "~"));
        }
        let (inputs, outputs) = match tokens.first().map(String::as_str) {
            Some("inputs") => (true, false),
            Some("outputs") => (false, true),
            _ => (true, true),
        };
        if !(inputs && outputs) {
            tokens.remove(0);
        }
        Ok(Self {
            inputs,
            outputs,
            tokens,
        })
    }

    /// Whether it leads into documents of this kind.
    pub fn leads_into(&self, root: Root) -> bool {
        match root {
            Root::Inputs => self.inputs,
            Root::Input(name) => {
                self.inputs
                    && self
                        .tokens
                        .first()
                        .is_none_or(|first| fits_name(first, name))
            }
            Root::Outputs => self.outputs,
            Root::Other => false,
        }
    }

    /// The tokens that are left within the document.
    fn within(&self, root: Root) -> Option<&[String]> {
        if !self.leads_into(root) {
            return None;
        }
        match root {
            Root::Input(_) => Some(self.tokens.get(1..).unwrap_or_default()),
            _ => Some(&self.tokens),
        }
    }
}

/// Whether one of the paths leads to a value.
pub(super) fn leads_to(paths: &[Pointer], root: Root, place: &Place<'_, '_>) -> bool {
    let depth = place.depth();
    paths
        .iter()
        .filter_map(|path| path.within(root))
        .any(|tokens| {
            tokens.len() == depth
                && depth > 0
                && tokens
                    .iter()
                    .zip(place.steps())
                    .all(|(token, step)| fits(token, &step))
        })
}

/// Whether one of the paths leads to the document itself.
pub(super) fn replaces_all(paths: &[Pointer], root: Root) -> bool {
    let mut within = paths.iter().filter_map(|path| path.within(root));
    within.any(<[String]>::is_empty)
}

fn fits(token: &str, step: &Step<'_>) -> bool {
    match step {
        Step::Member(name) => fits_name(token, name),
        Step::Element(position) => token == "*" || token.parse() == Ok(*position),
    }
}

fn fits_name(token: &str, name: &str) -> bool {
    token == "*" || token == name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_read() {
        let pointer = Pointer::parse("/outputs/a~1b/~0/0").unwrap();
        assert_eq!(pointer.tokens, ["a/b", "~", "0"]);
        assert!(pointer.leads_into(Root::Outputs) && !pointer.leads_into(Root::Inputs));
        let either = Pointer::parse("/messages/*/content").unwrap();
        assert!(
            either.leads_into(Root::Input("messages")) && !either.leads_into(Root::Input("tools"))
        );
        assert!(Pointer::parse("messages").is_err() && Pointer::parse("/a~2").is_err());
    }
}
