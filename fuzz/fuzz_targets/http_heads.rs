//! See `netwhy_agent::fuzz::http_heads`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| netwhy_agent::fuzz::http_heads(data));
