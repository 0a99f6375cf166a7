//! Bodies with a `content-encoding`, decoded for logging alone: what passes is not touched.
//!
//! A small body may decode to a huge one, so nothing is decoded beyond the room that is left.

mod zstd;

use std::fmt;
use std::io::{self, Write};

use brotli_decompressor::{BrotliDecoderParameter, DecompressorWriter};
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// How much is decoded at a time, where we choose it.
const STEP: usize = 16 * 1024;

/// A content encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// `gzip`
    Gzip,
    /// `deflate`
    Deflate,
    /// `br`
    Brotli,
    /// `zstd`
    Zstd,
    /// One that is not known, or several.
    Unknown,
}

impl Encoding {
    /// The encoding that a header's value names; None if there is none.
    pub fn parse(value: &str) -> Option<Self> {
        match value.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => None,
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            _ => Some(Self::Unknown),
        }
    }
}

/// What takes decoded bytes.
pub(super) type Sink<'s> = &'s mut dyn FnMut(&[u8]);

/// A decoder under way.
#[derive(Default)]
pub(super) enum Inflate {
    /// No encoding.
    #[default]
    Plain,
    /// The encoding that a header names; the first byte has the last word.
    Announced(Encoding),
    /// A decoder that takes what comes.
    Running(Box<dyn Decoder>),
    /// `zstd`, decoded at the end: its decoder holds a window back until then.
    Zstd(Vec<u8>),
    /// Nothing can be read any more.
    Broken,
}

impl fmt::Debug for Inflate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Plain => "Plain",
            Self::Announced(_) => "Announced",
            Self::Running(_) => "Running",
            Self::Zstd(_) => "Zstd",
            Self::Broken => "Broken",
        })
    }
}

impl Inflate {
    /// A decoder of what a `content-encoding` header says.
    pub fn new(encoding: Option<Encoding>) -> Self {
        encoding.map_or(Self::Plain, Self::Announced)
    }

    /// Whether decoded bytes come only at the end.
    pub fn comes_at_the_end(&self) -> bool {
        matches!(self, Self::Zstd(_))
    }

    /// Whether nothing can be read any more: an unknown encoding, a broken body, no room.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Broken)
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        match self {
            Self::Zstd(bytes) => bytes.len(),
            Self::Running(decoder) => decoder.held(),
            _ => 0,
        }
    }

    /// Decodes what has come, as far as there is room for it.
    pub fn push(&mut self, bytes: &[u8], room: usize, sink: Sink<'_>) {
        if let (Self::Announced(encoding), Some(first)) = (&*self, bytes.first()) {
            *self = begin(*encoding, *first);
        }
        match self {
            Self::Plain if bytes.len() <= room => sink(bytes),
            Self::Zstd(held) if bytes.len() <= room => held.extend_from_slice(bytes),
            Self::Running(decoder) => {
                decoder.room().left = room;
                let decoded = decoder.write_all(bytes).and_then(|()| decoder.flush());
                let out = std::mem::take(&mut decoder.room().out);
                if !out.is_empty() {
                    sink(&out);
                }
                if decoded.is_err() {
                    *self = Self::Broken;
                }
            }
            _ if bytes.is_empty() => {}
            _ => *self = Self::Broken,
        }
    }

    /// No more bytes will come.
    pub fn end(&mut self, room: usize, sink: Sink<'_>) {
        if let Self::Zstd(held) = self {
            let held = std::mem::take(held);
            if zstd::decode(&held, room, sink).is_none() {
                *self = Self::Broken;
            }
        }
    }
}

/// The decoder of a body of this first byte. Hosts that decode bodies sometimes leave the header be.
fn begin(encoding: Encoding, first: u8) -> Inflate {
    let room = Room::default();
    match encoding {
        Encoding::Gzip if first == 0x1f => Inflate::Running(Box::new(MultiGzDecoder::new(room))),
        Encoding::Zstd if first == 0x28 => Inflate::Zstd(Vec::new()),
        Encoding::Gzip | Encoding::Zstd => Inflate::Plain,
        // The standard means zlib's format, some servers do without its head.
        Encoding::Deflate if first & 0x0f == 8 => {
            Inflate::Running(Box::new(ZlibDecoder::new(room)))
        }
        Encoding::Deflate => Inflate::Running(Box::new(DeflateDecoder::new(room))),
        Encoding::Brotli => {
            let mut decoder = DecompressorWriter::new(room, STEP);
            // Windows beyond 16 MiB are no part of HTTP's `br`.
            let large_window = BrotliDecoderParameter::BROTLI_DECODER_PARAM_LARGE_WINDOW;
            decoder.set_parameter(large_window, 0);
            Inflate::Running(Box::new(decoder))
        }
        Encoding::Unknown => Inflate::Broken,
    }
}

/// What a decoder writes to: as much as there is room for.
#[derive(Default)]
pub(super) struct Room {
    out: Vec<u8>,
    left: usize,
    /// How much was written in all.
    total: usize,
}

impl Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let kept = bytes.get(..self.left).unwrap_or(bytes);
        self.out.extend_from_slice(kept);
        self.left -= kept.len();
        self.total += kept.len();
        if kept.len() < bytes.len() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A decoder that writes what it decodes.
pub(super) trait Decoder: Write {
    /// What it writes to.
    fn room(&mut self) -> &mut Room;

    /// About how many bytes it takes itself: a window and tables.
    fn held(&self) -> usize {
        64 * 1024
    }
}

impl Decoder for MultiGzDecoder<Room> {
    fn room(&mut self) -> &mut Room {
        self.get_mut()
    }
}

impl Decoder for ZlibDecoder<Room> {
    fn room(&mut self) -> &mut Room {
        self.get_mut()
    }
}

impl Decoder for DeflateDecoder<Room> {
    fn room(&mut self) -> &mut Room {
        self.get_mut()
    }
}

impl Decoder for DecompressorWriter<Room> {
    fn room(&mut self) -> &mut Room {
        self.get_mut()
    }

    fn held(&self) -> usize {
        // Its window grows with what it decodes, by doubling, up to 16 MiB.
        STEP + 2 * self.get_ref().total.clamp(1024, 8 * 1024 * 1024)
    }
}

#[cfg(test)]
mod tests;
