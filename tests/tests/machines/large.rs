//! Eight CPUs and 4,000 cgroups: counts of all CPUs add up, and the maps stay within the memory that `preflight` states.

use crate::{
    node::{Agent, Server, cgroup, containerd_scope, enter, leave, only_in, pod_labels, pod_slice, wait_until},
    preflight::Preflight,
};
use netwhy_abi::memory::upper_bound;
use netwhy_agent::{config::Config, kernel::release};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::{collections::BTreeMap, fs, net::Ipv4Addr, path::PathBuf, thread, time::Instant};

const CPUS: usize = 8;
const PODS: u64 = 250;
/// Containers of a Pod: with its own, 16 cgroups.
const CONTAINERS: u64 = 15;
/// Addresses that each container connects to.
const PEERS: u8 = 4;

fn uid(pod: u64) -> String {
    format!("00000000-0000-4000-8000-{pod:012x}")
}

/// cgroups of a Pod's containers.
fn scopes(pod: u64) -> Vec<PathBuf> {
    let slice = pod_slice("burstable", &uid(pod));
    let scope = |container| cgroup(&containerd_scope(&slice, &format!("{:064x}", pod * CONTAINERS + container)));
    (0..CONTAINERS).map(scope).collect()
}

/// Keeps this thread on one CPU.
fn stay_on(cpu: usize) {
    let mut one = CpuSet::new();
    one.set(cpu);
    sched_setaffinity(None, &one).unwrap();
}

/// Kernel memory of a process's maps, bytes, as the kernel reports it.
fn map_memory(process: u32) -> u64 {
    let mut maps = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{process}/fdinfo")).unwrap().flatten() {
        // A descriptor may be closed meanwhile.
        let Ok(text) = fs::read_to_string(entry.path()) else { continue };
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        if let (Some(id), Some(bytes)) = (field("map_id:"), field("memlock:")) {
            maps.insert(id, bytes);
        }
    }
    assert!(!maps.is_empty(), "the kernel reports no map of process {process}");
    maps.values().sum()
}

/// The bound that `preflight` prints for a number of CPUs, MiB.
fn printed_bound(cpus: usize) -> u64 {
    let report = Preflight::run();
    let [_, found, _] = report.check("kernel memory");
    let behind = format!(" with {cpus}");
    let bound = found.split(", ").find_map(|part| part.strip_suffix(behind.as_str())?.parse().ok());
    bound.unwrap_or_else(|| panic!("no bound for {cpus} CPUs in {found}"))
}

#[test]
fn four_thousand_cgroups_on_eight_cpus_count_whole_within_the_stated_memory() {
    only_in!("large");
    assert_eq!(thread::available_parallelism().unwrap().get(), CPUS);
    let pods: Vec<Vec<PathBuf>> = (0..PODS).map(scopes).collect();
    let printed = printed_bound(16);
    let config = "/tmp/large.yaml";
    // Every edge keeps its row, however slow this machine is.
    fs::write(config, "limits: {edge_idle_seconds: 3600}\n").unwrap();
    let begin = Instant::now();
    let agent = Agent::start(&["--config", config]);
    println!("ready after {:?}", begin.elapsed());
    let server = Server::new();
    for (n, scope) in pods.iter().flatten().enumerate() {
        stay_on(n % CPUS);
        enter(scope);
        (1..=PEERS).for_each(|peer| server.visit(Ipv4Addr::new(127, 9, 0, peer)));
    }
    leave();
    println!("{:?} with all connections", begin.elapsed());
    let each = CONTAINERS * u64::from(PEERS);
    let expected: BTreeMap<_, _> = (0..PODS).map(|pod| (pod_labels(&uid(pod)), each)).collect();
    agent.assert_counted(&expected);
    let rows = |map: &str| agent.metrics().sum("netwhy_agent_map_entries", &[&format!("map=\"{map}\"")]) as u64;
    wait_until("the cgroup map has every container", || rows("cgroups") >= PODS * CONTAINERS);
    assert!(rows("edges") >= PODS * each / 2, "{} edges: the maps are nearly full", rows("edges"));
    let (used, bound) = (map_memory(agent.process()), upper_bound(Config::default().limits.maps(), CPUS) as u64);
    println!("{used} bytes of maps, at most {bound}; printed for 16 CPUs: {printed} MiB");
    // Rounded to whole MiB.
    assert!(bound <= (printed + 1) << 20, "{bound} and {printed} MiB");
    // Before, the kernel reported what a map may grow to.
    if release().0 >= (6, 4) {
        assert!(used <= bound && used * 10 >= bound, "{used} of {bound}");
    }
}
