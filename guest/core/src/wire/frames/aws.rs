//! AWS's event stream, `application/vnd.amazon.eventstream`: length-prefixed binary messages with
//! header fields and checksums.
//!
//! A message is: total length, header length, CRC-32 of these two; header fields; payload; CRC-32 of
//! all before it. Integers are big-endian.

use std::borrow::Cow;

use flate2::Crc;

use super::{Frame, Sink};
use crate::json;

const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;

/// The longest message that is believed: AWS allows payloads of 16 MiB and header fields of 128 KiB.
const LONGEST: usize = 24 * 1024 * 1024;

/// The framer.
#[derive(Debug, Default)]
pub struct Aws {
    /// A message that has not ended.
    message: Vec<u8>,
    broken: bool,
}

impl Aws {
    pub fn push(&mut self, bytes: &[u8], sink: Sink<'_>) {
        if self.broken {
            return;
        }
        self.message.extend_from_slice(bytes);
        let mut read = 0;
        loop {
            let rest = self.message.get(read..).unwrap_or_default();
            match length(rest) {
                Ok(Some(length)) if rest.len() >= length => {
                    let message = rest.get(..length).unwrap_or_default();
                    if hand_out(message, sink).is_none() {
                        self.broken = true;
                        break;
                    }
                    read += length;
                }
                Ok(_) => break,
                Err(Broken) => {
                    self.broken = true;
                    break;
                }
            }
        }
        self.message.drain(..read);
        if self.broken {
            self.message = Vec::new();
        }
    }

    pub fn held(&self) -> usize {
        self.message.len()
    }

    /// Whether a checksum or a length did not fit: from there on nothing is read.
    pub fn is_broken(&self) -> bool {
        self.broken
    }
}

struct Broken;

/// The length of the message that begins here, as soon as its prelude is there.
fn length(bytes: &[u8]) -> Result<Option<usize>, Broken> {
    let Some((prelude, _)) = bytes.split_at_checked(PRELUDE) else {
        return Ok(None);
    };
    let (Some(total), Some(headers), Some(sum)) =
        (int(prelude, 0), int(prelude, 4), int(prelude, 8))
    else {
        return Err(Broken);
    };
    let fits = sum == checksum(prelude.get(..8).unwrap_or_default())
        && (PRELUDE + CHECKSUM..=LONGEST).contains(&(total as usize))
        && headers as usize <= total as usize - PRELUDE - CHECKSUM;
    if fits {
        Ok(Some(total as usize))
    } else {
        Err(Broken)
    }
}

/// Hands out a whole message; None if its checksum does not fit.
fn hand_out(message: &[u8], sink: Sink<'_>) -> Option<()> {
    let end = message.len().checked_sub(CHECKSUM)?;
    if int(message, end)? != checksum(message.get(..end)?) {
        return None;
    }
    let payload = PRELUDE + int(message, 4)? as usize;
    let mut headers = Headers(message.get(PRELUDE..payload)?);
    let payload = message.get(payload..end)?;
    let (mut kind, mut event, mut detail) = ("event", "", "");
    for (name, value) in &mut headers {
        match name {
            ":message-type" => kind = value,
            ":event-type" | ":exception-type" | ":error-code" => event = value,
            ":error-message" => detail = value,
            _ => {}
        }
    }
    let mut frame = Frame::message(event, payload);
    frame.is_error = kind != "event";
    if payload.is_empty() && !detail.is_empty() {
        let mut message = b"{\"message\":".to_vec();
        json::write_str(detail, &mut message);
        message.push(b'}');
        frame.data = Cow::Owned(String::from_utf8_lossy(&message).into_owned());
    }
    sink(frame);
    Some(())
}

/// Header fields that are text, by name.
struct Headers<'h>(&'h [u8]);

impl<'h> Iterator for Headers<'h> {
    type Item = (&'h str, &'h str);

    fn next(&mut self) -> Option<Self::Item> {
        const TEXT: u8 = 7;
        loop {
            let name = self.take(1)?.first().copied()?;
            let name = std::str::from_utf8(self.take(usize::from(name))?).ok()?;
            let kind = self.take(1)?.first().copied()?;
            let length = match kind {
                0 | 1 => 0,
                2 => 1,
                3 => 2,
                4 => 4,
                5 | 8 => 8,
                9 => 16,
                6 | TEXT => match self.take(2)? {
                    [high, low] => usize::from(u16::from_be_bytes([*high, *low])),
                    _ => return None,
                },
                _ => return None,
            };
            let value = self.take(length)?;
            if kind == TEXT {
                return Some((name, std::str::from_utf8(value).ok()?));
            }
        }
    }
}

impl<'h> Headers<'h> {
    fn take(&mut self, length: usize) -> Option<&'h [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

fn int(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::super::Framer;
    use super::super::tests::frames;
    use super::*;

    /// A message with text header fields.
    fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
        let mut fields = Vec::new();
        for (name, value) in headers {
            fields.push(name.len() as u8);
            fields.extend_from_slice(name.as_bytes());
            fields.push(7);
            fields.extend_from_slice(&(value.len() as u16).to_be_bytes());
            fields.extend_from_slice(value.as_bytes());
        }
        let total = (PRELUDE + fields.len() + payload.len() + CHECKSUM) as u32;
        let mut bytes = total.to_be_bytes().to_vec();
        bytes.extend_from_slice(&(fields.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&checksum(&bytes).to_be_bytes());
        bytes.extend_from_slice(&fields);
        bytes.extend_from_slice(payload);
        bytes.extend_from_slice(&checksum(&bytes).to_be_bytes());
        bytes
    }

    #[test]
    fn the_checksum_is_the_one_of_the_format() {
        // From the format's published test vectors: an empty message.
        let empty = [
            0, 0, 0, 16, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff,
        ];
        assert_eq!(message(&[], b""), empty);
    }

    #[test]
    fn messages_are_frames_and_exceptions_are_errors() {
        let mut bytes = message(
            &[(":message-type", "event"), (":event-type", "messageStart")],
            b"{\"role\":\"assistant\"}",
        );
        bytes.extend(message(
            &[
                (":message-type", "exception"),
                (":exception-type", "throttlingException"),
            ],
            b"{\"message\":\"slow down\"}",
        ));
        bytes.extend(message(
            &[
                (":message-type", "error"),
                (":error-code", "InternalFailure"),
                (":error-message", "oh \"no\""),
            ],
            b"",
        ));
        let own =
            |event: &str, data: &str, error| (event.to_owned(), data.to_owned(), error, false);
        assert_eq!(
            frames(Framer::Aws(Aws::default()), &[&bytes]),
            [
                own("messageStart", "{\"role\":\"assistant\"}", false),
                own("throttlingException", "{\"message\":\"slow down\"}", true),
                own("InternalFailure", "{\"message\":\"oh \\\"no\\\"\"}", true),
            ]
        );
    }

    #[test]
    fn what_its_checksum_belies_ends_the_stream() {
        let whole = message(&[(":event-type", "a")], b"{}");
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            let mut framer = Aws::default();
            framer.push(&bytes, &mut |frame| panic!("byte {at}: {frame:?}"));
            // A changed length is told by the prelude's checksum as well.
            assert!(framer.is_broken(), "byte {at}");
            framer.push(&whole, &mut |frame| panic!("byte {at}: {frame:?}"));
        }
    }
}
