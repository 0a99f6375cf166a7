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
