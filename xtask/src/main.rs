//! `cargo xtask`. (Being written.)
fn main() {}
