//! Bodies as JSON: what they are if they are JSON, and a description or a text if they are not.

use super::headers::Content;
use super::inflate::Inflate;
use super::multipart;
use crate::json::{Node, Raw};

/// A request's body as one JSON value, and whether some of it could not be read. `room` bounds what it
/// may decode to.
pub(super) fn request(content: &Content, body: &[u8], room: usize) -> (String, bool) {
    let mut decoder = Inflate::new(content.encoding);
    let mut decoded = Vec::new();
    if content.encoding.is_some() {
        decoder.push(body, room, &mut |piece| decoded.extend_from_slice(piece));
        let left = room.saturating_sub(decoded.len());
        decoder.end(left, &mut |piece| decoded.extend_from_slice(piece));
    }
    let is_broken = decoder.is_broken();
    let plain = if content.encoding.is_some() {
        &decoded
    } else {
        body
    };
    if plain.is_empty() && !body.is_empty() {
        return (described(content, body.len()), is_broken);
    }
    let form = content
        .boundary
        .as_deref()
        .and_then(|boundary| multipart::describe(plain, boundary));
    let json = form.unwrap_or_else(|| json(content, plain, is_broken));
    (json, is_broken)
}

/// A body as one JSON value: JSON as it is, other text as a string, anything else described. `is_cut`
/// says that the bytes may end within a character.
pub(super) fn json(content: &Content, bytes: &[u8], is_cut: bool) -> String {
    if bytes.is_empty() {
        return "null".to_owned();
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if is_cut && error.error_len().is_none() => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(valid).unwrap_or_default()
        }
        Err(_) => return described(content, bytes.len()),
    };
    match Raw::parse(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        Ok(raw) => raw.text().to_owned(),
        Err(_) => Node::text(text).json(),
    }
}

/// A body that is no text, by its type and size.
pub(super) fn described(content: &Content, bytes: usize) -> String {
    let mut described = Node::default();
    described.set("media_type", Node::text(&content.media_type));
    described.set("bytes", Node::Whole(bytes.to_string()));
    described.json()
}

/// Whether a media type is surely no text.
pub(super) fn is_binary(media_type: &str) -> bool {
    const KINDS: [&str; 4] = ["audio/", "image/", "video/", "font/"];
    KINDS.iter().any(|kind| media_type.starts_with(kind))
        || matches!(media_type, "application/pdf" | "application/zip")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_become_json() {
        let content = Content::default();
        for (body, expected) in [
            (&b""[..], "null"),
            (b" {\"a\": 1}\n", "{\"a\": 1}"),
            (b"\xef\xbb\xbf[1]", "[1]"),
            (b"oh \"no\"", "\"oh \\\"no\\\"\""),
            (b"\xff\xfe", "{\"media_type\":\"\",\"bytes\":2}"),
        ] {
            assert_eq!(json(&content, body, false), expected);
        }
        assert_eq!(
            json(&content, "é".as_bytes().get(..1).unwrap(), true),
            "\"\""
        );
    }

    #[test]
    fn an_encoded_request_is_decoded_and_one_that_cannot_be_is_described() {
        let zstd = include_bytes!("../../tests/encodings/text.zst");
        let encoded = |value: &[u8]| Content::of(&[("content-encoding", value)]);
        let (json, broken) = request(&encoded(b"zstd"), zstd, 1000);
        assert!(json.starts_with("\"data: {") && !broken, "{json}");
        let described = "{\"media_type\":\"\",\"bytes\":3}".to_owned();
        assert_eq!(request(&encoded(b"lzma"), b"abc", 1000), (described, true));
    }
}
