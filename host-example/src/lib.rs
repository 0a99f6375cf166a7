//! The host. (Being written.)
