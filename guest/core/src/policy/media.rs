//! Images, sound and files in Base64: described by type, size and digest, and not carried.
//!
//! Where they are: `data:` URLs (RFC 2397) anywhere, and the members that APIs have for them: OpenAI's `input_audio`,
//! `file_data`, `b64_json` and `audio`, Anthropic's and Gemini's `data` beside a media type, Bedrock's `bytes`, Ollama's
//! `images`, Vertex's `bytesBase64Encoded`. What begins as a well-known file does is told wherever it is.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac_sha256::Hash;

use crate::bytes;
use crate::id;
use crate::json::{Place, Raw, unescape};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Between the media type of a `data:` URL and what it holds.
const MARK: &str = ";base64,";

/// The longest media type.
const TYPE: usize = 128;

/// Members that hold nothing else.
const MEMBERS: [&str; 9] = [
    "audioContent",
    "b64_json",
    "bytes",
    "bytesBase64Encoded",
    "file_data",
    "image_base64",
    "image_bytes",
    "images",
    "partial_image_b64",
];

/// Members that hold media where what is beside them says so.
const PERHAPS: [&str; 4] = ["audio", "data", "delta", "result"];

/// The shortest text that is told by its beginning alone.
const TELLING: usize = 128;

/// How Base64 of well-known files begins.
const BEGINNINGS: [(&str, &str); 14] = [
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGODdh", "image/gif"),
    ("R0lGODlh", "image/gif"),
    ("UklGR", "audio/wav"),
    ("JVBERi0", "application/pdf"),
    ("T2dnUw", "audio/ogg"),
    ("SUQzB", "audio/mpeg"),
    ("SUQzA", "audio/mpeg"),
    ("ZkxhQ", "audio/flac"),
    ("GkXfo", "video/webm"),
    ("UEsDB", "application/zip"),
    ("AAAAIGZ0eX", "video/mp4"),
    ("AAAAHGZ0eX", "video/mp4"),
];

/// The description of a string value that is a medium.
pub(super) fn at(escaped: &str, place: &Place<'_, '_>) -> Option<String> {
    if escaped.len() < 4 || escaped.starts_with("data:") || !begins_as_base64(escaped) {
        return None;
    }
    let name = place.name()?;
    let beginning = BEGINNINGS
        .iter()
        .find(|(beginning, _)| escaped.starts_with(beginning));
    let mut kind = None;
    let is_medium = if MEMBERS.contains(&name) {
        kind = beside(place).map(|kind| kind.into_owned());
        true
    } else if PERHAPS.contains(&name) && !place.is_element() {
        kind = beside(place).map(|kind| kind.into_owned());
        kind.is_some()
    } else {
        escaped.len() >= TELLING && beginning.is_some()
    };
    if !is_medium {
        return None;
    }
    let kind = kind
        .as_deref()
        .filter(|kind| !matches!(*kind, "application"));
    let kind = kind
        .or(beginning.map(|(_, kind)| *kind))
        .unwrap_or("application/octet-stream");
    let kind = if kind == "audio/wav" && riff(escaped) {
        "image/webp"
    } else {
        kind
    };
    describe(kind, unescape(escaped).as_bytes())
}

/// Whether the first bytes are Base64.
fn begins_as_base64(escaped: &str) -> bool {
    let first = escaped.bytes().take(16);
    let mut others =
        first.filter(|byte| !byte.is_ascii_alphanumeric() && !b"+/=-_\\".contains(byte));
    others.next().is_none()
}

/// WebP's container is that of WAV.
fn riff(escaped: &str) -> bool {
    escaped
        .get(10..16)
        .is_some_and(|format| format == "XRUJQV" || format == "V0VCUF")
        || BASE64
            .decode(escaped.get(..16).unwrap_or_default())
            .is_ok_and(|head| head.get(8..12) == Some(b"WEBP"))
}

/// The media type that the members beside a value tell, if they do.
fn beside(place: &Place<'_, '_>) -> Option<Cow<'static, str>> {
    let names = [
        "media_type",
        "mime_type",
        "mimeType",
        "format",
        "type",
        "transcript",
    ];
    let [media_type, mime_type, camel, format, kind, transcript] = place.object()?.fields(names);
    if let Some(told) = text(media_type.or(mime_type).or(camel)) {
        return Some(Cow::Owned(told.into_owned()));
    }
    if let Some(format) = text(format) {
        let family = match &*format {
            "wav" | "mp3" | "flac" | "opus" | "ogg" | "aac" | "pcm16" | "pcm" | "m4a" => "audio",
            "png" | "jpeg" | "jpg" | "gif" | "webp" => "image",
            "mp4" | "mov" | "webm" | "mkv" => "video",
            _ => return None,
        };
        return Some(Cow::Owned(format!("{family}/{format}")));
    }
    match text(kind).as_deref() {
        // Streams of speech and images, and the tool that makes images.
        Some(kind) if kind.ends_with("audio.delta") => Some("audio".into()),
        Some(kind) if kind.contains("image_generation") => Some("image".into()),
        Some("base64") => Some("application".into()),
        _ => (transcript.is_some() || place.is_within("audio")).then(|| "audio".into()),
    }
}

/// Whether a text may hold a `data:` URL: quick.
pub(super) fn may_embed(text: &str) -> bool {
    text.len() > MARK.len() + 4
        && bytes::has(text.as_bytes(), b';')
        && memchr::memmem::find(text.as_bytes(), MARK.as_bytes()).is_some()
}

/// The text with `data:` URLs described; None if it has none.
pub(super) fn in_text(text: &str) -> Option<String> {
    if !may_embed(text) {
        return None;
    }
    let mut out = String::new();
    let mut copied = 0;
    for mark in memchr::memmem::find_iter(text.as_bytes(), MARK.as_bytes()) {
        let Some((start, kind)) = beginning(text, copied, mark) else {
            continue;
        };
        let data = mark + MARK.len();
        let rest = text.as_bytes().get(data..).unwrap_or_default();
        let is_data = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=-_%".contains(byte);
        let end = data + rest.iter().take_while(|byte| is_data(byte)).count();
        let described = text
            .get(data..end)
            .and_then(|data| describe(kind, data.as_bytes()));
        if let Some(described) = described {
            out.push_str(text.get(copied..start).unwrap_or_default());
            out.push_str(&described);
            copied = end;
        }
    }
    (copied > 0).then(|| out + text.get(copied..).unwrap_or_default())
}

/// Where the URL begins whose mark is at `mark`, and its media type.
fn beginning(text: &str, from: usize, mark: usize) -> Option<(usize, &str)> {
    let mut near = mark.saturating_sub(TYPE).max(from);
    while !text.is_char_boundary(near) {
        near += 1;
    }
    let before = text.get(near..mark)?;
    let scheme = before.to_ascii_lowercase().rfind("data:")?;
    let kind = before.get(scheme + 5..)?;
    let kind = kind.split(';').next().unwrap_or_default();
    let is_type = kind.bytes().all(|byte| byte.is_ascii_graphic());
    let kind = if kind.is_empty() { "text/plain" } else { kind };
    is_type.then_some((near + scheme, kind))
}

/// `[image/png, 5120 bytes, sha256 …]`; None if it is not Base64.
fn describe(kind: &str, base64: &[u8]) -> Option<String> {
    let mut hash = Hash::new();
    let mut size = 0;
    let mut block = [0; 4096];
    let mut filled = 0;
    let mut decoded = [0; 3072];
    let mut flush = |block: &[u8]| -> Option<()> {
        let len = BASE64.decode_slice(block, &mut decoded).ok()?;
        size += len;
        hash.update(decoded.get(..len).unwrap_or_default());
        Some(())
    };
    for byte in base64 {
        let byte = match byte {
            b'-' => b'+',
            b'_' => b'/',
            b'=' | b'%' => break,
            byte if byte.is_ascii_whitespace() => continue,
            byte => *byte,
        };
        if let Some(slot) = block.get_mut(filled) {
            *slot = byte;
            filled += 1;
        }
        if filled == block.len() {
            flush(&block)?;
            filled = 0;
        }
    }
    flush(block.get(..filled).unwrap_or_default())?;
    let digest = id::hex(&hash.finalize());
    (size > 0).then(|| format!("[{kind}, {size} bytes, sha256 {digest}]"))
}

/// The text, of a member that is one.
fn text(value: Option<Raw<'_>>) -> Option<Cow<'_, str>> {
    value.and_then(Raw::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = "[text/x, 5 bytes, sha256 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824]";

    #[test]
    fn urls_in_text_are_described() {
        let told = |text: &str| in_text(text).unwrap_or_else(|| text.to_owned());
        assert_eq!(
            told("é data:text/x;base64,aGVsbG8= é"),
            format!("é {HELLO} é")
        );
        assert_eq!(
            told("![a](data:text/x;charset=utf-8;base64,aGVsbG8)(DATA:text/x;base64,aGVsbG8=)"),
            format!("![a]({HELLO})({HELLO})")
        );
        for kept in [
            "data:text/plain,hello",
            "x;base64,aGVsbG8=",
            "data:text/x;base64,",
            "data:;base64,a",
        ] {
            assert_eq!(told(kept), kept);
        }
    }

    #[test]
    fn digests_are_those_of_the_file() {
        let many = BASE64.encode(vec![7; 10_000]);
        let wrapped = many.as_bytes().chunks(76).collect::<Vec<_>>().join(&b'\n');
        let described = describe("a/b", &wrapped).unwrap();
        assert_eq!(described, describe("a/b", many.as_bytes()).unwrap());
        assert!(described.starts_with("[a/b, 10000 bytes, sha256 "));
        assert_eq!(describe("a/b", b"no base64!"), None);
    }
}
