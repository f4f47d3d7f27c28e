//! What the chart grants is what the agent needs: the capabilities BPF and PERFMON, and NET_ADMIN for DNS lookups.

use crate::{
    program::command,
    stage::{Stage, stage},
};
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set, set_no_new_privs};
use std::{ffi::OsStr, process::Output, thread};

/// Runs `preflight` as a container runtime would: user 0 with these capabilities alone, which no file can add to.
fn preflight(stage: &Stage, granted: CapabilitySet) -> Output {
    let args = ["preflight", "-o", "json", "--listen", "127.0.0.1:0"].map(OsStr::new);
    let mut command = command(stage, &args);
    // Both are a thread's, and inherited from the thread that starts a program.
    let limited = move || {
        for bit in 0..=u64::BITS {
            let Some(one) = 1_u64.checked_shl(bit).map(CapabilitySet::from_bits_retain) else { continue };
            if !granted.contains(one) {
                // Fails for numbers that this kernel gives to no capability.
                let _ = remove_capability_from_bounding_set(one);
            }
        }
        set_no_new_privs(true).unwrap();
        command.output().unwrap()
    };
    thread::spawn(limited).join().unwrap()
}

/// Need and verdict of every probe.
fn probes(output: &Output) -> Vec<(String, String)> {
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |check: &serde_json::Value, field: &str| check[field].as_str().unwrap().to_owned();
    let checks = report["checks"].as_array().unwrap().iter();
    let checks = checks.map(|check| (text(check, "need"), text(check, "verdict")));
    checks.filter(|(need, _)| need.starts_with("probe ")).collect()
}

#[test]
fn bpf_and_perfmon_are_enough_for_every_probe_and_each_is_needed() {
    let stage = stage!("a");
    let all = preflight(&stage, CapabilitySet::all());
    assert_eq!(all.status.code(), Some(0), "{}", String::from_utf8_lossy(&all.stdout));
    let both = preflight(&stage, CapabilitySet::BPF | CapabilitySet::PERFMON);
    assert_eq!(both.status.code(), Some(0), "{}", String::from_utf8_lossy(&both.stdout));
    assert!(probes(&both).len() >= 6);
    let others =
        |output: &Output| probes(output).into_iter().filter(|(need, _)| need != "probe dns").collect::<Vec<_>>();
    assert_eq!(others(&both), others(&all), "no more capabilities would give more");
    let dns = |output: &Output| probes(output).into_iter().find(|(need, _)| need == "probe dns").unwrap().1;
    assert_eq!(dns(&both), "degraded", "it takes one more");
    let three = preflight(&stage, CapabilitySet::BPF | CapabilitySet::PERFMON | CapabilitySet::NET_ADMIN);
    assert_eq!((dns(&three), dns(&all)), ("ok".to_owned(), "ok".to_owned()));
    for one in [CapabilitySet::BPF, CapabilitySet::PERFMON] {
        assert_eq!(preflight(&stage, one).status.code(), Some(69), "{one:?} alone");
    }
}
