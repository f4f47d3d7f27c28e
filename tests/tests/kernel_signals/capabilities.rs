//! The chart grants exactly the capabilities that the agent needs: BPF and PERFMON, and NET_ADMIN for DNS lookups. The
//! agent drops them once its programs are attached.

use crate::{
    program::{Agent, Scratch, command, traffic},
    stage::{Stage, stage, wait_until},
};
use rustix::{
    process::Signal,
    thread::{CapabilitySet, remove_capability_from_bounding_set, set_no_new_privs},
};
use std::{
    ffi::OsStr,
    fs,
    process::{Command, Output},
    thread,
};

/// Runs `act` as a container runtime would: as user 0 with only these capabilities, which no file can add to.
fn limited<T: Send>(granted: CapabilitySet, act: impl FnOnce() -> T + Send) -> T {
    // A thread has both, and the programs that it starts inherit them.
    let inside = move || {
        for bit in 0..=u64::BITS {
            let Some(one) = 1_u64.checked_shl(bit).map(CapabilitySet::from_bits_retain) else { continue };
            if !granted.contains(one) {
                // Fails for numbers that are no capability of this kernel.
                let _ = remove_capability_from_bounding_set(one);
            }
        }
        set_no_new_privs(true).unwrap();
        act()
    };
    thread::scope(|scope| scope.spawn(inside).join().unwrap())
}

fn preflight(stage: &Stage, granted: CapabilitySet) -> Output {
    let args = ["preflight", "-o", "json", "--listen", "127.0.0.1:0"].map(OsStr::new);
    let mut command = command(stage, &args);
    limited(granted, move || command.output().unwrap())
}

/// Requirement and result of every probe.
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
    assert_eq!(others(&both), others(&all), "more capabilities add no signal");
    let dns = |output: &Output| probes(output).into_iter().find(|(need, _)| need == "probe dns").unwrap().1;
    assert_eq!(dns(&both), "degraded", "it needs NET_ADMIN too");
    let three = preflight(&stage, CapabilitySet::BPF | CapabilitySet::PERFMON | CapabilitySet::NET_ADMIN);
    assert_eq!((dns(&three), dns(&all)), ("ok".to_owned(), "ok".to_owned()));
    for one in [CapabilitySet::BPF, CapabilitySet::PERFMON] {
        assert_eq!(preflight(&stage, one).status.code(), Some(69), "{one:?} alone");
    }
}

/// One capability set of each thread of a process.
fn of_threads(process: u32, set: &str) -> Vec<u64> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap().flatten();
    let status = threads.filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok());
    let sets = status.map(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix(set)?.strip_prefix(':')).unwrap().trim().to_owned();
        u64::from_str_radix(&line, 16).unwrap()
    });
    sets.collect()
}

#[test]
fn capabilities_are_given_up_once_attached_and_counting_goes_on() {
    let stage = stage!("a", "b");
    let both = CapabilitySet::BPF | CapabilitySet::PERFMON;
    let loading = both | CapabilitySet::NET_ADMIN;
    // The RTT probe runs on a duty cycle at any segment rate, so that it is detached and attached again.
    let scratch = Scratch::new("duty");
    let config = scratch.file("duty.yaml");
    fs::write(&config, "sampling:\n  rtt_windows_above: 0\n").unwrap();
    let args = [OsStr::new("--config"), config.as_os_str()];
    // As in a container, and as root, which keeps the capabilities that loading does not need.
    for (granted, given_up) in
        [(both, &["BPF", "PERFMON"][..]), (CapabilitySet::all(), &["BPF", "PERFMON", "NET_ADMIN"])]
    {
        let spawn = |mut command: Command| limited(granted, move || command.spawn());
        let agent = Agent::start_by(&stage, &args, spawn);
        for set in ["CapEff", "CapPrm", "CapInh"] {
            let threads = of_threads(agent.child.id(), set);
            assert!(threads.len() > 1, "the runtime has threads");
            let left = threads.iter().fold(0, |all, one| all | one);
            assert_eq!(left & loading.bits(), 0, "{set} of {granted:?}");
            assert_eq!(left == 0, granted == both || set == "CapInh", "{set} of {granted:?}: {left:x}");
        }
        let info: serde_json::Value = serde_json::from_str(&agent.get("/api/v1/info", "*/*").unwrap().1).unwrap();
        assert_eq!(info["privileges"], serde_json::json!({ "given_up": given_up, "kept": null }));
        wait_until("duty periods are counted", || agent.sum("netwhy_agent_rtt_windows_total", &[]) >= 3.0);
        // Reading maps, walking and prefix look-ups work as before.
        let walk = || agent.sum("netwhy_agent_walk_seconds", &[]);
        let before = walk();
        let (client, flow) = traffic(&stage);
        let segments = || agent.sum("netwhy_tcp_segments_sent_total", &[client.name.as_str()]);
        wait_until("the metrics have it", || segments() >= flow.data_segs_out as f64);
        assert_eq!(segments(), flow.data_segs_out as f64);
        wait_until("another walk, which takes a different time", || walk() != before);
        assert_eq!(agent.stop(Signal::TERM), (Some(0), String::new()));
        client.remove().unwrap();
        stage.pod("b", "server").remove().unwrap();
    }
}
