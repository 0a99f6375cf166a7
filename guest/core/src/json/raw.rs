//! One JSON value as text.

use std::borrow::Cow;

use super::marks::Mark;
use super::names::{Names, Outline};
use super::scan::{self, ParseError, byte, white_space};
use super::strings::unescape;

/// What JSON allows around a value.
const WHITE_SPACE: [char; 4] = [' ', '\n', '\r', '\t'];

/// One JSON value, as it stands in a validated document, without white space around it.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    text: &'a str,
    /// The marks of what is in it; none where they were not noted, or nothing is.
    marks: &'a [Mark],
    /// Where it begins in the document, which is what marks count from.
    at: u32,
}

impl PartialEq for Raw<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Raw<'_> {}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number, or Python's NaN and infinities.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// The kind in words, with its article.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

impl<'a> Raw<'a> {
    /// `null`
    pub const NULL: Raw<'static> = Raw::within("null");

    /// Validates a whole document.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        scan::validate(text, &mut ())?;
        Ok(Self::within(text.trim_matches(WHITE_SPACE)))
    }

    /// A value of a validated document.
    pub(super) const fn within(text: &'a str) -> Self {
        Self {
            text,
            marks: &[],
            at: 0,
        }
    }

    /// A validated document and its marks.
    pub(super) fn marked(text: &'a str, marks: &'a [Mark]) -> Self {
        let from = text.trim_start_matches(WHITE_SPACE);
        Self {
            text: from.trim_end_matches(WHITE_SPACE),
            marks,
            at: (text.len() - from.len()) as u32,
        }
    }

    /// The value as it stands in its document.
    pub fn text(self) -> &'a str {
        self.text
    }

    /// What the value is.
    pub fn kind(self) -> Kind {
        match byte(self.text.as_bytes(), 0) {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'"' => Kind::String,
            b't' | b'f' => Kind::Bool,
            b'n' => Kind::Null,
            _ => Kind::Number,
        }
    }

    /// Whether the value is `null`.
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The truth value, of a boolean.
    pub fn as_bool(self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.text == "true")
    }

    /// The integer, of a number written as one that fits, or as a float without a fraction (`5.0`).
    pub fn as_i64(self) -> Option<i64> {
        if self.kind() != Kind::Number {
            return None;
        }
        if let Ok(integer) = self.text.parse() {
            return Some(integer);
        }
        // Beyond 2^53 a float no longer tells which integer was meant.
        let float = self.as_f64()?;
        let exact = float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0;
        exact.then_some(float as i64)
    }

    /// The number, if it is finite.
    pub fn as_f64(self) -> Option<f64> {
        if self.kind() != Kind::Number {
            return None;
        }
        self.text
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
    }

    /// The text, of a string. Surrogates that stand alone become U+FFFD.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        let inner = self.text.strip_prefix('"')?.strip_suffix('"')?;
        Some(unescape(inner))
    }

    /// Whether Python would take the value for true.
    pub fn is_truthy(self) -> bool {
        match self.kind() {
            Kind::Null => false,
            Kind::Bool => self.text == "true",
            Kind::Number => self.as_f64() != Some(0.0),
            Kind::String => self.text != "\"\"",
            Kind::Array => self.items().next().is_some(),
            Kind::Object => self.raw_entries().next().is_some(),
        }
    }

    /// What lies at a mark and has these marks within it.
    fn part_at(self, (start, end): (u32, u32), marks: &'a [Mark]) -> Option<Self> {
        Some(Self {
            text: self.slice((start, end))?,
            marks,
            at: start,
        })
    }

    fn slice(self, (start, end): (u32, u32)) -> Option<&'a str> {
        let start = start.checked_sub(self.at)? as usize;
        self.text.get(start..end.checked_sub(self.at)? as usize)
    }

    /// The marks of members or elements, each with those within it.
    fn steps(self) -> impl Iterator<Item = (&'a Mark, &'a [Mark])> {
        let mut rest = self.marks;
        std::iter::from_fn(move || {
            let (mark, after) = rest.split_first()?;
            let (within, next) = after.split_at_checked(mark.within as usize)?;
            rest = next;
            Some((mark, within))
        })
    }

    /// The elements, of an array; else nothing.
    pub fn items(self) -> impl Iterator<Item = Raw<'a>> {
        let array = self.kind() == Kind::Array;
        let (mut marked, mut unmarked) = (self.steps(), self.unmarked_items());
        std::iter::from_fn(move || {
            if self.marks.is_empty() || !array {
                return unmarked.next();
            }
            let (mark, within) = marked.next()?;
            self.part_at(mark.value, within)
        })
    }

    fn unmarked_items(self) -> impl Iterator<Item = Raw<'a>> {
        let mut at = white_space(self.text.as_bytes(), 1);
        let array = self.kind() == Kind::Array;
        std::iter::from_fn(move || {
            let text = self.text.as_bytes();
            if !array || matches!(byte(text, at), b']' | 0) {
                return None;
            }
            let end = scan::value_end(text, at);
            let item = self.text.get(at..end)?;
            at = after_comma(text, end);
            Some(Raw::within(item))
        })
    }

    /// The members, of an object; else nothing.
    pub fn entries(self) -> impl Iterator<Item = (Cow<'a, str>, Raw<'a>)> {
        self.raw_entries()
            .map(|(key, value)| (unescape(key), value))
    }

    /// The member of this name, the last one if there are several.
    pub fn get(self, key: &str) -> Option<Raw<'a>> {
        let [value] = self.fields([key]);
        value
    }

    /// The members of these names in one pass, of each the last one if there are several.
    #[inline(always)]
    pub fn fields<const N: usize>(self, keys: [&str; N]) -> [Option<Raw<'a>>; N] {
        let mut values = [None; N];
        self.find(Names::new(&keys), &mut values);
        values
    }

    fn find(self, names: Names<'_>, values: &mut [Option<Raw<'a>>]) {
        if self.marks.is_empty() || self.kind() != Kind::Object {
            for (key, value) in self.unmarked_entries() {
                let outline = Outline::of_key(key);
                if names.may_have(outline)
                    && let Some(at) = names.position(outline, key)
                    && let Some(slot) = values.get_mut(at)
                {
                    *slot = Some(value);
                }
            }
            return;
        }
        for (mark, within) in self.steps() {
            if names.may_have(mark.outline)
                && let Some(key) = self.slice(mark.key)
                && let Some(at) = names.position(mark.outline, key)
                && let Some(slot) = values.get_mut(at)
            {
                *slot = self.part_at(mark.value, within);
            }
        }
    }

    /// Members with their keys as they stand between the quotes.
    fn raw_entries(self) -> impl Iterator<Item = (&'a str, Raw<'a>)> {
        let object = self.kind() == Kind::Object;
        let (mut marked, mut unmarked) = (self.steps(), self.unmarked_entries());
        std::iter::from_fn(move || {
            if self.marks.is_empty() || !object {
                return unmarked.next();
            }
            let (mark, within) = marked.next()?;
            Some((self.slice(mark.key)?, self.part_at(mark.value, within)?))
        })
    }

    fn unmarked_entries(self) -> impl Iterator<Item = (&'a str, Raw<'a>)> {
        let mut at = white_space(self.text.as_bytes(), 1);
        let object = self.kind() == Kind::Object;
        std::iter::from_fn(move || {
            let text = self.text.as_bytes();
            if !object || matches!(byte(text, at), b'}' | 0) {
                return None;
            }
            let key_end = scan::string_end(text, at);
            let key = self.text.get(at + 1..key_end - 1)?;
            let start = white_space(text, white_space(text, key_end) + 1);
            let end = scan::value_end(text, start);
            let value = self.text.get(start..end)?;
            at = after_comma(text, end);
            Some((key, Raw::within(value)))
        })
    }
}

fn after_comma(text: &[u8], end: usize) -> usize {
    let at = white_space(text, end);
    if byte(text, at) == b',' {
        white_space(text, at + 1)
    } else {
        at
    }
}
