//! The protobuf wire format, as far as OTLP needs it: encoding only.
//!
//! Source: protobuf's "Encoding" guide, <https://protobuf.dev/programming-guides/encoding/>.

/// The wire types in use.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH_DELIMITED: u32 = 2;
const FIXED32: u32 = 5;

/// Appends `value` as a base-128 varint.
pub fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes [`varint`] appends for `value`.
pub fn varint_len(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// How many bytes a length-delimited field below number 16 takes for `len` bytes of content.
pub fn delimited_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

/// Appends the header of a length-delimited field: `len` bytes of content have to follow.
pub fn header(out: &mut Vec<u8>, field: u32, len: usize) {
    tag(out, field, LENGTH_DELIMITED);
    varint(out, len as u64);
}

/// Appends a string, bytes or encoded message field.
pub fn bytes(out: &mut Vec<u8>, field: u32, content: &[u8]) {
    header(out, field, content.len());
    out.extend_from_slice(content);
}

/// Appends an integer, bool or enum field.
pub fn integer(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, VARINT);
    varint(out, value);
}

/// Appends a `fixed64` or `double` field.
pub fn fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a `fixed32` field.
pub fn fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    tag(out, field, FIXED32);
    out.extend_from_slice(&value.to_le_bytes());
}

fn tag(out: &mut Vec<u8>, field: u32, wire_type: u32) {
    varint(out, u64::from(field << 3 | wire_type));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_as_long_as_said() {
        for value in [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            u64::from(u32::MAX),
            u64::MAX,
        ] {
            let mut out = Vec::new();
            varint(&mut out, value);
            assert_eq!(out.len(), varint_len(value), "{value}");
        }
    }

    #[test]
    fn the_guides_examples() {
        let mut out = Vec::new();
        integer(&mut out, 1, 150);
        bytes(&mut out, 2, b"testing");
        assert_eq!(out, b"\x08\x96\x01\x12\x07testing");
    }
}
