//! What the tests share. (Being written.)
