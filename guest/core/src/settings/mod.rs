//! The settings. (Being written.)
