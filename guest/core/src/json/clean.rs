//! Copying a value so that MLflow can store it *and read it back*.
//!
//! MLflow accepts more than it can read again: integers beyond 64 bits and deep nesting are stored
//! with status 200 and then fail every read (measured against MLflow 3.17.2). Such values are kept as
//! JSON strings.

use std::borrow::Cow;
use std::ops::BitOrAssign;

use super::raw::Raw;
use super::scan::{byte, scalar_end, string_end, value_end, white_space};
use super::strings::{without_lone_surrogates, write_str};

/// What an attribute's nesting may cost. MLflow reads attributes through protobuf's `Struct`, whose
/// parser allows a hundred nested messages: an object takes three of them, an array two. Measured
/// against MLflow 3.17.2 and its own client: 31 objects, 47 arrays or 19 pairs of both are read, one
/// more is not, and takes the search of its whole experiment with it.
const BUDGET: usize = 95;
const OBJECT_COST: usize = 3;
const ARRAY_COST: usize = 2;

/// Replaces values on their way: redaction, truncation, what is not to be captured.
pub trait Filter {
    /// A string value; `escaped` is what stands between its quotes. None keeps it; else the new text,
    /// unescaped.
    fn string<'s>(&mut self, escaped: &'s str) -> Option<Cow<'s, str>>;

    /// A member of an object by its key, escaped too, and whether its value is a string. None goes on
    /// into its value; else the text that takes the value's place, whatever it is.
    fn member(&mut self, escaped: &str, is_string: bool) -> Option<&'static str>;
}

/// Keeps every value.
pub struct KeepAll;

impl Filter for KeepAll {
    fn string<'s>(&mut self, _: &'s str) -> Option<Cow<'s, str>> {
        None
    }

    fn member(&mut self, _: &str, _: bool) -> Option<&'static str> {
        None
    }
}

/// What had to be changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Numbers that 64 bits do not hold became strings.
    pub numbers: bool,
    /// Surrogates that stood alone became U+FFFD.
    pub surrogates: bool,
    /// What was nested too deep became a string.
    pub depth: bool,
}

impl BitOrAssign for Cleaned {
    fn bitor_assign(&mut self, other: Self) {
        self.numbers |= other.numbers;
        self.surrogates |= other.surrogates;
        self.depth |= other.depth;
    }
}

/// Appends `raw` to `out` as JSON that MLflow can read back, `objects_around` being the number of
/// objects that the caller wraps around it.
pub fn write_clean(
    raw: Raw<'_>,
    out: &mut Vec<u8>,
    objects_around: usize,
    filter: &mut impl Filter,
) -> Cleaned {
    let mut copy = Copy {
        text: raw.text(),
        copied: 0,
        out,
        cleaned: Cleaned::default(),
    };
    copy.run(objects_around * OBJECT_COST, filter);
    copy.cleaned
}

/// A copy under way: what lies between `copied` and the current position is copied in one go.
struct Copy<'a, 'o> {
    text: &'a str,
    copied: usize,
    out: &'o mut Vec<u8>,
    cleaned: Cleaned,
}

impl Copy<'_, '_> {
    fn run(&mut self, mut used: usize, filter: &mut impl Filter) {
        let text = self.text.as_bytes();
        let mut at = 0;
        while at < text.len() {
            match byte(text, at) {
                open @ (b'{' | b'[') => {
                    let cost = if open == b'{' {
                        OBJECT_COST
                    } else {
                        ARRAY_COST
                    };
                    if used + cost > BUDGET {
                        let end = value_end(text, at);
                        self.replace_by_string(at, end);
                        self.cleaned.depth = true;
                        at = end;
                    } else {
                        used += cost;
                        at += 1;
                    }
                }
                b'}' => {
                    used = used.saturating_sub(OBJECT_COST);
                    at += 1;
                }
                b']' => {
                    used = used.saturating_sub(ARRAY_COST);
                    at += 1;
                }
                b'"' => at = self.string(at, filter),
                b'-' | b'0'..=b'9' | b'N' | b'I' => at = self.number(at),
                _ => at += 1,
            }
        }
        self.copy_to(text.len());
    }

    fn string(&mut self, quote: usize, filter: &mut impl Filter) -> usize {
        let text = self.text.as_bytes();
        let end = string_end(text, quote);
        let Some(escaped) = self.text.get(quote + 1..end - 1) else {
            return end;
        };
        let colon = white_space(text, end);
        if byte(text, colon) == b':' {
            let value = white_space(text, colon + 1);
            if let Some(new) = filter.member(escaped, byte(text, value) == b'"') {
                let end = value_end(text, value);
                self.replace(value, end, new);
                return end;
            }
        } else if let Some(new) = filter.string(escaped) {
            self.replace(quote, end, &new);
            return end;
        }
        if let Some(repaired) = without_lone_surrogates(escaped) {
            self.copy_to(quote + 1);
            self.out.extend_from_slice(repaired.as_bytes());
            self.copied = end - 1;
            self.cleaned.surrogates = true;
        }
        end
    }

    fn number(&mut self, at: usize) -> usize {
        let end = scalar_end(self.text.as_bytes(), at);
        if self
            .text
            .get(at..end)
            .is_some_and(|number| !is_readable(number))
        {
            self.replace_by_string(at, end);
            self.cleaned.numbers = true;
        }
        end
    }

    fn replace_by_string(&mut self, at: usize, end: usize) {
        self.replace(at, end, self.text.get(at..end).unwrap_or_default());
    }

    fn replace(&mut self, at: usize, end: usize, new: &str) {
        self.copy_to(at);
        write_str(new, self.out);
        self.copied = end;
    }

    fn copy_to(&mut self, at: usize) {
        let run = self.text.as_bytes().get(self.copied..at);
        self.out.extend_from_slice(run.unwrap_or_default());
        self.copied = at;
    }
}

/// Whether MLflow can read the number back: an integer of 64 bits or a finite float.
fn is_readable(number: &str) -> bool {
    // The longest decimal that always fits has 18 digits.
    let short = number.len() <= 18 && number.bytes().all(|byte| byte.is_ascii_digit());
    short
        || if number.contains(['.', 'e', 'E']) {
            number.parse::<f64>().is_ok_and(f64::is_finite)
        } else {
            number.parse::<i64>().is_ok()
        }
}
