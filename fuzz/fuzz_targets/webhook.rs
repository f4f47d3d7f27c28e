//! See `netwhy_agent::fuzz::webhook`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| netwhy_agent::fuzz::webhook(data));
