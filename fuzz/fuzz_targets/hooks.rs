//! See `logger_fuzz::hooks`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| logger_fuzz::hooks::run(data));
