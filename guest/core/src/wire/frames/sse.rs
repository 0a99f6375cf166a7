//! Server-sent events: WHATWG HTML, section 9.2.6, "Interpreting an event stream".
//!
//! One thing is read more kindly than there: an event that the stream ends in is handed out, marked as
//! partial, since some servers leave out the last blank line.

use super::{Frame, Sink};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The framer.
#[derive(Debug, Default)]
pub struct Sse {
    /// A line that has not ended.
    line: Vec<u8>,
    /// The event's name.
    event: String,
    /// Its data, each line with a line feed.
    data: Vec<u8>,
    /// Whether a line ended with a carriage return, which a line feed may belong to.
    after_return: bool,
    /// Whether the first line was seen, which a byte order mark may precede.
    begun: bool,
}

impl Sse {
    pub fn push(&mut self, bytes: &[u8], sink: Sink<'_>) {
        let mut rest = bytes;
        if let (true, [first, tail @ ..]) = (self.after_return, rest) {
            self.after_return = false;
            if *first == b'\n' {
                rest = tail;
            }
        }
        while let Some(end) = memchr::memchr2(b'\n', b'\r', rest) {
            let (line, tail) = rest.split_at_checked(end).unwrap_or_default();
            if self.line.is_empty() {
                self.take(line, sink);
            } else {
                self.line.extend_from_slice(line);
                let line = std::mem::take(&mut self.line);
                self.take(&line, sink);
                self.line = line;
                self.line.clear();
            }
            rest = match tail {
                [b'\r', b'\n', tail @ ..] => tail,
                [b'\r'] => {
                    self.after_return = true;
                    &[]
                }
                [_, tail @ ..] => tail,
                [] => &[],
            };
        }
        self.line.extend_from_slice(rest);
    }

    pub fn end(&mut self, sink: Sink<'_>) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.take(&line, sink);
        }
        self.dispatch(true, sink);
    }

    pub fn held(&self) -> usize {
        self.line.len() + self.data.len() + self.event.len()
    }

    fn take(&mut self, mut line: &[u8], sink: Sink<'_>) {
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix(BOM).unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch(false, sink);
        }
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let (field, value) = line.split_at_checked(colon).unwrap_or((line, &[]));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            b"event" => self.event = String::from_utf8_lossy(value).into_owned(),
            // Comments, `id`, `retry`, and what nobody knows.
            _ => {}
        }
    }

    fn dispatch(&mut self, is_partial: bool, sink: Sink<'_>) {
        if let Some(data) = self.data.strip_suffix(b"\n") {
            sink(Frame {
                is_partial,
                ..Frame::message(&self.event, data)
            });
        }
        self.data.clear();
        self.event.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::Framer;
    use super::super::tests::frames;
    use super::Sse;

    fn events(text: &[u8]) -> Vec<(String, String, bool)> {
        let frames = frames(Framer::Sse(Sse::default()), &[text]).into_iter();
        frames
            .map(|(event, data, _, partial)| (event, data, partial))
            .collect()
    }

    fn whole(event: &str, data: &str) -> (String, String, bool) {
        (event.to_owned(), data.to_owned(), false)
    }

    #[test]
    fn all_line_ends_are_line_ends() {
        for end in ["\n", "\r", "\r\n"] {
            let text = ["event: a", "data: 1", "", "data:2", "", ""].join(end);
            assert_eq!(
                events(text.as_bytes()),
                [whole("a", "1"), whole("", "2")],
                "{end:?}"
            );
        }
    }

    #[test]
    fn fields_are_read_as_the_standard_has_it() {
        let text = "\u{feff}data: a\ndata\ndata:  b\n: comment\nid: 1\nretry: 2\n\n\
                    event: lost without data\n\ndata: c\n\n";
        assert_eq!(
            events(text.as_bytes()),
            [whole("", "a\n\n b"), whole("", "c")]
        );
    }

    #[test]
    fn an_event_that_the_stream_ends_in_is_partial() {
        assert_eq!(events(b"data: a"), [(String::new(), "a".to_owned(), true)]);
        assert_eq!(
            events(b"data: a\r\n"),
            [(String::new(), "a".to_owned(), true)]
        );
    }
}
