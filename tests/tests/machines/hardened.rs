//! Strict sysctls: constants in programs are blinded, kernel addresses are hidden, and perf events and BPF are for
//! privileged processes only.

use crate::node::{assert_measures, only_in};
use std::{fs, path::Path};

#[test]
fn every_probe_works_under_strict_sysctls() {
    only_in!("hardened");
    let settings = [
        ("net/core/bpf_jit_harden", "2"),
        ("kernel/kptr_restrict", "2"),
        ("kernel/perf_event_paranoid", "3"),
        ("kernel/unprivileged_bpf_disabled", "1"),
    ];
    for (name, value) in settings {
        let text = fs::read_to_string(Path::new("/proc/sys").join(name)).unwrap();
        assert_eq!(text.trim(), value, "{name}");
    }
    assert_measures();
}
