//! See `logger_fuzz::json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| logger_fuzz::json::run(data));
