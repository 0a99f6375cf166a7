//! Bodies with a `content-encoding`, decoded for logging alone: what passes is not touched.
//!
//! A small body may decode to a huge one, so nothing is decoded beyond the room that is left.

use std::fmt;
use std::io::{self, Read, Write};

use brotli_decompressor::{BrotliDecoderParameter, DecompressorWriter};
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use ruzstd::decoding::StreamingDecoder;

/// The largest window of a zstd body: RFC 9659 allows no larger one for HTTP.
const ZSTD_WINDOW: u64 = 8 * 1024 * 1024;

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
            if zstd(&held, room, sink).is_none() {
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

/// Decodes a whole zstd body, as far as there is room; None if that was not all.
fn zstd(body: &[u8], room: usize, sink: Sink<'_>) -> Option<()> {
    let mut decoder = StreamingDecoder::new_with_max_window_size(body, ZSTD_WINDOW).ok()?;
    let mut step = vec![0; STEP];
    let mut left = room;
    loop {
        let read = decoder.read(&mut step).ok()?;
        if read == 0 {
            return Some(());
        }
        let decoded = step.get(..read.min(left)).unwrap_or_default();
        sink(decoded);
        left -= decoded.len();
        if decoded.len() < read {
            return None;
        }
    }
}

/// What a decoder writes to: as much as there is room for.
#[derive(Default)]
pub(super) struct Room {
    out: Vec<u8>,
    left: usize,
}

impl Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let kept = bytes.get(..self.left).unwrap_or(bytes);
        self.out.extend_from_slice(kept);
        self.left -= kept.len();
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
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &str = "data: {\"a\": \"some text, some more text, and some more\"}\n\n";

    /// `TEXT`, as Python's `brotli` and `zstandard` encode it.
    const BROTLI: &[u8] = include_bytes!("../../tests/encodings/text.br");
    const ZSTD: &[u8] = include_bytes!("../../tests/encodings/text.zst");

    fn encoded(encoding: Encoding) -> Vec<u8> {
        let level = Compression::default();
        match encoding {
            Encoding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), level);
                encoder.write_all(TEXT.as_bytes()).unwrap();
                encoder.finish().unwrap()
            }
            Encoding::Deflate => {
                let mut encoder = ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(TEXT.as_bytes()).unwrap();
                encoder.finish().unwrap()
            }
            Encoding::Brotli => BROTLI.to_vec(),
            Encoding::Zstd => ZSTD.to_vec(),
            Encoding::Unknown => b"?".to_vec(),
        }
    }

    fn decode(encoding: Encoding, bytes: &[u8], step: usize, room: usize) -> (String, bool) {
        let mut decoder = Inflate::new(Some(encoding));
        let mut out = Vec::new();
        for piece in bytes.chunks(step) {
            let left = room - out.len();
            decoder.push(piece, left, &mut |decoded| out.extend_from_slice(decoded));
        }
        let left = room - out.len();
        decoder.end(left, &mut |decoded| out.extend_from_slice(decoded));
        (String::from_utf8(out).unwrap(), decoder.is_broken())
    }

    #[test]
    fn every_encoding_is_read_in_any_split() {
        for encoding in [
            Encoding::Gzip,
            Encoding::Deflate,
            Encoding::Brotli,
            Encoding::Zstd,
        ] {
            let bytes = encoded(encoding);
            for step in [1, 7, bytes.len()] {
                let decoded = decode(encoding, &bytes, step, 1000);
                assert_eq!(decoded, (TEXT.to_owned(), false), "{encoding:?} by {step}");
            }
        }
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(TEXT.as_bytes()).unwrap();
        let decoded = decode(Encoding::Deflate, &raw.finish().unwrap(), 3, 1000);
        assert_eq!(decoded, (TEXT.to_owned(), false));
    }

    #[test]
    fn what_is_not_encoded_after_all_is_taken_as_it_is() {
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let decoded = decode(encoding, TEXT.as_bytes(), 5, 1000);
            assert_eq!(decoded, (TEXT.to_owned(), false));
        }
    }

    #[test]
    fn nothing_is_decoded_beyond_the_room() {
        let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
        for _ in 0..1000 {
            bomb.write_all(&[b' '; 10_000]).unwrap();
        }
        let bomb = bomb.finish().unwrap();
        assert!(bomb.len() < 20_000);
        let (decoded, broken) = decode(Encoding::Gzip, &bomb, 1000, 65_536);
        assert!(broken && decoded.len() == 65_536, "{}", decoded.len());
        for encoding in [Encoding::Brotli, Encoding::Zstd] {
            let (decoded, broken) = decode(encoding, &encoded(encoding), 1000, 50);
            assert!(broken, "{encoding:?}");
            assert!(
                decoded.is_empty() || decoded == TEXT[..50],
                "{encoding:?}: {decoded}"
            );
        }
    }

    #[test]
    fn broken_bodies_end_it() {
        for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd] {
            let mut bytes = encoded(encoding);
            let half = bytes.len() / 2;
            bytes[4..half].fill(0xff);
            assert!(decode(encoding, &bytes, 8, 1000).1, "{encoding:?}");
        }
        assert!(decode(Encoding::Brotli, &[0xff; 9], 8, 1000).1);
        assert!(decode(Encoding::Unknown, b"?", 8, 1000).1);
    }

    #[test]
    fn headers_are_read() {
        assert_eq!(Encoding::parse(" GZIP "), Some(Encoding::Gzip));
        assert_eq!(Encoding::parse("identity"), None);
        assert_eq!(Encoding::parse("gzip, br"), Some(Encoding::Unknown));
    }
}
