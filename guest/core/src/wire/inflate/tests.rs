use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::*;

const TEXT: &str = "data: {\"a\": \"some text, some more text, and some more\"}\n\n";

/// `TEXT`, as Python's `brotli` and `zstandard` encode it.
const BROTLI: &[u8] = include_bytes!("../../../tests/encodings/text.br");
const ZSTD: &[u8] = include_bytes!("../../../tests/encodings/text.zst");

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
    // Of a broken body anything may come before it is found to be.
    (
        String::from_utf8_lossy(&out).into_owned(),
        decoder.is_broken(),
    )
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

/// A zstd frame whose blocks are these parts, uncompressed: as a server that flushes ends them.
fn blocks(parts: &[&str], descriptor: u8) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, descriptor, 0x58];
    for (position, part) in parts.iter().enumerate() {
        let is_last = u32::from(position + 1 == parts.len());
        let header = (part.len() as u32) << 3 | is_last;
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.extend_from_slice(part.as_bytes());
    }
    // What a checksum would be, of a descriptor that announces one.
    frame.extend_from_slice(&[0; 4][..usize::from(descriptor)]);
    frame
}

#[test]
fn a_zstd_body_that_breaks_off_keeps_its_whole_blocks() {
    const CHECKED: u8 = 4;
    let parts = ["one ", "two ", "three"];
    for descriptor in [0, CHECKED] {
        let whole = blocks(&parts, descriptor);
        let text = decode(Encoding::Zstd, &whole, 5, 1000);
        assert_eq!(text, ("one two three".to_owned(), false));
        for end in 4..whole.len() {
            let (text, broken) = decode(Encoding::Zstd, &whole[..end], 5, 1000);
            assert!(broken, "{end}");
            let came = [6 + 3 + 4, 6 + 2 * (3 + 4)].map(|block_end| end >= block_end);
            let expected = match came {
                [false, _] => "",
                [true, false] => "one ",
                [true, true] => "one two ",
            };
            assert_eq!(text, expected, "{end}");
        }
    }
}

#[test]
fn zstd_frames_follow_each_other() {
    let skipped = [0x53, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9];
    let frames = [&blocks(&["one "], 0), &skipped[..], &blocks(&["two"], 0)].concat();
    let text = |bytes: &[u8]| decode(Encoding::Zstd, bytes, 7, 1000);
    assert_eq!(text(&frames), ("one two".to_owned(), false));
    assert_eq!(text(&frames[..frames.len() - 1]), ("one ".to_owned(), true));
    assert_eq!(text(&frames[..20]), ("one ".to_owned(), true));
}
