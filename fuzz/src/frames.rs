//! The framers of streams: server-sent events, NDJSON, AWS event streams, JSON arrays.
//!
//! The first byte picks the framing; the format is one that shows frames as they come. So the splits are
//! what this looks at: three of them have to give the same span.

use crate::wire;

/// Where each framing is met: path and media type, by their positions in [`wire`].
const FRAMINGS: [[u8; 2]; 6] = [[21, 1], [21, 2], [16, 3], [13, 0], [17, 3], [21, 4]];

/// Runs an input.
pub fn run(data: &[u8]) {
    let Some((framing, stream)) = data.split_first() else {
        return;
    };
    let [path, media_type] = FRAMINGS[usize::from(*framing) % FRAMINGS.len()];
    for split in [1, 3, 64] {
        let mut input = vec![path, media_type, 0, 0, 0, split, 0xff];
        input.extend_from_slice(b"{\"stream\":true}\xff");
        input.extend_from_slice(stream);
        wire::run(&input);
    }
}
