//! The parts of a loaded agent: its programs, their maps, and its probes.

use super::{
    attach::Link,
    duty::{HandshakeProbe, LookupShare, Pace, RttProbe, WindowedProbe},
    heads::Heads,
    http_sampling::HttpSampling,
    names::Names,
    probes::Probe,
    run_queue::RunQueue,
    sampling::RttSampling,
};
use crate::api::ProbeStatus;
use aya::Ebpf;
use netwhy_abi::{Choice, PeerClass, memory::States};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    net::Ipv6Addr,
};

/// Loaded programs and their maps. Dropping it detaches everything; nothing is pinned.
pub struct Loaded {
    pub(super) ebpf: Ebpf,
    /// Passes log lines of the programs on to the agent's log.
    pub(super) log: Option<Box<dyn FnMut() + Send>>,
    /// Programs that stay attached all the time, by name; see [`Loaded::detach`].
    pub(super) links: Vec<(&'static str, Link)>,
    /// Probes that were turned off.
    pub(super) switched_off: Vec<SwitchedOff>,
    /// The RTT probe. `None`: not loaded.
    pub(super) rtt: Option<RttProbe>,
    /// The handshake probe. `None`: not loaded.
    pub(super) handshakes: Option<HandshakeProbe>,
    /// The probe of reads. `None`: not loaded.
    pub(super) reads: Option<WindowedProbe>,
    /// The probe of DNS answers. `None`: not loaded.
    pub(super) answers: Option<WindowedProbe>,
    /// The probe of names in DNS answers. `None`: not loaded.
    pub(super) names: Option<WindowedProbe>,
    /// The answers that it copied. `None`: the signal was off at the start, or is not supported.
    pub(super) copied_answers: Option<Names>,
    /// The scheduler probe. `None`: not loaded.
    pub(super) run_queue: Option<RunQueue>,
    /// First bytes of sampled exchanges. `None`: they are not copied.
    pub(super) heads: Option<Heads>,
    /// Exchanges and connections that are sampled for HTTP. `None`: the signal was off at the start, or is not supported.
    pub(super) http: Option<HttpSampling>,
    /// Whose DNS lookups are observed.
    pub(super) lookups: LookupShare,
    /// How many exchanges of busy connections are counted.
    pub(super) pace: Pace,
    /// Directory of the subtree. `None`: it can't be opened.
    pub(super) cgroup: Option<File>,
    /// Connections whose response times the programs observe.
    pub(super) choice: Choice,
    /// cgroups that are exempt from sampling.
    pub(super) close_ups: BTreeSet<u64>,
    /// RTT sampling.
    pub(super) sampling: RttSampling,
    /// One status per probe, in the table's order.
    pub probes: Vec<ProbeStatus>,
    /// Features that this kernel lacks, in words.
    pub lacks: Vec<&'static str>,
    /// Names of drop reasons; index = number.
    pub drop_reasons: Vec<String>,
    /// Whether walks work.
    pub can_walk: bool,
    /// How the states of sockets are kept.
    pub states: States,
    /// Peer ranges in the kernel's map.
    pub(super) prefixes: BTreeMap<(Ipv6Addr, u8), PeerClass>,
    /// Whether a socket was ever refused storage.
    pub(super) has_shed: bool,
}

/// A probe that was turned off.
pub(super) struct SwitchedOff {
    pub(super) probe: &'static Probe,
    /// Its status before, and that of the probes that need it.
    pub(super) before: Vec<ProbeStatus>,
    /// Period of observation of response times before.
    pub(super) generation: u32,
}

impl Loaded {
    /// Passes new log lines of the programs on to the agent's log.
    pub(super) fn flush_log(&mut self) {
        if let Some(flush) = &mut self.log {
            flush();
        }
    }

    /// A map by name.
    pub(super) fn map(&self, name: &str) -> Option<&aya::maps::Map> {
        self.ebpf.map(name)
    }
}
