//! Bounds of memory: the kernel's maps, clients of the listeners, and the agent's own limit.

use super::{Check, Verdict, check};
use crate::{
    budget::{Budget, Load, SERIES_BYTES, cpus},
    config::{Config, cli::Cli},
    http,
    memory::{Limit, fit},
};
use netwhy_abi::memory::States;
use std::fmt::Write as _;

const MIB: f64 = (1 << 20) as f64;

/// Upper bound of the maps' memory with these limits, by number of CPUs.
pub(super) fn maps(cli: &Cli, config: &Config, states: States) -> Check {
    let limits = fit(config.limits.maps(), Limit::find(&cli.global.procfs).read(None).limit);
    let mib = |cpus| netwhy_abi::memory::upper_bound(limits, cpus) as f64 / f64::from(1 << 20);
    let found = format!(
        "at most {:.0} MiB with 2 CPUs, {:.0} with 16, {:.0} with 128 (limits: {} edges, {} cgroups)",
        mib(2),
        mib(16),
        mib(128),
        limits.edges,
        limits.cgroups
    );
    check("kernel memory", Verdict::Ok, found + &tables(states, cpus()), "")
}

/// Memory of the maps that keep states of sockets by address, in words. Empty where sockets have storage.
pub(super) fn tables(states: States, cpus: usize) -> String {
    if states == States::InStorage {
        return String::new();
    }
    let (empty, full) = (states.empty(cpus) as f64 / MIB, states.full(cpus) as f64 / MIB);
    format!("; {empty:.0} to {full:.0} MiB more for the states of up to {} sockets", states.most())
}

/// Upper bound of the memory that clients of all listeners can make the agent use. `limits.series` bounds a scrape,
/// `limits.edges` and `limits.cgroups` a replay of the past.
pub(super) fn clients(config: &Config) -> Check {
    let scrape = config.limits.series() * SERIES_BYTES;
    let limits = http::Limits::from(&config.http);
    let bytes = limits.memory_bound(scrape) + http::Limits::PROBES.memory_bound(0);
    let mut found = format!(
        "at most {:.0} MiB for all clients, with a scrape of {:.0} MiB (limits: {} connections, {} response bytes, {} \
         series)",
        bytes as f64 / MIB,
        scrape as f64 / MIB,
        config.http.max_connections(),
        config.http.max_response_bytes(),
        config.limits.series()
    );
    if let Some(replay) = replay(config) {
        let _ = write!(found, "; {:.0} MiB more while they ask about the past", replay as f64 / MIB);
    }
    check("HTTP memory", Verdict::Ok, found, "")
}

/// Upper bound of the memory of a replay, bytes. There is one at a time. `None`: nothing is recorded.
fn replay(config: &Config) -> Option<u64> {
    let load = Load { cgroups: config.limits.cgroups(), edges: config.limits.edges(), ..Load::DOCUMENTED };
    let parts = Budget::new(config, cpus()).parts(&load);
    parts.iter().find(|part| part.part == "replay").map(|part| part.bytes)
}

/// The agent's memory limit beside the memory that the documented load needs with this configuration.
pub(super) fn limit(cli: &Cli, config: &Config, states: States) -> Check {
    const NEED: &str = "memory limit";
    let (budget, load) = (Budget::new(config, cpus()).with_states(states), Load::DOCUMENTED);
    let files = Limit::find(&cli.global.procfs);
    let reading = files.read(None);
    let needs = format!(
        "{:.0} MiB for {} cgroups, {} edges and {} sockets",
        budget.total(&load) as f64 / MIB,
        load.cgroups,
        load.edges,
        load.sockets
    );
    let Some(limit) = reading.limit else {
        return check(NEED, Verdict::Ok, format!("no limit is known; at most {needs}"), "");
    };
    let fitting = budget.fitting_sockets(&load, limit);
    let found = format!(
        "{:.0} MiB ({}); at most {needs}; {fitting} sockets fit before the agent sheds load",
        limit as f64 / MIB,
        files.source(reading).words()
    );
    let needed = budget.needed_limit(&load) >> 20;
    let remedy = format!("set the memory limit to {needed} MiB, or lower limits.* of the configuration");
    check(NEED, if fitting >= load.sockets { Verdict::Ok } else { Verdict::Degraded }, found, &remedy)
}
