//! Kernel lockdown `integrity`: nobody may change the running kernel, also not root. Programs may still read it.

use crate::node::{assert_measures, only_in};
use std::fs;

#[test]
fn every_probe_works_under_integrity() {
    only_in!("lockdown");
    let level = fs::read_to_string("/sys/kernel/security/lockdown").unwrap();
    assert!(level.contains("[integrity]"), "{level}");
    assert_measures();
}
