//! See `logger_fuzz::configure`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| logger_fuzz::configure::run(data));
