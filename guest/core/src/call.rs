//! One normalised LLM call. (Being written.)
