//! See `logger_fuzz::feedback`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| logger_fuzz::feedback::run(data));
