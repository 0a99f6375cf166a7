//! See `logger_fuzz::redact`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| logger_fuzz::redact::run(data));
