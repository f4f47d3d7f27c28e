//! The chart's memory limit follows from the function that states how much memory the agent needs.

use crate::{
    helm::{chart, workspace},
    sources::yaml,
};
use netwhy_abi::memory::{ADDRESSES, States};
use netwhy_agent::{
    budget::{Budget, Load},
    config::Config,
};
use std::fs;

/// CPUs of the Node that the documentation speaks of. Each adds the free lists of the maps.
const CPUS: usize = 16;
const MIB: u64 = 1 << 20;

fn budget() -> Budget {
    Budget::new(&Config::default(), CPUS)
}

/// Bytes of a quantity such as `128Mi`.
fn bytes(quantity: &str) -> u64 {
    quantity.strip_suffix("Mi").and_then(|n| n.parse::<u64>().ok()).expect("a quantity in Mi") * MIB
}

#[test]
fn default_limit_holds_the_documented_load() {
    let values = yaml(&chart().join("values.yaml"));
    let limit = bytes(values["resources"]["limits"]["memory"].as_str().expect("a memory limit"));
    let config = Config::parse("history: {folder: /var/lib/netwhy}", "the chart's").expect("a configuration");
    let needed = Budget::new(&config, CPUS).needed_limit(&Load::DOCUMENTED);
    assert_eq!(limit, needed, "the limit should be {} MiB", needed / MIB);
}

/// The loads of the table in docs/performance.md.
fn documented_loads() -> [Load; 4] {
    let base = Load::DOCUMENTED;
    [
        Load { cgroups: 30, edges: 300, gone_subjects: 30, pods: 30, sockets: 2_000, nodes: 100, ..base },
        base,
        Load { sockets: 100_000, ..base },
        Load {
            cgroups: 1_000,
            edges: 10_000,
            gone_subjects: 1_024,
            pods: 1_000,
            sockets: 100_000,
            nodes: 5_000,
            ..base
        },
    ]
}

#[test]
fn documented_limits_hold_where_states_of_sockets_are_kept_by_address() {
    let states = States::ByAddress { rows: ADDRESSES, has_turns: true };
    for load in documented_loads() {
        let (storage, address) = (budget().needed_limit(&load), budget().with_states(states).needed_limit(&load));
        assert!(address <= storage, "{} MiB instead of {} for {load:?}", address / MIB, storage / MIB);
    }
    let config = Config::parse("history: {folder: /var/lib/netwhy}", "the chart's").expect("a configuration");
    let chart = Budget::new(&config, CPUS);
    let (storage, address) = (chart.needed_limit(&Load::DOCUMENTED), chart.with_states(states));
    assert!(address.needed_limit(&Load::DOCUMENTED) <= storage, "{} MiB", storage / MIB);
}

#[test]
fn documentation_has_the_functions_figures() {
    let documented = fs::read_to_string(workspace().join("docs/performance.md")).expect("docs/performance.md");
    let mut lacking = Vec::new();
    for load in documented_loads() {
        let Load { sockets, cgroups, edges, gone_subjects, pods, nodes, .. } = load;
        let (need, limit) = (budget().total(&load) / MIB, budget().needed_limit(&load) / MIB);
        let cells = [pods, cgroups, edges, gone_subjects, sockets, nodes, need, limit].map(|n| n.to_string());
        let row = format!("| {} |", cells.join(" | "));
        if !documented.contains(&row) {
            lacking.push(row);
        }
    }
    assert!(lacking.is_empty(), "docs/performance.md lacks these rows:\n{}", lacking.join("\n"));
}
