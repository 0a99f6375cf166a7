//! Where the values of a document are, noted while it is validated: whoever looks for members then steps from one to the
//! next, whatever is in them, and the text is gone over once.

use super::names::Outline;
use super::raw::Raw;
use super::scan::{self, ParseError};

/// A document with its marks.
#[derive(Debug)]
pub struct Document<'a> {
    text: &'a str,
    marks: Vec<Mark>,
}

/// Where a member or an element is.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// Where a member's name stands between its quotes; nothing, of an element.
    pub key: (u32, u32),
    pub(super) outline: Outline,
    /// Where the value is.
    pub value: (u32, u32),
    /// How many marks follow that lie within it.
    pub within: u32,
}

/// What is told of a document while it is validated.
pub(super) trait Marker {
    /// A value begins, after a name or as an element.
    fn begin(&mut self, key: (usize, usize), outline: Outline, value: usize);
    /// The value that began last and is not ended has ended.
    fn end(&mut self, at: usize);
}

/// Notes nothing.
impl Marker for () {
    fn begin(&mut self, _: (usize, usize), _: Outline, _: usize) {}
    fn end(&mut self, _: usize) {}
}

#[derive(Default)]
struct Marks {
    all: Vec<Mark>,
    /// Which of them are not ended.
    open: Vec<usize>,
}

impl Marker for Marks {
    fn begin(&mut self, key: (usize, usize), outline: Outline, value: usize) {
        self.open.push(self.all.len());
        self.all.push(Mark {
            key: (key.0 as u32, key.1 as u32),
            outline,
            value: (value as u32, value as u32),
            within: 0,
        });
    }

    fn end(&mut self, at: usize) {
        let Some(begun) = self.open.pop() else { return };
        let within = self.all.len() - begun - 1;
        if let Some(mark) = self.all.get_mut(begun) {
            mark.value.1 = at as u32;
            mark.within = within as u32;
        }
    }
}

impl<'a> Document<'a> {
    /// Validates a whole document.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        let mut marks = Marks::default();
        // A value of 4 GiB is walked without marks.
        if u32::try_from(text.len()).is_err() {
            scan::validate(text, &mut ())?;
        } else {
            // Most documents are small, and long ones have long texts.
            marks.all.reserve((text.len() / 16).min(256));
            marks.open.reserve(16);
            scan::validate(text, &mut marks)?;
        }
        Ok(Self {
            text,
            marks: marks.all,
        })
    }

    /// The text as it was given.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The document's value. It lives as long as the marks.
    pub fn root(&self) -> Raw<'_> {
        Raw::marked(self.text, &self.marks)
    }
}
