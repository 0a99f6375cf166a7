//! Lines of a file, one at a time, however they end and whatever they hold.

use std::io::{self, BufRead, BufReader, Read};

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A line that was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1; blank lines count.
    pub number: u64,
    /// Its bytes in the file, the end of line included.
    pub size: u64,
    /// Its text without the end of line. Invalid UTF-8 has become U+FFFD.
    pub text: Result<String, TooLong>,
}

/// A line longer than can be held. It was read past, not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the line has {size} bytes, at most {limit} can be replayed")]
pub struct TooLong {
    /// The line's bytes.
    pub size: u64,
    /// The most that is held.
    pub limit: usize,
}

/// Reads lines.
pub struct Lines<R> {
    input: BufReader<R>,
    limit: usize,
    number: u64,
}

impl<R: Read> Lines<R> {
    /// Reads lines of at most `limit` bytes.
    pub fn new(input: R, limit: usize) -> Self {
        Self {
            input: BufReader::with_capacity(1 << 20, input),
            limit,
            number: 0,
        }
    }

    /// Whether the next line has been read in already. If not, the source may keep us waiting.
    pub fn is_ready(&self) -> bool {
        memchr::memchr(b'\n', self.input.buffer()).is_some()
    }

    /// The next line, blank or not.
    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        // Two bytes more for the end of the line, which does not count.
        let most = self.limit as u64 + 2;
        let mut size = (&mut self.input).take(most).read_until(b'\n', &mut bytes)? as u64;
        if size == 0 {
            return Ok(None);
        }
        self.number += 1;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        } else if size == most {
            size += self.input.skip_until(b'\n')? as u64;
        }
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        let text = if bytes.len() > self.limit {
            let limit = self.limit;
            Err(TooLong { size, limit })
        } else {
            Ok(self.repair(bytes))
        };
        let number = self.number;
        Ok(Some(Line { number, size, text }))
    }

    fn repair(&self, mut bytes: Vec<u8>) -> String {
        if self.number == 1 && bytes.starts_with(BYTE_ORDER_MARK) {
            bytes.drain(..BYTE_ORDER_MARK.len());
        }
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8], limit: usize) -> Vec<(u64, Result<String, u64>)> {
        let mut lines = Lines::new(input, limit);
        let mut read = Vec::new();
        let mut sizes = 0;
        while let Some(line) = lines.next_line().unwrap() {
            sizes += line.size;
            read.push((line.number, line.text.map_err(|error| error.size)));
        }
        assert_eq!(sizes, input.len() as u64);
        read
    }

    fn ok(number: u64, text: &str) -> (u64, Result<String, u64>) {
        (number, Ok(text.to_owned()))
    }

    #[test]
    fn every_way_to_end_a_line() {
        assert_eq!(
            read(b"a\r\nb\n\nc", 9),
            [ok(1, "a"), ok(2, "b"), ok(3, ""), ok(4, "c")]
        );
        assert_eq!(read(b"", 9), []);
        assert_eq!(read(b"\n", 9), [ok(1, "")]);
    }

    #[test]
    fn a_mark_at_the_start_is_not_text() {
        assert_eq!(
            read(b"\xef\xbb\xbf{}\n\xef\xbb\xbf", 9),
            [ok(1, "{}"), ok(2, "\u{feff}")]
        );
    }

    #[test]
    fn invalid_bytes_are_repaired() {
        assert_eq!(
            read(b"\"a\xff\"\nb", 9),
            [ok(1, "\"a\u{fffd}\""), ok(2, "b")]
        );
    }

    #[test]
    fn a_long_line_is_passed_over_and_its_neighbours_are_not() {
        let exact = "x".repeat(8);
        for end in ["\n", "\r\n"] {
            for over in [9, 10, 11, 30] {
                let input = format!("{exact}{end}{}{end}last", "y".repeat(over));
                let size = (over + end.len()) as u64;
                let expected = [ok(1, &exact), (2, Err(size)), ok(3, "last")];
                assert_eq!(read(input.as_bytes(), 8), expected, "{over} {end:?}");
            }
        }
        assert_eq!(read(b"123456789", 8), [(1, Err(9))]);
    }
}
