//! Attaching to this machine's kernel.

use super::{Failure, Source, node_name};
use crate::{
    api::Privileges,
    cgroup::{CgroupTable, FactsHandle, FactsReader, Mounts, Reader, TimelyFacts},
    config::{Config, cli::Cli},
    history,
    kernel::{self, KernelSource, Loaded, StartStatistics, Subtree},
    memory::{Limit, Pressure, fit},
    node::{HostPaths, HostReader},
    peers::{self, PeerTable, peer_table},
    privileges,
    tick::{facts_pace, probe_modes, rates, source_settings},
};
use anyhow::Context as _;
use netwhy_abi::memory::Limits;
use std::net::Ipv6Addr;

/// A source of snapshots over this machine's kernel, and what it was set up with.
pub(crate) struct Opened {
    pub(crate) source: Source,
    pub(crate) facts: FactsHandle,
    pub(crate) peers: PeerTable,
    pub(crate) privileges: Privileges,
}

/// Attached programs, and what they were set up with.
struct Attached {
    mounts: Mounts,
    loaded: Loaded,
    host: HostReader,
    peers: PeerTable,
}

/// Attaches to this machine's kernel and starts to follow its cgroups.
///
/// # Errors
/// [`Exit::Unsupported`](crate::config::Exit::Unsupported) when the kernel, a mount or a permission is missing.
pub fn open(cli: &Cli, config: &Config) -> Result<(Source, PeerTable), Failure> {
    let mut attached = attach(cli, config)?;
    let peers = std::mem::take(&mut attached.peers);
    Ok((source(cli, config, attached)?.0, peers))
}

/// Does the same, and drops the rights that only this needs.
pub(crate) fn open_and_drop_privileges(cli: &Cli, config: &Config) -> Result<Opened, Failure> {
    let mut attached = attach(cli, config)?;
    let peers = std::mem::take(&mut attached.peers);
    let statistics = StartStatistics::begin(kernel::monotonic());
    let folder = config.history.folder();
    if let Some(folder) = folder {
        history::prepare(folder, privileges::USER);
    }
    // Threads inherit the rights of the thread that starts them. No thread has been started yet.
    let privileges = privileges::give_up(&cli.global.procfs, folder, || attached.loaded.check());
    let privileges = privileges.map_err(Failure::unsupported)?;
    let (source, facts) = source(cli, config, attached)?;
    Ok(Opened { source: source.with_statistics(statistics), facts, peers, privileges })
}

/// Limit of memory from which two programs are verified at a time, bytes: that of the chart. The kernel's part of the
/// start's peak is then 57 MB instead of 36 (`memory.kmem.max_usage_in_bytes` of the agent alone, Linux 6.18).
const ROOMY: u64 = 128 << 20;

fn attach(cli: &Cli, config: &Config) -> Result<Attached, Failure> {
    let root = cli.global.cgroup_root.as_deref();
    let mounts = Mounts::discover(&cli.global.procfs, root).map_err(Failure::unsupported)?;
    let subtree = subtree(&mounts)?;
    let modes = probe_modes(&config.signals);
    let cgroup_dir = mounts.subtree_dir();
    let memory = Limit::find(&cli.global.procfs).read(None).limit;
    let limits = fitting(config.limits.maps(), memory);
    let settings = kernel::Settings {
        sysfs: &cli.global.sysfs,
        rates: rates(config),
        has_room: memory.is_none_or(|limit| limit >= ROOMY),
        modes: &modes,
        limits,
        subtree,
        cgroup_dir: &cgroup_dir,
    };
    let mut loaded = Loaded::load(&settings).map_err(|error| match error {
        kernel::LoadError::Demanded { .. } => Failure::usage(error),
        _ => Failure::unsupported(error),
    })?;
    let peers = peer_table(&config.peers, &own_addresses(cli), &node_name(config), None);
    loaded.set_prefixes(&peers.class_prefixes(limits.prefixes).0)?;
    // It opens what needs rights.
    let host = HostReader::new(host_paths(cli), Some(kernel::ethtool_calls()));
    Ok(Attached { mounts, loaded, host, peers })
}

/// Capacities of the maps that fit under the memory limit.
fn fitting(configured: Limits, memory: Option<u64>) -> Limits {
    let limits = fit(configured, memory);
    if limits != configured {
        let Limits { edges, cgroups, drops, .. } = limits;
        let mib = memory.unwrap_or(0) >> 20;
        tracing::info!(
            edges,
            cgroups,
            drops,
            mib,
            "the memory limit allows fewer rows than limits.* of the configuration"
        );
    }
    limits
}

fn source(cli: &Cli, config: &Config, attached: Attached) -> Result<(Source, FactsHandle), Failure> {
    let Attached { mounts, mut loaded, host, .. } = attached;
    let memory = Limit::find(&cli.global.procfs).read(None);
    loaded.set_headroom(&Pressure::default().start(memory))?;
    let table = CgroupTable::open(&mounts)?;
    let reader = FactsReader::new(table, Reader::new(&mounts), facts_pace(config));
    let mut facts = TimelyFacts::new(reader);
    let handle = facts.handle();
    let facts: crate::tick::CgroupFactsFn = Box::new(move |now, named| facts.read(now, named));
    Ok((KernelSource::new(loaded, facts, source_settings(config)).with_host(host), handle))
}

/// Paths that the Node's own signals are read from.
pub fn host_paths(cli: &Cli) -> HostPaths {
    let global = &cli.global;
    HostPaths { procfs: global.procfs.clone(), sysfs: global.sysfs.clone(), process: global.net_process.clone() }
}

/// The cgroup subtree that the kernel programs observe. `None`: all of it.
fn subtree(mounts: &Mounts) -> Result<Option<Subtree>, Failure> {
    if mounts.subtree == "/" {
        return Ok(None);
    }
    let id = mounts.subtree_id().with_context(|| format!("failed to look up cgroup {}", mounts.subtree))?;
    let level = mounts.subtree.split('/').filter(|name| !name.is_empty()).count();
    Ok(Some(Subtree { level: u32::try_from(level).unwrap_or(u32::MAX), id }))
}

/// This machine's addresses. Empty where procfs doesn't list them.
pub(super) fn own_addresses(cli: &Cli) -> Vec<(Ipv6Addr, u8)> {
    let net = cli.global.procfs.join(&cli.global.net_process).join("net");
    let text = |file: &str| std::fs::read_to_string(net.join(file)).unwrap_or_default();
    peers::local_addresses(&text("fib_trie"), &text("if_inet6"))
}
