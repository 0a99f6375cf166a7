//! Where a value stands within its document.

use std::borrow::Cow;

use super::raw::Raw;
use super::scan::{byte, value_end};
use super::strings::unescape;

/// An object or array that is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Where it begins.
    start: usize,
    is_object: bool,
    /// Of an object: where the name of the current member stands, between its quotes.
    pub key: (usize, usize),
    /// How many members or elements went before.
    pub index: usize,
}

impl Frame {
    pub fn new(start: usize, is_object: bool) -> Self {
        Self {
            start,
            is_object,
            key: (0, 0),
            index: 0,
        }
    }
}

/// A value's place: what is around it.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a, 'f> {
    text: &'a str,
    at: usize,
    frames: &'f [Frame],
}

/// A step from a value into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// To the member of this name.
    Member(Cow<'a, str>),
    /// To the element at this position.
    Element(usize),
}

impl<'a, 'f> Place<'a, 'f> {
    pub(super) fn new(text: &'a str, at: usize, frames: &'f [Frame]) -> Self {
        Self { text, at, frames }
    }

    /// The first byte of the value: it tells its kind.
    pub fn first_byte(&self) -> u8 {
        byte(self.text.as_bytes(), self.at)
    }

    /// The value.
    pub fn value(&self) -> Raw<'a> {
        Raw::part(self.text, self.at)
    }

    /// The name of the member it is, as it stands between the quotes; of an element, that of its array.
    pub fn name(&self) -> Option<&'a str> {
        let object = self.frames.iter().rev().find(|frame| frame.is_object);
        object.and_then(|frame| self.key(frame))
    }

    /// Whether it is an element of an array.
    pub fn is_element(&self) -> bool {
        self.frames.last().is_some_and(|frame| !frame.is_object)
    }

    /// The object around it, if one is.
    pub fn object(&self) -> Option<Raw<'a>> {
        self.objects().next()
    }

    /// The objects that it is in, the innermost first.
    pub fn objects(&self) -> impl Iterator<Item = Raw<'a>> + '_ {
        let objects = self.frames.iter().rev().filter(|frame| frame.is_object);
        objects.map(|frame| Raw::part(self.text, frame.start))
    }

    /// Whether the object around it is the member of this name.
    pub fn is_within(&self, name: &str) -> bool {
        let [.., outer, _] = self.frames else {
            return false;
        };
        outer.is_object && self.key(outer) == Some(name)
    }

    /// The way to it from the document's root.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = Step<'a>> + '_ {
        self.frames.iter().map(|frame| match self.key(frame) {
            Some(key) if frame.is_object => Step::Member(unescape(key)),
            _ => Step::Element(frame.index),
        })
    }

    /// How far it is nested.
    pub fn depth(&self) -> usize {
        self.frames.len()
    }

    fn key(&self, frame: &Frame) -> Option<&'a str> {
        self.text.get(frame.key.0..frame.key.1)
    }
}

impl<'a> Raw<'a> {
    /// The value that begins at `at` in validated text.
    pub(super) fn part(text: &'a str, at: usize) -> Self {
        let end = value_end(text.as_bytes(), at);
        Self::within(text.get(at..end).unwrap_or("null"))
    }
}
