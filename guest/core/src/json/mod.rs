//! JSON as it comes, looked at without being copied. (Being written.)
