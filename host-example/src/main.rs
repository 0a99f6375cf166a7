//! The gateway. (Being written.)
fn main() {}
