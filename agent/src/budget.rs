//! How much memory the agent needs: a function of the load and of the configuration. Pure.
//!
//! The constants are measured: `tests/tests/memory` starts an agent in a cgroup of its own, reads what that cgroup is
//! charged with, and compares the growth with them.

use crate::{
    api::MemoryPart,
    calls::FOLLOWED_BYTES,
    config::{Config, Switch},
    http,
    join::NAMED_ADDRESSES,
    kube,
    memory::NEAR_SHARE,
    names::MAX_NAME,
    sample::{FactsDelta, Responses, Tally, Window},
};
use netwhy_abi::{
    EdgeKey,
    memory::{self, ADDRESSES, Limits, States},
};

/// The process without any load, its programs in the kernel and its file's pages, bytes.
const PROCESS: u64 = 16 << 20;
/// A cgroup with traffic: its path, its control files at three moments, the kernel's entries of those, its subject and
/// two views of it, bytes.
const CGROUP: u64 = 20 << 10;
/// An edge that is active each second: its row twice, its growth in each tick of the window, its baselines, bytes.
const EDGE: u64 = 8_704;
/// Response times of such an edge: the same once more, bytes.
const EDGE_RESPONSES: u64 = 7_168;
/// Frames of the window that these three hold: 10 s of one tick a second.
const FRAMES: u64 = 10;
/// Four buckets of a histogram, bytes.
const BUCKETS: u64 = 64;
/// An edge in a further frame: its row and the buckets of its histogram, bytes.
const EDGE_FRAME: u64 = size_of::<(EdgeKey, Tally)>() as u64 + BUCKETS;
/// Response times of an edge in a further frame, bytes.
const RESPONSES_FRAME: u64 = size_of::<(EdgeKey, Responses)>() as u64 + BUCKETS;
/// A cgroup in a further frame, bytes.
const CGROUP_FRAME: u64 = size_of::<(u64, FactsDelta)>() as u64;
/// A subject that keeps its series after its last cgroup is gone, bytes.
const GONE_SUBJECT: u64 = 8 << 10;
/// An edge in the flight recorder: two packed rows, as they were written and of now, bytes.
const HISTORY_EDGE: u64 = 1 << 10;
/// A replay of the past is a second pipeline with fewer frames: a part in so many of an edge's and a cgroup's memory.
const REPLAY_PART: u64 = 2;
/// HTTP calls of a cgroup: all rows that it may have, twice, bytes.
const CALLS: u64 = 32 << 10;
/// An address with a name: its row in a table that is half empty, and the longest name, bytes.
const NAMED_ADDRESS: u64 = 2 * 64 + MAX_NAME as u64 + 16;
/// A Pod of this Node, bytes.
const POD: u64 = 6 << 10;
/// A Node of the cluster with its ranges, bytes.
const NODE: u64 = 1 << 10;
/// Memory of a page of a list while it is read: its text and its objects, per byte of text.
const PAGE: u64 = 4;
/// Series of a subject with two classes of peers.
const SERIES: u64 = 24;
/// Bytes of a series in a scrape, with long names of Pods and workloads.
pub const SERIES_BYTES: u64 = 192;
/// Drop reasons and DNS servers of a cgroup.
const ROWS: u64 = 2;

/// The load of one Node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// TCP sockets.
    pub sockets: u64,
    /// cgroups, those of Pods, containers and units.
    pub cgroups: u64,
    /// Edges.
    pub edges: u64,
    /// Connections of clients that scrape or ask.
    pub scrapers: u64,
    /// Subjects that keep their series after their last cgroup is gone.
    pub gone_subjects: u64,
    /// Pods of this Node. 0: without Kubernetes.
    pub pods: u64,
    /// Nodes of the cluster.
    pub nodes: u64,
}

impl Load {
    /// The load that the chart's default limit is for.
    pub const DOCUMENTED: Self =
        Self { sockets: 20_000, cgroups: 250, edges: 3_000, scrapers: 4, gone_subjects: 250, pods: 250, nodes: 1_000 };
}

/// Terms of the function that the configuration and the machine set.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    limits: Limits,
    series: u64,
    gone_subjects: u64,
    /// Frames of the window beyond [`FRAMES`].
    frames: u64,
    http: http::Limits,
    /// Whether connections have storage for their response times.
    has_responses: bool,
    /// Whether HTTP calls are read.
    has_calls: bool,
    /// Whether the names of peers are read.
    has_names: bool,
    /// Whether the flight recorder is on.
    has_history: bool,
    /// How the kernel keeps the states of sockets.
    states: States,
    cpus: usize,
}

/// Number of CPUs.
pub fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Budget {
    /// The function for this configuration and number of CPUs, where sockets have storage.
    pub fn new(config: &Config, cpus: usize) -> Self {
        let sampling = &config.sampling;
        Self {
            limits: config.limits.maps(),
            series: config.limits.series(),
            gone_subjects: config.limits.gone_subjects(),
            frames: Window::frames(sampling.window_seconds(), sampling.tick_seconds()).saturating_sub(FRAMES),
            http: http::Limits::from(&config.http),
            has_responses: config.signals.responses() != Switch::Off,
            has_calls: config.signals.http() != Switch::Off,
            has_names: config.signals.dns_names() != Switch::Off,
            has_history: config.history.folder().is_some(),
            states: States::InStorage,
            cpus,
        }
    }

    /// The same where the kernel keeps the states of sockets so.
    #[must_use]
    pub fn with_states(self, states: States) -> Self {
        Self { states, ..self }
    }

    /// Bytes of each part at most, kernel memory included.
    pub fn parts(&self, load: &Load) -> Vec<MemoryPart> {
        let mut parts = Vec::new();
        let mut add = |part: &str, bytes: u64| parts.push(MemoryPart { part: part.to_owned(), bytes });
        let edges = load.edges.min(self.limits.edges as u64);
        add("process", PROCESS);
        add("cgroups", load.cgroups * (CGROUP + self.frames * CGROUP_FRAME));
        add("edges", edges * (EDGE + self.frames * EDGE_FRAME));
        add("gone subjects", self.gone(load) * GONE_SUBJECT);
        add("pods and nodes", load.pods * POD + load.nodes * NODE + self.page(load));
        add("clients", self.clients(load));
        let sockets = load.sockets.min(self.states.most() as u64);
        add("socket storage", sockets * self.states.of_socket() as u64);
        add("socket tables", self.states.empty(self.cpus) as u64);
        if self.has_responses {
            add("response storage", sockets * self.states.of_turns() as u64);
            add("response times", edges * (EDGE_RESPONSES + self.frames * RESPONSES_FRAME));
        }
        if self.has_calls {
            add("http samples", memory::http(self.cpus) as u64 + load.cgroups * CALLS);
            add("http connections", FOLLOWED_BYTES);
        }
        if self.has_names {
            add("dns answers", memory::names() as u64);
            add("dns names", NAMED_ADDRESSES as u64 * NAMED_ADDRESS);
        }
        if self.has_history {
            let of_edge = EDGE + if self.has_responses { EDGE_RESPONSES } else { 0 };
            add("history", edges * HISTORY_EDGE);
            add("replay", (edges * of_edge + load.cgroups * CGROUP) / REPLAY_PART);
        }
        let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let rows = Limits {
            cgroups: size(load.cgroups),
            edges: size(edges),
            drops: size(load.cgroups * ROWS),
            prefixes: size(load.nodes * ROWS),
        };
        memory::each_map(rows, self.limits, self.cpus, |name, bytes| add(&format!("map {name}"), bytes as u64));
        parts
    }

    /// Bytes of all parts.
    pub fn total(&self, load: &Load) -> u64 {
        self.parts(load).iter().map(|part| part.bytes).sum()
    }

    /// The memory limit under which an agent with this load sheds nothing, rounded up to whole 16 MiB.
    pub fn needed_limit(&self, load: &Load) -> u64 {
        // A higher limit may come with larger tables.
        let states = match self.states {
            States::ByAddress { has_turns, .. } => States::ByAddress { rows: ADDRESSES, has_turns },
            States::InStorage => States::InStorage,
        };
        ((self.with_states(states).total(load) as f64 / NEAR_SHARE) as u64).next_multiple_of(16 << 20)
    }

    /// Sockets that fit under a memory limit beside the rest of the load, before the agent sheds load.
    pub fn fitting_sockets(&self, load: &Load, limit: u64) -> u64 {
        let rest = self.total(&Load { sockets: 0, ..*load });
        let of_socket = self.states.of_socket() + if self.has_responses { self.states.of_turns() } else { 0 };
        let fitting = ((limit as f64 * NEAR_SHARE) as u64).saturating_sub(rest) / of_socket as u64;
        fitting.min(self.states.most() as u64)
    }

    /// One page of a list of the API server is read at a time.
    fn page(&self, load: &Load) -> u64 {
        if load.pods + load.nodes == 0 { 0 } else { PAGE * kube::MAX_PAGE_BYTES }
    }

    fn gone(&self, load: &Load) -> u64 {
        load.gone_subjects.min(self.gone_subjects)
    }

    fn clients(&self, load: &Load) -> u64 {
        let subjects = load.cgroups + self.gone(load);
        let scrape = self.series.min(subjects * SERIES) * SERIES_BYTES;
        self.http.memory_of(load.scrapers, scrape) + http::Limits::PROBES.memory_of(1, 0)
    }
}

#[cfg(test)]
mod tests;
