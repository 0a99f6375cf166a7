//! How one entry lies in a segment: a head of fixed length, then the body.
//!
//! The head has a checksum of its own, so that a segment's entries are found without reading their
//! bodies; the body's is checked when the body is read. Numbers are little-endian.

use super::Ticket;

/// The length of a head.
pub(super) const HEAD: usize = 32;
/// What a head begins with: no text holds it by chance, since 0xF5 never occurs in UTF-8.
pub(super) const MAGIC: [u8; 4] = [0xF5, b'l', b'l', b'm'];

/// What is known of an entry without its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The body's length.
    pub len: u32,
    /// The entry whose place it takes.
    pub replaces: Option<Ticket>,
    /// When it was written, in milliseconds since 1970.
    pub at: u64,
    /// CRC-32 of the body.
    pub crc: u32,
}

impl Head {
    /// The head as it is written.
    pub fn to_bytes(self) -> [u8; HEAD] {
        let replaces = self.replaces.unwrap_or(Ticket {
            segment: 0,
            offset: 0,
        });
        let mut bytes = [0; HEAD];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&self.len.to_le_bytes());
        bytes[8..12].copy_from_slice(&replaces.segment.to_le_bytes());
        bytes[12..16].copy_from_slice(&replaces.offset.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.at.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.crc.to_le_bytes());
        let check = crc32fast::hash(&bytes[..28]);
        bytes[28..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// None: that is no head.
    pub fn parse(bytes: &[u8; HEAD]) -> Option<Self> {
        if bytes[..4] != MAGIC || number(bytes, 28) != crc32fast::hash(&bytes[..28]) {
            return None;
        }
        let at = u64::from(number(bytes, 16)) | u64::from(number(bytes, 20)) << 32;
        let replaces = Ticket {
            segment: number(bytes, 8),
            offset: number(bytes, 12),
        };
        Some(Self {
            len: number(bytes, 4),
            replaces: (replaces.segment > 0).then_some(replaces),
            at,
            crc: number(bytes, 24),
        })
    }
}

/// The number at this place of a head.
fn number(bytes: &[u8; HEAD], at: usize) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(four)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_reads_as_written_and_no_flipped_bit_passes() {
        let head = Head {
            len: 7,
            replaces: Some(Ticket {
                segment: 3,
                offset: 99,
            }),
            at: 1 << 40,
            crc: 0xDEAD_BEEF,
        };
        let bytes = head.to_bytes();
        assert_eq!(Head::parse(&bytes), Some(head));
        for bit in 0..HEAD * 8 {
            let mut bytes = bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Head::parse(&bytes), None, "bit {bit}");
        }
    }
}
