//! See `netwhy_agent::fuzz::cgroup_files`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| netwhy_agent::fuzz::cgroup_files(data));
