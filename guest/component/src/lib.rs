//! The component. (Being written.)
