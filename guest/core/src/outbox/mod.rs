//! The queue and its deliveries. (Being written.)
