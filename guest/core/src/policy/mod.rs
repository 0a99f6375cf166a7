//! What may leave. (Being written.)
