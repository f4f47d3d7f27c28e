//! Settings of the kernel programs and of their maps.

use super::probes::{PROBES, Probe};
use std::path::Path;

/// Configured mode of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// On if the kernel supports it. The scheduler probe runs under CPU pressure only.
    Auto,
    /// Required: the agent does not start without it.
    On,
    /// Off.
    Off,
}

/// A cgroup directory and everything below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subtree {
    /// Depth of the directory below the mount.
    pub level: u32,
    /// cgroup id of the directory.
    pub id: u64,
}

/// Sampling rates, and rates of events above which probes do less. They may change while the programs run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Mean number of ACKs per RTT sample on busy sockets; at least 1.
    pub rtt_every: u32,
    /// Segments/s received by the machine above which the RTT probe runs on a 1/8 duty cycle.
    pub rtt_duty_above: u64,
    /// Segments/s received per CPU above which the duty cycle is 1/32.
    pub rtt_low_duty_above: u64,
    /// Closed TCP sockets/s per CPU above which short sockets are sampled and the handshake probe runs on a duty cycle.
    pub churn_above: u64,
    /// DNS lookups/s per CPU above which a share of them is observed.
    pub dns_above: u64,
    /// Share of exchanges that are sampled for HTTP, 0 … 1.
    pub http_share: f64,
    /// Share of connections that are followed if they are clear-text HTTP/2, 0 … 1.
    pub grpc_share: f64,
}

/// Settings of [`Loaded::load`](super::Loaded::load).
#[derive(Clone, Debug)]
pub struct Settings<'a> {
    /// The host's sysfs.
    pub sysfs: &'a Path,
    /// Sampling rates.
    pub rates: Rates,
    /// Whether there is memory to verify two programs at a time, which is quicker.
    pub has_room: bool,
    /// Mode by [`Probe::name`]; the default is [`Mode::Auto`].
    pub modes: &'a [(&'a str, Mode)],
    /// Capacity of the maps.
    pub limits: netwhy_abi::memory::Limits,
    /// The cgroups to observe. `None`: all.
    pub subtree: Option<Subtree>,
    /// Directory of the subtree. Programs on socket calls attach to it.
    pub cgroup_dir: &'a Path,
}

/// Whether a probe is to be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Yes.
    Yes,
    /// No: the configuration turns it off.
    Disabled,
    /// No: the process lacks NET_ADMIN, and the signal is not required.
    LacksNetAdmin,
}

impl Settings<'_> {
    pub(super) fn mode(&self, probe: &str) -> Mode {
        self.modes.iter().find(|(name, _)| *name == probe).map_or(Mode::Auto, |(_, mode)| *mode)
    }

    pub(super) fn wanted(&self, probe: &Probe) -> Wanted {
        match self.mode(probe.name) {
            Mode::Off => Wanted::Disabled,
            Mode::Auto if probe.net_admin && !has_net_admin() => Wanted::LacksNetAdmin,
            Mode::Auto | Mode::On => Wanted::Yes,
        }
    }

    /// Whether the named probe is to be loaded; true for a name that is no probe's.
    pub(super) fn wants(&self, name: &str) -> bool {
        PROBES.iter().find(|probe| probe.name == name).is_none_or(|probe| self.wanted(probe) == Wanted::Yes)
    }

    /// Level and id of the subtree as the programs take them; (0, 0): all cgroups.
    pub(super) fn root(&self) -> (u32, u64) {
        self.subtree.map_or((0, 0), |subtree| (subtree.level, subtree.id))
    }
}

/// Whether the process may load programs that could change socket calls (netwhy's do not change any).
fn has_net_admin() -> bool {
    use rustix::thread::{CapabilitySet, capabilities};
    let enough = CapabilitySet::NET_ADMIN | CapabilitySet::SYS_ADMIN;
    capabilities(None).is_ok_and(|sets| sets.effective.intersects(enough))
}
