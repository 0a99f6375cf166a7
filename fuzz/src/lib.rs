//! What the fuzz targets run, a module a target: bytes in, and what has to hold of what comes out.
//!
//! A target is a function of bytes, so that a finding is replayed in a debugger or a test as it is.
//! `docs/security.md` says how long they ran and what that covered.

pub mod configure;
pub mod feedback;
pub mod frames;
pub mod hooks;
pub mod json;
pub mod otlp;
#[cfg(feature = "plugin")]
pub mod plugin;
pub mod redact;
pub mod sink;
pub mod wire;

/// Takes bytes off the front of an input.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// The next byte, 0 at the end.
    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.byte()) % all.len()]
    }

    /// Up to the next byte 0xff, which no UTF-8 has.
    pub fn part(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| *byte == 0xff);
        let (part, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest.get(1..).unwrap_or_default();
        part
    }

    /// The same as text, if it is one that says something.
    pub fn text(&mut self) -> Option<&'a str> {
        let part = std::str::from_utf8(self.part()).ok();
        part.filter(|text| !text.is_empty())
    }
}
