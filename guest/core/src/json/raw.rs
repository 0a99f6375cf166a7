//! One JSON value as text.

use std::borrow::Cow;

use super::scan::{self, ParseError, byte, white_space};
use super::strings::unescape;

/// One JSON value, as it stands in a validated document, without white space around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

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
    pub const NULL: Raw<'static> = Raw("null");

    /// Validates a whole document.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        scan::validate(text)?;
        Ok(Self(text.trim_matches([' ', '\n', '\r', '\t'])))
    }

    /// A value of a validated document.
    pub(super) fn within(text: &'a str) -> Self {
        Self(text)
    }

    /// The value as it stands in its document.
    pub fn text(self) -> &'a str {
        self.0
    }

    /// What the value is.
    pub fn kind(self) -> Kind {
        match byte(self.0.as_bytes(), 0) {
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
        (self.kind() == Kind::Bool).then(|| self.0 == "true")
    }

    /// The integer, of a number written as one that fits, or as a float without a fraction (`5.0`).
    pub fn as_i64(self) -> Option<i64> {
        if self.kind() != Kind::Number {
            return None;
        }
        if let Ok(integer) = self.0.parse() {
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
        self.0
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
    }

    /// The text, of a string. Surrogates that stand alone become U+FFFD.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        Some(unescape(inner))
    }

    /// Whether Python would take the value for true.
    pub fn is_truthy(self) -> bool {
        match self.kind() {
            Kind::Null => false,
            Kind::Bool => self.0 == "true",
            Kind::Number => self.as_f64() != Some(0.0),
            Kind::String => self.0 != "\"\"",
            Kind::Array => self.items().next().is_some(),
            Kind::Object => self.raw_entries().next().is_some(),
        }
    }

    /// The elements, of an array; else nothing.
    pub fn items(self) -> impl Iterator<Item = Raw<'a>> {
        let mut at = white_space(self.0.as_bytes(), 1);
        let array = self.kind() == Kind::Array;
        std::iter::from_fn(move || {
            let text = self.0.as_bytes();
            if !array || matches!(byte(text, at), b']' | 0) {
                return None;
            }
            let end = scan::value_end(text, at);
            let item = self.0.get(at..end)?;
            at = after_comma(text, end);
            Some(Raw(item))
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
    pub fn fields<const N: usize>(self, keys: [&str; N]) -> [Option<Raw<'a>>; N] {
        let mut values = [None; N];
        for (key, value) in self.raw_entries() {
            let key = if key.contains('\\') {
                unescape(key)
            } else {
                Cow::Borrowed(key)
            };
            let position = keys.iter().position(|wanted| is_same(wanted, &key));
            if let Some(slot) = position.and_then(|position| values.get_mut(position)) {
                *slot = Some(value);
            }
        }
        values
    }

    /// Members with their keys as they stand between the quotes.
    fn raw_entries(self) -> impl Iterator<Item = (&'a str, Raw<'a>)> {
        let mut at = white_space(self.0.as_bytes(), 1);
        let object = self.kind() == Kind::Object;
        std::iter::from_fn(move || {
            let text = self.0.as_bytes();
            if !object || matches!(byte(text, at), b'}' | 0) {
                return None;
            }
            let key_end = scan::string_end(text, at);
            let key = self.0.get(at + 1..key_end - 1)?;
            let start = white_space(text, white_space(text, key_end) + 1);
            let end = scan::value_end(text, start);
            let value = self.0.get(start..end)?;
            at = after_comma(text, end);
            Some((key, Raw(value)))
        })
    }
}

/// Whether two names are the same. Most are not, and most of those do not begin alike.
fn is_same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.as_bytes().first() == other.as_bytes().first() && one == other
}

fn after_comma(text: &[u8], end: usize) -> usize {
    let at = white_space(text, end);
    if byte(text, at) == b',' {
        white_space(text, at + 1)
    } else {
        at
    }
}
