//! The chart grants exactly the capabilities that the agent needs: BPF and PERFMON, NET_ADMIN for DNS lookups, and those
//! that dropping all of them takes. Once its programs are attached, the agent is an ordinary process.

use crate::{
    program::{Agent, Scratch, command, traffic},
    stage::{LIVING, Stage, stage, wait_until},
};
use netwhy_agent::{
    kernel,
    node::{HostPaths, HostReader},
};
use rustix::{
    process::Signal,
    thread::{CapabilitySet, capabilities, remove_capability_from_bounding_set, set_no_new_privs},
};
use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    process::{Command, Output},
    thread,
    time::Duration,
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

fn preflight(stage: &Stage, granted: CapabilitySet, more: &[&OsStr]) -> Output {
    let args = ["preflight", "-o", "json", "--listen", "127.0.0.1:0"].map(OsStr::new);
    let mut command = command(stage, &args);
    command.args(more);
    limited(granted, move || command.output().unwrap())
}

/// One check of a report.
fn check(output: &Output, need: &str) -> serde_json::Value {
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut checks = report["checks"].as_array().unwrap().iter();
    checks.find(|check| check["need"] == need).unwrap_or_else(|| panic!("no {need} in {report}")).clone()
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
    let all = preflight(&stage, CapabilitySet::all(), &[]);
    assert_eq!(all.status.code(), Some(0), "{}", String::from_utf8_lossy(&all.stdout));
    let both = preflight(&stage, CapabilitySet::BPF | CapabilitySet::PERFMON, &[]);
    assert_eq!(both.status.code(), Some(0), "{}", String::from_utf8_lossy(&both.stdout));
    assert!(probes(&both).len() >= 6);
    let others =
        |output: &Output| probes(output).into_iter().filter(|(need, _)| need != "probe dns").collect::<Vec<_>>();
    assert_eq!(others(&both), others(&all), "more capabilities add no signal");
    let dns = |output: &Output| probes(output).into_iter().find(|(need, _)| need == "probe dns").unwrap().1;
    assert_eq!(dns(&both), "degraded", "it needs NET_ADMIN too");
    let three = preflight(&stage, CapabilitySet::BPF | CapabilitySet::PERFMON | CapabilitySet::NET_ADMIN, &[]);
    assert_eq!((dns(&three), dns(&all)), ("ok".to_owned(), "ok".to_owned()));
    for one in [CapabilitySet::BPF, CapabilitySet::PERFMON] {
        assert_eq!(preflight(&stage, one, &[]).status.code(), Some(69), "{one:?} alone");
    }
}

/// The capabilities that the chart grants by default.
fn of_the_chart() -> CapabilitySet {
    let user = CapabilitySet::SETUID | CapabilitySet::SETGID | CapabilitySet::SETPCAP;
    CapabilitySet::BPF | CapabilitySet::PERFMON | user
}

/// Before Linux 5.19 the kernel asks for the capability BPF at each reading of a map.
fn keeps_bpf() -> bool {
    kernel::release().0 < (5, 19)
}

/// Fields of `status` with the capabilities of an attached agent.
fn kept_capabilities(set: &str) -> BTreeSet<String> {
    let kept = if keeps_bpf() && ["CapPrm", "CapEff"].contains(&set) { CapabilitySet::BPF.bits() } else { 0 };
    BTreeSet::from([format!("{kept:016x}")])
}

/// One field of `status` of each thread of a process.
fn of_threads(process: u32, field: &str) -> BTreeSet<String> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap().flatten();
    let status = threads.filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok());
    let fields = status.map(|text| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        lines.next().unwrap().trim().to_owned()
    });
    fields.collect()
}

/// No thread of the process is root, and none has or can get a capability that this kernel lets it drop.
fn assert_ordinary(process: u32) {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap().count();
    assert!(threads > 2, "the runtime, the tick and the probe listener have threads");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(of_threads(process, set), kept_capabilities(set), "{set}");
    }
    let ids = BTreeSet::from([["65532"; 4].join("\t")]);
    assert_eq!((of_threads(process, "Uid"), of_threads(process, "Gid")), (ids.clone(), ids));
    assert_eq!(of_threads(process, "Groups"), BTreeSet::from([String::new()]));
    assert_eq!(of_threads(process, "NoNewPrivs"), BTreeSet::from(["1".to_owned()]));
    // A process that is not dumpable leaves its files to root.
    assert_eq!(fs::metadata(format!("/proc/{process}/environ")).unwrap().uid(), 0);
}

/// An agent whose RTT probe runs on a duty cycle at any segment rate, so that it is detached and attached again.
fn agent(stage: &Stage, scratch: &Scratch, granted: CapabilitySet) -> Agent {
    let config = scratch.file("duty.yaml");
    fs::write(&config, "sampling:\n  rtt_windows_above: 0\n").unwrap();
    let args = [OsStr::new("--config"), config.as_os_str()];
    Agent::start_by(stage, &args, |mut command: Command| limited(granted, move || command.spawn()))
}

fn json(agent: &Agent, path: &str) -> serde_json::Value {
    serde_json::from_str(&agent.get(path, "*/*").unwrap().1).unwrap()
}

/// Reading maps, walking, duty cycles, prefix look-ups and the configuration work.
fn assert_measuring(stage: &Stage, agent: &Agent, scratch: &Scratch) {
    wait_until("duty periods are counted", || agent.sum("netwhy_agent_rtt_windows_total", &[]) >= 3.0);
    let walk = || agent.sum("netwhy_agent_walk_seconds", &[]);
    let walked = walk();
    let (client, flow) = traffic(stage);
    let segments = || agent.sum("netwhy_tcp_segments_sent_total", &[client.name.as_str()]);
    wait_until("the metrics have it", || segments() >= flow.data_segs_out as f64);
    assert_eq!(segments(), flow.data_segs_out as f64);
    if LIVING.is_lacking() {
        assert_eq!(walk(), 0.0);
    } else {
        wait_until("another walk, which takes a different time", || walk() != walked);
    }
    // Every signal of the Node that root reads.
    let paths = HostPaths { procfs: "/proc".into(), sysfs: "/sys".into(), process: "1".to_owned() };
    let root = HostReader::new(paths, Some(kernel::ethtool_calls())).read(Duration::from_secs(1));
    let states = json(agent, "/api/v1/node")["signal_states"].clone();
    for (group, state) in &root.states {
        assert_eq!(states[group.label()]["state"], state.label(), "{}: {states}", group.label());
    }
    // Each request opens a connection.
    let opened = || agent.sum("netwhy_node_tcp_events_total", &["\"active_opens\""]);
    let before = opened();
    wait_until("the Node's signals move", || opened() > before);
    fs::write(scratch.file("duty.yaml"), "sampling:\n  rtt_windows_above: 0\nlabels:\n  peer: false\n").unwrap();
    wait_until("a changed configuration is read", || {
        agent.sum("netwhy_agent_config_reloads_total", &["result=\"ok\""]) >= 1.0
    });
    client.remove().unwrap();
    stage.pod("b", "server").remove().unwrap();
}

#[test]
fn an_attached_agent_is_an_ordinary_process_that_goes_on_measuring() {
    let stage = stage!("a", "b");
    // As in a container, and as plain root.
    for granted in [of_the_chart(), CapabilitySet::all()] {
        let scratch = Scratch::new("ordinary");
        let agent = agent(&stage, &scratch, granted);
        assert_ordinary(agent.child.id());
        let privileges = json(&agent, "/api/v1/info")["privileges"].clone();
        let given_up = privileges["given_up"].as_array().unwrap();
        let stays: &[&str] = if keeps_bpf() { &["BPF"] } else { &[] };
        // A machine may lack some from its start.
        let had = capabilities(None).unwrap().permitted & granted;
        assert_eq!(given_up.len(), had.iter_names().count() - stays.len(), "{privileges}");
        for name in ["BPF", "PERFMON", "SETUID", "SETGID", "SETPCAP"] {
            assert_ne!(given_up.contains(&name.into()), stays.contains(&name), "{name} of {privileges}");
        }
        let why = privileges["kept"].as_str().unwrap_or_default();
        assert_eq!(why.contains("before Linux 5.19"), keeps_bpf(), "{privileges}");
        assert_eq!(privileges["kept"].is_null(), !keeps_bpf(), "{privileges}");
        assert_eq!((&privileges["user"], &privileges["rights"]), (&65_532.into(), &serde_json::json!(stays)));
        let kept =
            || agent.metrics().lines().find_map(|line| line.strip_prefix("netwhy_agent_kept_rights ")?.parse().ok());
        assert_eq!(kept(), Some(stays.len() as f64));
        assert_measuring(&stage, &agent, &scratch);
        // Threads of the runtime and of duty cycles have started meanwhile.
        assert_ordinary(agent.child.id());
        assert_eq!(agent.stop(Signal::TERM), (Some(0), String::new()));
    }
}

#[test]
fn rights_that_can_not_be_dropped_are_reported_everywhere() {
    let stage = stage!("a", "b");
    let scratch = Scratch::new("kept");
    let both = CapabilitySet::BPF | CapabilitySet::PERFMON;
    let check = check(&preflight(&stage, both, &[]), "rights after the start");
    assert_eq!(check["verdict"], "degraded");
    assert!(check["found"].as_str().unwrap().contains("user 0"), "{check}");
    assert!(check["remedy"].as_str().unwrap().contains("SETUID, SETGID and SETPCAP"), "{check}");

    let agent = agent(&stage, &scratch, both);
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(of_threads(agent.child.id(), set), kept_capabilities(set), "{set}");
    }
    let privileges = json(&agent, "/api/v1/info")["privileges"].clone();
    let rights = privileges["rights"].as_array().unwrap();
    let mut expected = vec!["user 0", "group 0", "bounding set"];
    expected.extend(keeps_bpf().then_some("BPF"));
    assert_eq!(rights.len(), expected.len(), "{privileges}");
    assert!(expected.iter().all(|right| rights.contains(&(*right).into())), "{privileges}");
    assert!(privileges["kept"].as_str().unwrap().contains("SETUID and SETGID"), "{privileges}");
    wait_until("it has a snapshot", || agent.sum("netwhy_agent_kept_rights", &[]) == expected.len() as f64);
    assert_eq!(agent.stop(Signal::TERM).0, Some(0));
}

#[test]
fn a_configuration_that_only_root_may_read_is_reported() {
    let stage = stage!("a");
    let scratch = Scratch::new("closed");
    let config = scratch.file("closed.yaml");
    fs::write(&config, "labels:\n  peer: true\n").unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
    let args = [OsStr::new("--config"), config.as_os_str()];
    let check = check(&preflight(&stage, of_the_chart(), &args), "configuration file");
    assert_eq!(check["verdict"], "degraded");
    assert!(check["found"].as_str().unwrap().contains("let user 65532 read it"), "{check}");
    let agent = Agent::start_by(&stage, &args, |mut command: Command| limited(of_the_chart(), move || command.spawn()));
    wait_until("the failed reading is counted", || {
        agent.sum("netwhy_agent_config_reloads_total", &["result=\"failed\""]) == 1.0
    });
    let (code, said) = agent.stop(Signal::TERM);
    assert_eq!(code, Some(0));
    assert!(said.contains("closed.yaml: Permission denied") && said.contains("let user 65532 read it"), "{said:?}");
}

/// Attempts of a process with an agent's rights, before and after it dropped them.
fn attempts(granted: CapabilitySet, when: &str, victims: &[(&str, u32)]) -> serde_json::Value {
    let program = netwhy_tests::built::built("NETWHY_TAKEN_OVER", ["--example", "taken_over"]).unwrap();
    let mut command = Command::new(program);
    command.arg(when).args(victims.iter().map(|(name, process)| format!("{name}={process}")));
    let output = limited(granted, move || command.output().unwrap());
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[test]
fn whoever_takes_over_the_agent_reaches_no_process_and_no_kernel_interface() {
    let stage = stage!("a");
    drop(stage);
    let mut root = Command::new("sleep").arg("600").spawn().unwrap();
    // As in other containers: root without capabilities, and the user that many images and the agent share.
    let mut bare = Command::new("sleep");
    let mut bare = limited(CapabilitySet::empty(), move || bare.arg("600").spawn().unwrap());
    let mut same = Command::new("sleep").arg("600").uid(65_532).gid(65_532).spawn().unwrap();
    let victims = [("root", root.id()), ("bare", bare.id()), ("same", same.id())];
    let before = attempts(CapabilitySet::all(), "before", &victims);
    let after = [of_the_chart(), CapabilitySet::all()].map(|granted| attempts(granted, "after", &victims));
    for victim in [&mut root, &mut bare, &mut same] {
        victim.kill().unwrap();
        victim.wait().unwrap();
    }
    let worked = |report: &serde_json::Value| -> Vec<String> {
        let groups = report.as_object().unwrap().iter().filter(|(name, _)| *name != "privileges");
        let each = groups.flat_map(|(group, tried)| {
            let tried = tried.as_object().unwrap().iter();
            tried.filter(|(_, outcome)| outcome.is_null()).map(move |(name, _)| format!("{group}: {name}"))
        });
        each.collect()
    };
    let possible: usize = before.as_object().unwrap().values().filter_map(|tried| Some(tried.as_object()?.len())).sum();
    assert_eq!(worked(&before).len(), possible, "root can do all of it, so that the attempts are real: {before}");
    for after in after {
        let landlock = after["privileges"]["landlock"].as_array().unwrap();
        // Only Landlock keeps processes of one user apart, and its signals from Linux 6.12 on.
        let denies = |what: &str| landlock.contains(&what.into());
        let unexpected: Vec<String> = worked(&after)
            .into_iter()
            .filter(|worked| match worked.as_str() {
                "same: kill" => denies("signals"),
                "machine: create a file" | "machine: mount in a user namespace" => denies("writing"),
                other if other.starts_with("same: ") => denies("tracing"),
                _ => true,
            })
            .collect();
        assert_eq!(unexpected, Vec::<String>::new(), "{after}");
    }
}
