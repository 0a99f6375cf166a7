//! Zstandard bodies, RFC 8878: decoded at their end, since the decoder holds a window of the content
//! back until a frame is whole.
//!
//! A body that was cut off keeps what its whole blocks hold: the frame is walked block by block, and one
//! that has no end is given one. Servers end a block with each flush, so that is all that a client saw.

use std::io::Read;

use ruzstd::decoding::StreamingDecoder;

use super::{STEP, Sink};

/// The largest window of a zstd body: RFC 9659 allows no larger one for HTTP.
const WINDOW: u64 = 8 * 1024 * 1024;

const MAGIC: u32 = 0xfd2f_b528;
/// The first of sixteen magic numbers of frames that hold no content.
const SKIPPABLE: u32 = 0x184d_2a50;

/// An empty last block, and a checksum that nobody looks at.
const END: &[u8] = &[1, 0, 0, 0, 0, 0, 0];

/// Decodes a body, as far as there is room; None if that was not all of it.
pub(super) fn decode(body: &[u8], room: usize, sink: Sink<'_>) -> Option<()> {
    let mut rest = body;
    let mut left = room;
    while !rest.is_empty() {
        let frame = Frame::first_of(rest)?;
        let content = rest.get(..frame.length)?;
        if frame.has_content {
            let end = if frame.is_whole { &[] } else { END };
            left = content_of(content.chain(end), left, sink)?;
        }
        if !frame.is_whole {
            return None;
        }
        rest = rest.get(frame.length..)?;
    }
    Some(())
}

/// Decodes one frame. How much room is left; None if it was not enough or the frame made no sense.
fn content_of(frame: impl Read, room: usize, sink: Sink<'_>) -> Option<usize> {
    let mut decoder = StreamingDecoder::new_with_max_window_size(frame, WINDOW).ok()?;
    let mut step = vec![0; STEP];
    let mut left = room;
    loop {
        let read = decoder.read(&mut step).ok()?;
        if read == 0 {
            return Some(left);
        }
        let decoded = step.get(..read.min(left)).unwrap_or_default();
        sink(decoded);
        left -= decoded.len();
        if decoded.len() < read {
            return None;
        }
    }
}

/// Where a frame ends.
struct Frame {
    /// Its length up to its end, or else up to the end of its last whole block.
    length: usize,
    is_whole: bool,
    has_content: bool,
}

impl Frame {
    /// The frame that the bytes begin with; None if they begin with none.
    fn first_of(bytes: &[u8]) -> Option<Self> {
        let magic = int(bytes, 0, 4)?;
        if magic & !0xf == SKIPPABLE {
            let length = (int(bytes, 4, 4)? as usize).checked_add(8)?;
            return Some(Self {
                length: length.min(bytes.len()),
                is_whole: length <= bytes.len(),
                has_content: false,
            });
        }
        let descriptor = (magic == MAGIC).then(|| bytes.get(4).copied())??;
        let has_checksum = descriptor & 4 != 0;
        let mut length = 5 + header(descriptor);
        bytes.get(..length)?;
        while let Some(block) = int(bytes, length, 3) {
            // A run of one byte is that byte and a count.
            let size = if block >> 1 & 3 == 1 { 1 } else { block >> 3 };
            let mut end = length.checked_add(3)?.checked_add(size as usize)?;
            let is_last = block & 1 == 1;
            if is_last && has_checksum {
                end = end.checked_add(4)?;
            }
            if end > bytes.len() {
                break;
            }
            length = end;
            if is_last {
                return Some(Self::of_blocks(length, true));
            }
        }
        Some(Self::of_blocks(length, false))
    }

    fn of_blocks(length: usize, is_whole: bool) -> Self {
        Self {
            length,
            is_whole,
            has_content: true,
        }
    }
}

/// The length of a frame's header after its descriptor: section 3.1.1.1.
fn header(descriptor: u8) -> usize {
    let is_single = descriptor >> 5 & 1 == 1;
    let window = usize::from(!is_single);
    let dictionary = match descriptor & 3 {
        0 => 0,
        1 => 1,
        2 => 2,
        _ => 4,
    };
    let content = match descriptor >> 6 {
        0 => usize::from(is_single),
        1 => 2,
        2 => 4,
        _ => 8,
    };
    window + dictionary + content
}

/// A little-endian integer of so many bytes.
fn int(bytes: &[u8], at: usize, length: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    let shifted = |(position, byte): (usize, &u8)| u32::from(*byte) << (8 * position);
    Some(bytes.iter().enumerate().map(shifted).sum())
}
