//! Multipart form data, described: RFC 7578.
//!
//! Text fields are kept with their values, files with their names, types and sizes. A field that occurs
//! several times is a list.

use std::collections::BTreeMap;

use crate::json::{Node, Raw};

/// The form as a JSON object; None if the body is no form of this boundary.
pub(super) fn describe(body: &[u8], boundary: &str) -> Option<String> {
    let delimiter = format!("--{boundary}");
    let finder = memchr::memmem::Finder::new(delimiter.as_bytes());
    let mut starts = finder.find_iter(body);
    let mut start = starts.next()? + delimiter.len();
    let mut form: Vec<(String, Vec<Node>)> = Vec::new();
    let mut places = BTreeMap::new();
    loop {
        let next = starts.next();
        let part = body.get(start..next.unwrap_or(body.len()))?;
        if part.starts_with(b"--") {
            break;
        }
        if let Some((name, value)) = field(part) {
            let place = *places.entry(name.clone()).or_insert(form.len());
            match form.get_mut(place) {
                Some((_, values)) => values.push(value),
                None => form.push((name, vec![value])),
            }
        }
        let Some(next) = next else { break };
        start = next + delimiter.len();
    }
    let members = form.into_iter().map(|(name, mut values)| {
        let value = match values.len() {
            1 => values.remove(0),
            _ => Node::List(values),
        };
        (name, value)
    });
    Some(Node::Object(members.collect()).json())
}

/// A part's name and what is said of it.
fn field(part: &[u8]) -> Option<(String, Node)> {
    let part = part
        .strip_prefix(b"\r\n")
        .or(part.strip_prefix(b"\n"))
        .unwrap_or(part);
    let (head, content) = split_head(part)?;
    let content = content
        .strip_suffix(b"\r\n")
        .or(content.strip_suffix(b"\n"))
        .unwrap_or(content);
    let head = String::from_utf8_lossy(head);
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field
                .trim()
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    let disposition = header("content-disposition")?;
    let name = parameter(&disposition, "name")?;
    let media_type = header("content-type");
    let is_text = media_type
        .as_deref()
        .is_none_or(|kind| kind.starts_with("text/plain"));
    let file = parameter(&disposition, "filename");
    if let (None, true, Ok(text)) = (&file, is_text, std::str::from_utf8(content)) {
        return Some((name, Node::text(text)));
    }
    let mut node = Node::default();
    if let Some(file) = file {
        node.set("filename", Node::text(&file));
    }
    if let Some(media_type) = media_type {
        node.set("media_type", Node::text(&media_type));
    }
    let bytes = content.len().to_string();
    node.set(
        "bytes",
        Raw::parse(&bytes).map_or_else(|_| Node::text(&bytes), Node::from),
    );
    Some((name, node))
}

fn split_head(part: &[u8]) -> Option<(&[u8], &[u8])> {
    for end in ["\r\n\r\n", "\n\n"] {
        if let Some(at) = memchr::memmem::find(part, end.as_bytes()) {
            return Some((part.get(..at)?, part.get(at + end.len()..)?));
        }
    }
    None
}

/// A parameter of a header field's value: `form-data; name="file"; filename="a.mp3"`.
fn parameter(value: &str, wanted: &str) -> Option<String> {
    let mut rest = value.split_once(';')?.1;
    loop {
        let (name, tail) = rest.split_once('=')?;
        let tail = tail.trim_start();
        let (text, tail) = match tail.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => tail.split_once(';').map_or((tail, ""), |(text, _)| {
                (text, tail.get(text.len()..).unwrap_or_default())
            }),
        };
        if name
            .trim()
            .trim_start_matches(';')
            .trim()
            .eq_ignore_ascii_case(wanted)
        {
            return Some(text.trim().to_owned());
        }
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_files_are_described() {
        let body = b"preamble\r\n--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n\
            --B\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a; b.mp3\"\r\n\
            Content-Type: audio/mpeg\r\n\r\n\xff\xfb\r\n\x00\r\n\
            --B\r\nContent-Disposition: form-data; name=tag\r\n\r\na\r\n\
            --B\r\nContent-Disposition: form-data; name=\"tag\"\r\n\r\nb\r\n--B--\r\nafter";
        assert_eq!(
            describe(body, "B").unwrap(),
            "{\"model\":\"whisper-1\",\"file\":{\"filename\":\"a; b.mp3\",\
             \"media_type\":\"audio/mpeg\",\"bytes\":5},\"tag\":[\"a\",\"b\"]}"
        );
    }

    #[test]
    fn many_fields_are_all_kept() {
        let part =
            |name| format!("--B\r\nContent-Disposition: form-data; name=f{name}\r\n\r\nx\r\n");
        let body: String = (0..50_000).map(part).collect();
        let form = describe(body.as_bytes(), "B").unwrap();
        assert_eq!(Raw::parse(&form).unwrap().entries().count(), 50_000);
    }

    #[test]
    fn what_is_no_form_is_none() {
        assert_eq!(describe(b"no form", "B"), None);
        assert_eq!(describe(b"--B", "B").as_deref(), Some("{}"));
        assert_eq!(describe(b"--B\r\nx", "B").as_deref(), Some("{}"));
    }
}
