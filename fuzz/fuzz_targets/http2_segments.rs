//! See `netwhy_agent::fuzz::http2_segments`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| netwhy_agent::fuzz::http2_segments(data));
