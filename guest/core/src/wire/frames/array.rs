//! The elements of one JSON array, as they come: Gemini streams so unless asked for server-sent events.
//!
//! A body that is no array but one object is one frame.

use super::{Frame, Sink};

/// The framer.
#[derive(Debug, Default)]
pub struct Array {
    /// An element that has not ended.
    element: Vec<u8>,
    /// How many of its objects and arrays are open.
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Array {
    pub fn push(&mut self, bytes: &[u8], sink: Sink<'_>) {
        // Where what belongs to the element begins within `bytes`.
        let mut start = 0;
        for (at, &byte) in bytes.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            let between = self.depth == 0;
            match byte {
                b'[' | b']' | b',' | b' ' | b'\n' | b'\r' | b'\t' if between => {
                    self.finish(bytes.get(start..at), sink);
                    start = at + 1;
                }
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        self.finish(bytes.get(start..=at), sink);
                        start = at + 1;
                    }
                }
                b'"' => self.in_string = true,
                _ => {}
            }
        }
        let rest = bytes.get(start..).unwrap_or_default();
        self.element.extend_from_slice(rest);
    }

    pub fn end(&mut self, sink: Sink<'_>) {
        let element = std::mem::take(&mut self.element);
        if !element.is_empty() {
            sink(Frame {
                is_partial: true,
                ..Frame::message("", &element)
            });
        }
    }

    pub fn held(&self) -> usize {
        self.element.len()
    }

    /// Hands out the element whose last bytes are `tail`.
    fn finish(&mut self, tail: Option<&[u8]>, sink: Sink<'_>) {
        self.element.extend_from_slice(tail.unwrap_or_default());
        if !self.element.is_empty() {
            sink(Frame::message("", &self.element));
            self.element.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Framer;
    use super::super::tests::frames;

    fn elements(text: &str) -> Vec<(String, bool)> {
        let frames = frames(Framer::array(), &[text.as_bytes()]).into_iter();
        frames
            .map(|(_, data, _, partial)| (data, partial))
            .collect()
    }

    #[test]
    fn elements_are_frames() {
        let text = "[{\"a\":[1,\"]}\\\"\"]}\n,\r\n{}, 7,\"x y\" ]";
        let expected = ["{\"a\":[1,\"]}\\\"\"]}", "{}", "7", "\"x y\""];
        assert_eq!(
            elements(text),
            expected.map(|data| (data.to_owned(), false))
        );
    }

    #[test]
    fn an_object_alone_is_a_frame_and_a_cut_element_is_partial() {
        assert_eq!(
            elements("{\"error\":{}}"),
            [("{\"error\":{}}".to_owned(), false)]
        );
        assert_eq!(elements("[{\"a\":"), [("{\"a\":".to_owned(), true)]);
        assert_eq!(elements("[]"), []);
    }
}
