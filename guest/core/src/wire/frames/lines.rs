//! A JSON value a line: NDJSON, JSON Lines.

use super::{Frame, Sink};

/// The framer.
#[derive(Debug, Default)]
pub struct Lines {
    /// A line that has not ended.
    line: Vec<u8>,
}

impl Lines {
    pub fn push(&mut self, bytes: &[u8], sink: Sink<'_>) {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, tail) = rest.split_at_checked(end).unwrap_or_default();
            if self.line.is_empty() {
                hand_out(line, false, sink);
            } else {
                self.line.extend_from_slice(line);
                hand_out(&self.line, false, sink);
                self.line.clear();
            }
            rest = tail.get(1..).unwrap_or_default();
        }
        self.line.extend_from_slice(rest);
    }

    pub fn end(&mut self, sink: Sink<'_>) {
        hand_out(&std::mem::take(&mut self.line), true, sink);
    }

    pub fn held(&self) -> usize {
        self.line.len()
    }
}

fn hand_out(line: &[u8], is_partial: bool, sink: Sink<'_>) {
    let line = line.trim_ascii();
    if !line.is_empty() {
        sink(Frame {
            is_partial,
            ..Frame::message("", line)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::Framer;
    use super::super::tests::frames;
    use super::Lines;

    #[test]
    fn lines_are_frames_and_blank_ones_are_none() {
        let framer = Framer::Lines(Lines::default());
        let data: Vec<_> = frames(framer, &[b"{\"a\":1}\r\n\n {\"b\"", b":2}\n{\"c\":3}"])
            .into_iter()
            .map(|(_, data, _, partial)| (data, partial))
            .collect();
        let expected = [
            ("{\"a\":1}", false),
            ("{\"b\":2}", false),
            ("{\"c\":3}", true),
        ];
        assert_eq!(
            data,
            expected.map(|(data, partial)| (data.to_owned(), partial))
        );
    }
}
