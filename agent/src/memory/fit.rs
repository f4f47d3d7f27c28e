//! Capacities of the kernel maps that fit under a memory limit. The kernel keeps to them however late a tick is. Pure.

use netwhy_abi::memory::Limits;

/// Shares of the limit for edges and for cgroups.
const EDGES_SHARE: f64 = 0.4;
const CGROUPS_SHARE: f64 = 0.12;
/// Bytes of a row of an edge that is active now and then, in the kernel and in user space.
const EDGE: f64 = 5.0 * 1024.0;
/// The same of a cgroup: its rows of handshakes, of overflow and of DNS lookups.
const CGROUP: f64 = 4.5 * 1024.0;
/// Capacities do not fall below these.
const FEWEST: Limits = Limits { cgroups: 64, edges: 256, drops: 64, prefixes: 64 };

/// The configured capacities, lowered to those that fit under a limit of so many bytes. `None`: no limit.
pub fn fit(configured: Limits, limit: Option<u64>) -> Limits {
    let Some(limit) = limit else { return configured };
    let most = |share: f64, bytes: f64| (limit as f64 * share / bytes) as usize;
    let Limits { cgroups, edges, drops, prefixes } = configured;
    Limits {
        cgroups: cgroups.min(most(CGROUPS_SHARE, CGROUP).max(FEWEST.cgroups)),
        edges: edges.min(most(EDGES_SHARE, EDGE).max(FEWEST.edges)),
        drops: drops.min(most(CGROUPS_SHARE, CGROUP).max(FEWEST.drops)),
        prefixes,
    }
}

#[cfg(test)]
mod tests;
