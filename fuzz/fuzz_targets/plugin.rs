//! See `logger_fuzz::plugin`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| logger_fuzz::plugin::run(data));
