//! An agent on a machine where reading something hangs, or where much must be read.

use crate::{
    program::{Agent, Scratch},
    stage::{needs, stage, wait_until},
};
use rustix::{
    fs::{CWD, FileType, Mode, mknodat},
    process::Signal,
};
use std::{
    fs,
    net::TcpListener,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

/// Below the 1,024 that a process may usually open.
const DESCRIPTORS: usize = 900;

/// This machine's procfs without `pressure/cpu`.
fn procfs(scratch: &Scratch) -> PathBuf {
    let root = scratch.file("proc");
    fs::create_dir_all(root.join("pressure")).unwrap();
    for entry in fs::read_dir("/proc").unwrap().flatten().filter(|entry| entry.file_name() != "pressure") {
        symlink(entry.path(), root.join(entry.file_name())).unwrap();
    }
    for name in ["pressure/memory", "pressure/io"] {
        symlink(Path::new("/proc").join(name), root.join(name)).unwrap();
    }
    root
}

/// Opening a named pipe hangs until somebody writes.
#[test]
fn a_file_of_procfs_that_hangs_costs_its_signal_and_not_the_tick() {
    let stage = stage!("a");
    if !Path::new("/proc/pressure/cpu").exists() {
        println!("SKIP a_file_of_procfs_that_hangs_costs_its_signal_and_not_the_tick: machine: no PSI");
        return;
    }
    let scratch = Scratch::new("hang");
    let procfs = procfs(&scratch);
    // The agent is not root when it reads.
    let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
    mknodat(CWD, procfs.join("pressure/cpu"), FileType::Fifo, mode, 0).unwrap();
    let agent = Agent::start(&stage, &["--procfs".as_ref(), procfs.as_ref()]);
    let state = |signal: &str, state: &str| {
        agent.sum("netwhy_node_signal_state", &[&format!("signal=\"{signal}\""), &format!("state=\"{state}\"")]) == 1.0
    };
    wait_until("the signal is broken", || state("pressure", "broken"));
    assert!(state("cpu", "ok") && state("tcp", "ok"), "the others are read");
    let ticks = || agent.sum("netwhy_agent_samples_total", &[]);
    let before = ticks();
    wait_until("the ticks go on", || ticks() >= before + 5.0);
    let node = agent.get("/api/v1/node", "*/*").unwrap().1;
    assert!(node.contains("no answer for") && node.contains("pressure"), "{node}");
    assert_eq!(agent.get("/livez", "*/*").unwrap().0, 200);
    assert_eq!(agent.stop(Signal::TERM).0, Some(0), "and the agent stops");
}

#[test]
fn the_distance_of_walks_is_bounded_and_their_age_is_exported() {
    needs!(LIVING);
    let stage = stage!("a");
    let scratch = Scratch::new("walks");
    let file = scratch.file("netwhy.yaml");
    // A walk over these takes more than 0.2 ms of CPU time, which this share allows every two seconds and more.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let _descriptors: Vec<_> = (0..DESCRIPTORS).map(|_| listener.try_clone().unwrap()).collect();
    fs::write(&file, "sampling:\n  walk_cpu_share: 0.0001\n  walk_max_seconds: 2\n").unwrap();
    let agent = Agent::start(&stage, &["--config".as_ref(), file.as_ref()]);
    let of = |name: &str| agent.sum(name, &[]);
    let seconds = of("netwhy_agent_walk_seconds");
    assert!(seconds > 0.0002, "a walk took {seconds} s");
    assert_eq!(of("netwhy_agent_walk_interval_seconds"), 2.0);
    let age = || of("netwhy_agent_walk_age_seconds");
    for _ in 0..2 {
        wait_until("what the walk knows gets older", || age() > 0.9);
        wait_until("a walk comes", || age() < 0.9);
    }
    for operation in ["walk", "read_rows", "steer"] {
        let errors = agent.sum("netwhy_agent_kernel_errors_total", &[&format!("operation=\"{operation}\"")]);
        assert_eq!(errors, 0.0, "{operation}");
    }
}
