//! Whether a byte is in a text. Most texts are a few words long, and have none of those that are looked for; so a few bytes are
//! looked at without a loop: the sandbox looks at its clock at each turn of one, which takes longer than the byte.

/// From here on it pays to look with vectors.
const LONG: usize = 16;

/// Whether there is such a byte.
#[inline(always)]
pub fn has(bytes: &[u8], byte: u8) -> bool {
    if bytes.len() > LONG {
        return memchr::memchr(byte, bytes).is_some();
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let [first, last] = [first, last].map(|word| u64::from_le_bytes(*word));
        return word_has(first, byte) || word_has(last, byte);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let [first, last] = [first, last].map(|half| u64::from(u32::from_le_bytes(*half)));
        return word_has(first | last << 32, byte);
    }
    let at = |index: usize| bytes.get(index) == Some(&byte);
    at(0) || at(1) || at(2)
}

fn word_has(word: u64, byte: u8) -> bool {
    equal(word, byte) != 0
}

const ONES: u64 = u64::MAX / 255;

/// The bytes of a word that are this one have their highest bit set; see [`below`].
pub fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ (ONES * u64::from(byte)), 1)
}

/// The bytes of a word that are less than this have their highest bit set, with "Determine if a word has a byte less than n" of
/// Sean Eron Anderson's "Bit Twiddling Hacks": the lowest bit that is set is right, whatever is set above it.
pub fn below(word: u64, bound: u64) -> u64 {
    word.wrapping_sub(ONES * bound) & !word & (ONES << 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_found_wherever_it_is_and_nowhere_else() {
        for len in 0..40 {
            // Neighbours of what is looked for, and what a sum would carry into.
            for other in [b'[', b']', 0, 0xff, b'\\' | 0x80] {
                let mut bytes = vec![other; len];
                assert!(!has(&bytes, b'\\'), "{bytes:?}");
                for at in 0..len {
                    bytes[at] = b'\\';
                    assert!(has(&bytes, b'\\'), "{bytes:?}");
                    bytes[at] = other;
                }
            }
        }
    }
}
