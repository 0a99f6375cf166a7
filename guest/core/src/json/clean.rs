//! Copying a value so that MLflow can store it *and read it back*.
//!
//! MLflow accepts more than it can read again: integers beyond 64 bits and deep nesting are stored
//! with status 200 and then fail every read (measured against MLflow 3.17.2). Such values are kept as
//! JSON strings.

use std::borrow::Cow;
use std::ops::BitOrAssign;

use super::place::{Frame, Place};
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

/// Replaces values on their way: redaction, truncation, what is not to be captured. None keeps what is there.
pub trait Filter {
    /// A string value; `escaped` is what stands between its quotes. Else the new text, unescaped.
    fn string<'s>(&mut self, escaped: &'s str, place: &Place<'s, '_>) -> Option<Cow<'s, str>>;

    /// A member of an object by its name, escaped too, before its value is looked at. Else the text that takes the
    /// value's place, whatever it is.
    fn member(&mut self, escaped: &str, value: &Place<'_, '_>) -> Option<&'static str>;

    /// The name of a member, escaped. Else the new name, unescaped.
    fn name<'s>(&mut self, escaped: &'s str) -> Option<Cow<'s, str>>;

    /// A number. Else the text that takes its place.
    fn number(&mut self, number: &str) -> Option<&'static str>;

    /// Any value, by its place alone. Else the text that takes its place.
    fn value(&mut self, place: &Place<'_, '_>) -> Option<&'static str>;
}

/// Keeps every value.
pub struct KeepAll;

impl Filter for KeepAll {
    fn string<'s>(&mut self, _: &'s str, _: &Place<'s, '_>) -> Option<Cow<'s, str>> {
        None
    }

    fn member(&mut self, _: &str, _: &Place<'_, '_>) -> Option<&'static str> {
        None
    }

    fn name<'s>(&mut self, _: &'s str) -> Option<Cow<'s, str>> {
        None
    }

    fn number(&mut self, _: &str) -> Option<&'static str> {
        None
    }

    fn value(&mut self, _: &Place<'_, '_>) -> Option<&'static str> {
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
        frames: Vec::new(),
        deep: None,
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
    /// The objects and arrays around the current position.
    frames: Vec<Frame>,
    /// What is nested too deep and becomes a string, while it is copied.
    deep: Option<Deep>,
    out: &'o mut Vec<u8>,
    cleaned: Cleaned,
}

/// A value that becomes a string once the filter has been over it.
struct Deep {
    /// Where it ends in the text.
    end: usize,
    /// Where it begins in what is written.
    written: usize,
}

impl<'a> Copy<'a, '_> {
    fn run(&mut self, mut used: usize, filter: &mut impl Filter) {
        let text = self.text.as_bytes();
        let mut at = 0;
        while at < text.len() {
            if self.deep.as_ref().is_some_and(|deep| at >= deep.end) {
                self.end_deep();
            }
            match byte(text, at) {
                open @ (b'{' | b'[') => {
                    if let Some(end) = self.replaced_by_place(at, filter) {
                        at = end;
                        continue;
                    }
                    let cost = cost(open);
                    if self.deep.is_none() && used + cost > BUDGET {
                        self.begin_deep(at);
                    }
                    used += cost;
                    self.frames.push(Frame::new(at, open == b'{'));
                    at += 1;
                }
                close @ (b'}' | b']') => {
                    used = used.saturating_sub(cost(close));
                    self.frames.pop();
                    at += 1;
                }
                b',' => {
                    if let Some(frame) = self.frames.last_mut() {
                        frame.index += 1;
                    }
                    at += 1;
                }
                b'"' => at = self.string(at, filter),
                b'-' | b'0'..=b'9' | b'N' | b'I' => at = self.number(at, filter),
                b't' | b'f' | b'n' => {
                    let end = self.replaced_by_place(at, filter);
                    at = end.unwrap_or_else(|| scalar_end(text, at));
                }
                _ => at += 1,
            }
        }
        self.end_deep();
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
            return self.member(quote, end, colon, filter);
        }
        if let Some(end) = self.replaced_by_place(quote, filter) {
            return end;
        }
        let place = Place::new(self.text, quote, &self.frames);
        if let Some(new) = filter.string(escaped, &place) {
            self.replace(quote, end, &new);
        } else {
            self.repair(quote, end, escaped);
        }
        end
    }

    /// The name of a member; where the filter replaces its value, that as well.
    fn member(
        &mut self,
        quote: usize,
        end: usize,
        colon: usize,
        filter: &mut impl Filter,
    ) -> usize {
        let text = self.text.as_bytes();
        let escaped = self.text.get(quote + 1..end - 1).unwrap_or_default();
        if let Some(frame) = self.frames.last_mut() {
            frame.key = (quote + 1, end - 1);
        }
        let value = white_space(text, colon + 1);
        let place = Place::new(self.text, value, &self.frames);
        let new = filter.member(escaped, &place);
        if let Some(name) = filter.name(escaped) {
            self.replace(quote, end, &name);
        } else {
            self.repair(quote, end, escaped);
        }
        let Some(new) = new else {
            return end;
        };
        let end = value_end(text, value);
        self.replace(value, end, new);
        end
    }

    /// Writes a string anew where a surrogate stands alone in it.
    fn repair(&mut self, quote: usize, end: usize, escaped: &str) {
        if self.deep.is_some() {
            return;
        }
        if let Some(repaired) = without_lone_surrogates(escaped) {
            self.copy_to(quote + 1);
            self.out.extend_from_slice(repaired.as_bytes());
            self.copied = end - 1;
            self.cleaned.surrogates = true;
        }
    }

    fn number(&mut self, at: usize, filter: &mut impl Filter) -> usize {
        if let Some(end) = self.replaced_by_place(at, filter) {
            return end;
        }
        let (end, is_plain) = number_end(self.text.as_bytes(), at);
        let number = self.text.get(at..end).unwrap_or_default();
        // The longest integer that always fits has 18 digits, and no decimal of that length is infinite.
        let is_short = is_plain && number.len() <= 18;
        if let Some(new) = filter.number(number) {
            self.replace(at, end, new);
        } else if self.deep.is_none() && !is_short && !is_readable(number) {
            self.replace(at, end, number);
            self.cleaned.numbers = true;
        }
        end
    }

    /// Replaces the value at `at` if the filter does so for its place, and tells where it ends.
    fn replaced_by_place(&mut self, at: usize, filter: &mut impl Filter) -> Option<usize> {
        let new = filter.value(&Place::new(self.text, at, &self.frames))?;
        let end = value_end(self.text.as_bytes(), at);
        self.replace(at, end, new);
        Some(end)
    }

    fn begin_deep(&mut self, at: usize) {
        self.copy_to(at);
        self.cleaned.depth = true;
        self.deep = Some(Deep {
            end: value_end(self.text.as_bytes(), at),
            written: self.out.len(),
        });
    }

    fn end_deep(&mut self) {
        let Some(deep) = self.deep.take() else {
            return;
        };
        self.copy_to(deep.end);
        let value = self.out.split_off(deep.written);
        // Whole characters of a text were copied, and escaped ones written.
        write_str(&String::from_utf8(value).unwrap_or_default(), self.out);
    }

    fn replace(&mut self, at: usize, end: usize, new: &str) {
        self.copy_to(at);
        write_str(new, self.out);
        self.copied = end;
    }

    fn copy_to(&mut self, at: usize) {
        let run = self.text.as_bytes().get(self.copied..at);
        self.out.extend_from_slice(run.unwrap_or_default());
        self.copied = self.copied.max(at);
    }
}

fn cost(bracket: u8) -> usize {
    match bracket {
        b'{' | b'}' => OBJECT_COST,
        _ => ARRAY_COST,
    }
}

/// In validated text: the position after the number that begins at `at`, and whether it is written without letters.
fn number_end(text: &[u8], mut at: usize) -> (usize, bool) {
    loop {
        match byte(text, at) {
            b'0'..=b'9' | b'.' | b'-' | b'+' => at += 1,
            b'a'..=b'z' | b'A'..=b'Z' => return (scalar_end(text, at), false),
            _ => return (at, true),
        }
    }
}

/// Whether MLflow can read the number back: an integer of 64 bits or a finite float.
fn is_readable(number: &str) -> bool {
    if number.contains(['.', 'e', 'E']) {
        number.parse::<f64>().is_ok_and(f64::is_finite)
    } else {
        number.parse::<i64>().is_ok()
    }
}
