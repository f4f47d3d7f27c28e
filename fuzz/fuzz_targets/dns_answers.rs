//! See `netwhy_agent::fuzz::dns_answers`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| netwhy_agent::fuzz::dns_answers(data));
