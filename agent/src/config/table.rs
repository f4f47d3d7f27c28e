//! The table of settings. It is the only place where a key is declared: the struct, its default, the parser, `config
//! check`, `config example` and docs/configuration.md are made from it.

use super::value::{Fault, Setting};
use super::{Cidr, Kind, NodeRange, RttBuckets, RunQueue, Switch};
use serde_norway::Value;
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// Section, such as `sampling`.
    pub section: &'static str,
    /// Name within the section, such as `rtt_every`.
    pub name: &'static str,
    /// Both: `sampling.rtt_every`.
    pub path: &'static str,
    /// Kind of value.
    pub kind: Kind,
    /// Lowest and highest number allowed. `None`: not a number.
    pub range: Option<(f64, f64)>,
    /// Unit; empty where the kind says it all.
    pub unit: &'static str,
    /// What a change takes.
    pub change: Change,
    /// One or two sentences.
    pub help: &'static str,
    pub(super) read: fn(&mut Config, &Value, &Key) -> Result<(), Vec<Fault>>,
    pub(super) show: fn(&Config) -> String,
}

/// What it takes for a changed value to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The running agent takes it over when the file's bytes change.
    Live,
    /// The agent must be restarted.
    Restart,
}

/// One section.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Name in the file.
    pub name: &'static str,
    /// What is set there.
    pub help: &'static str,
}

impl Key {
    /// The value in `config`, as it would stand in the file.
    pub fn value(&self, config: &Config) -> String {
        (self.show)(config)
    }

    /// The allowed range for the documentation, such as `1…60`. `None`: not a number.
    pub fn range_text(&self) -> Option<String> {
        self.range.map(|(low, high)| format!("{low}…{high}"))
    }

    /// What an error asks for: `a ratio between 0 and 1`.
    pub(super) fn wanted(&self) -> String {
        let noun = match (self.kind, self.unit) {
            (Kind::Seconds, _) => "seconds",
            (_, "ms") => "milliseconds",
            (_, "ratio") => "a ratio",
            (_, "share") => "a share",
            (Kind::Whole, _) => "a whole number",
            _ => "a number",
        };
        match self.range {
            Some((low, high)) => format!("{noun} between {low} and {high}"),
            None => noun.to_owned(),
        }
    }
}

/// The section's keys, in the order of the table.
pub fn keys_of(section: &str) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.section == section)
}

/// `"section help" name: Struct { key: Type = default, [range], "unit", Change, "help"; … }`
macro_rules! settings {
    ($($about:literal $section:ident: $Struct:ident {
        $($key:ident: $Type:ty = $default:expr, [$($low:literal..=$high:literal)?], $unit:literal, $change:ident, $help:literal;)*
    })*) => {
        /// The whole configuration. `Config::default()` is what an empty file gives.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Config {
            $(#[doc = $about] pub $section: $Struct,)*
        }

        $(
            #[doc = $about]
            #[derive(Clone, Debug, PartialEq)]
            pub struct $Struct {
                $(#[doc = $help] pub $key: $Type,)*
            }

            impl Default for $Struct {
                fn default() -> Self {
                    Self { $($key: <$Type as Setting>::of($default),)* }
                }
            }
        )*

        /// All sections, in the order of the documentation.
        pub static SECTIONS: &[Section] = &[$(Section { name: stringify!($section), help: $about },)*];

        /// All settings, in the order of the documentation.
        pub static KEYS: &[Key] = &[$($(Key {
            section: stringify!($section),
            name: stringify!($key),
            path: concat!(stringify!($section), ".", stringify!($key)),
            kind: <$Type as Setting>::KIND,
            range: settings!(@range $($low, $high)?),
            unit: $unit,
            change: Change::$change,
            help: $help,
            read: |config, value, key| {
                config.$section.$key = <$Type as Setting>::read(value, key)?;
                Ok(())
            },
            show: |config| config.$section.$key.show(),
        },)*)*];
    };
    (@range) => { None };
    (@range $low:literal, $high:literal) => { Some(($low as f64, $high as f64)) };
}

settings! {
    "How often things are measured." sampling: Sampling {
        rtt_every: u64 = 16, [1..=1024], "ACKs per sample", Restart,
            "A busy socket's RTT is sampled on 1 in this many ACKs, on four times as many when they come after 8 jiffies of rest; above 4, on as few as a sixteenth of that once it has carried thousands, when they follow within milliseconds. Quiet sockets are sampled by the walk.";
        rtt_windows_above: u64 = 10_000, [0..=1000000000], "segments/s", Restart,
            "While the Node receives at least this many segments a second, they are looked at for an eighth of the time, in windows of 64 ms, and win a sample eight times as often. 0: always so; 1000000000: never.";
        rtt_rare_above: u64 = 50_000, [0..=1000000000], "segments/s per CPU", Restart,
            "While the Node receives at least this many segments a second and CPU, these windows are a quarter as many: a thirty-second of the time. 0: always so; 1000000000: never.";
        churn_above: u64 = 10_000, [0..=1000000000], "sockets/s per CPU", Restart,
            "While at least this many TCP sockets end a second and CPU, completed handshakes are looked at for an eighth of the time, in windows of 64 ms, and of sockets that lived too short for a walk and resent nothing one in eight is counted, each for eight. Failed attempts, resets, retransmissions and all other sockets are counted one by one. 0: always so; 1000000000: never.";
        walk_seconds: Duration = 1, [1..=60], "s", Restart,
            "Shortest time between two walks over the live sockets, which is how a quiet Pod's connections are seen.";
        walk_cpu_share: f64 = 0.003, [0.0001..=0.1], "share", Restart,
            "Walks are spaced so that they take at most this share of one core.";
        tick_seconds: Duration = 1, [0.1..=10], "s", Restart,
            "Time between two reads of the kernel's counters.";
        window_seconds: Duration = 10, [2..=300], "s", Restart,
            "Length of the window that hints and the API's statistics are computed over.";
        facts_seconds: Duration = 2, [0.1..=60], "s", Restart,
            "Time between two reads of the cgroup files (throttling, pressure, OOM kills).";
    }
    "What is measured. `auto`: when the kernel can; `on`: refuse to start without it; `off`: not at all." signals: Signals {
        rtt: Switch = Switch::Auto, [], "", Restart,
            "Round-trip times.";
        retransmits: Switch = Switch::Auto, [], "", Restart,
            "Retransmitted segments and loss episodes.";
        connects: Switch = Switch::Auto, [], "", Restart,
            "Handshakes: durations, successes and failures.";
        resets: Switch = Switch::Auto, [], "", Restart,
            "Resets sent and received.";
        sockets: Switch = Switch::Auto, [], "", Restart,
            "Bytes, segments and what held senders back, read from live sockets and from those that close.";
        drops: Switch = Switch::Auto, [], "", Restart,
            "Dropped packets by the kernel's reason.";
        dns: Switch = Switch::Auto, [], "", Restart,
            "DNS lookups over UDP: how long, and how many without an answer. Takes the capability NET_ADMIN; `auto`: when the agent has it.";
        run_queue: RunQueue = RunQueue::Pressure, [], "", Restart,
            "Waits for a CPU. `pressure`: while some task of the Node or of a Pod waited for one 10 % of the time or more for 6 s, until 30 s after it falls below 5 %, one second in ten; `on`: always, which costs something at every context switch.";
        accept_queue: Switch = Switch::Auto, [], "", Restart,
            "Connections that a listener's full accept queue turned away.";
        cgroup_files: Switch = Switch::Auto, [], "", Restart,
            "CPU throttling, pressure and OOM kills from the cgroup files.";
    }
    "When a hint is given. All are compared with the values of one window." thresholds: Thresholds {
        loss_ratio: f64 = 0.002, [0..=1], "ratio", Live,
            "Loss episodes per data segment below which loss is never hinted at.";
        min_segments: u64 = 200, [1..=1_000_000], "segments", Live,
            "Data segments that a window must hold before its loss is judged.";
        receiver_limited_share: f64 = 0.5, [0..=1], "share", Live,
            "Share of busy time held back by the peer's window from which the peer counts as a slow reader.";
        send_buffer_limited_share: f64 = 0.5, [0..=1], "share", Live,
            "Share of busy time held back by the own send buffer from which the buffer counts as too small.";
        throttled_share: f64 = 0.1, [0..=1], "share", Live,
            "Share of CPU periods throttled from which the quota counts as the cause.";
        accept_drops: u64 = 10, [1..=1_000_000], "connections", Live,
            "Connections turned away by a full accept queue from which it is hinted at.";
        connect_failures: u64 = 3, [1..=1_000_000], "attempts", Live,
            "Failed connection attempts below which a peer is never hinted at.";
        connect_failure_share: f64 = 0.5, [0..=1], "share", Live,
            "Share of connection attempts that fail from which the peer is hinted at.";
        syn_retransmits: u64 = 3, [1..=1_000_000], "segments", Live,
            "Retransmitted SYNs from which a peer counts as hard to reach.";
        rtt_inflation: f64 = 3.0, [1..=1000], "× baseline", Live,
            "RTT over its baseline from which it counts as inflated.";
        rtt_floor_ms: f64 = 1.0, [0..=10_000], "ms", Live,
            "RTTs below this are never hinted at, however much they grew.";
        think_time_ms: f64 = 5.0, [0..=60_000], "ms", Live,
            "Time that the peer's application adds to the path's RTT from which the application counts as slow.";
        dns_slow_ms: f64 = 100.0, [1..=60_000], "ms", Live,
            "Duration below which a DNS lookup never counts as slow, however much it grew.";
        enter_windows: u64 = 2, [1..=30], "windows", Live,
            "Bad windows among the last `enter_windows` + 1 that make a hint fire.";
        leave_windows: u64 = 6, [1..=360], "windows", Live,
            "Clean windows in a row before a hint counts as resolved.";
    }
    "How finely metrics are split. Fewer labels make fewer series." labels: Labels {
        rtt_buckets: RttBuckets = RttBuckets::Coarse, [], "", Live,
            "Buckets of RTT histograms. `coarse`: 9 bounds from 50 µs to 10 s; `fine`: every bucket of the kernel side.";
        workload: bool = true, [], "", Live,
            "Whether Pod series carry the `workload` label.";
        peer: bool = true, [], "", Live,
            "Whether series are split by the `peer` label, where they have one.";
    }
    "What bounds memory and output. The first four are the sizes of kernel maps." limits: Limits {
        cgroups: u64 = 4096, [64..=65_536], "cgroups", Restart,
            "cgroups with TCP traffic that are kept apart.";
        edges: u64 = 16_384, [256..=262_144], "edges", Restart,
            "Pairs of cgroup and remote address that are kept apart; beyond it, traffic is counted per cgroup and peer class.";
        drops: u64 = 4096, [64..=65_536], "rows", Restart,
            "Pairs of cgroup and drop reason that are kept apart.";
        prefixes: u64 = 16_384, [64..=262_144], "prefixes", Restart,
            "Address ranges that peers are classified by.";
        series: u64 = 50_000, [1000..=2_000_000], "series", Restart,
            "Series in one scrape; beyond it, the quietest subjects are folded into one `~other` row.";
        edges_in_view: u64 = 512, [16..=16_384], "edges", Restart,
            "Edges that one view serves, busiest first.";
        peer_nodes: u64 = 64, [1..=8192], "Nodes", Restart,
            "Nodes at the other end that have `netwhy_edge_*` series of their own, in the order of their first traffic; the others share one `~other` row.";
        gone_seconds: Duration = 90, [1..=120], "s", Live,
            "How long a subject keeps its series after its last cgroup went.";
        edge_idle_seconds: Duration = 300, [30..=3600], "s", Restart,
            "An edge without traffic for this long gives up its place in the kernel map.";
    }
    "Address ranges by distance, for a machine without Kubernetes or a cluster whose ranges are known. The longest match counts; what matches nothing is external." peers: Peers {
        same_zone: Vec<Cidr> = &[], [], "", Live,
            "Other Nodes of this zone and their Pods.";
        cross_zone: Vec<Cidr> = &[], [], "", Live,
            "Nodes of other zones and their Pods.";
        in_cluster: Vec<Cidr> = PRIVATE, [], "", Live,
            "In the cluster, or private, without a closer place being known.";
        services: Vec<Cidr> = &[], [], "", Live,
            "ClusterIPs of Services (the API server's `--service-cluster-ip-range`): shown as Service addresses where the Pod behind one is not known.";
        external: Vec<Cidr> = &[], [], "", Live,
            "Outside, although a range above covers it.";
        nodes: Vec<NodeRange> = [], [], "", Live,
            "Nodes by name and zone (`NAME=RANGE` where it is not known), with the addresses of each and its Pods, this one included: hints name them. For machines without Kubernetes.";
    }
    "Kubernetes." kube: Kube {
        mode: Switch = Switch::Auto, [], "", Restart,
            "`auto`: on when an in-cluster configuration or a kubeconfig is found; `off`: cgroups are named by unit, container or path.";
        node_name: Option<String> = None, [], "", Restart,
            "The Node whose Pods are watched. `null`: the host name.";
        kubeconfig: Option<PathBuf> = None, [], "", Restart,
            "Kubeconfig file. `null`: the in-cluster configuration.";
        nodes: bool = true, [], "", Restart,
            "Whether all Nodes are watched (metadata only), so that peers are named by Node and zone.";
        endpoint_slices: bool = false, [], "", Restart,
            "Whether EndpointSlices are watched too: for CNIs whose Pod addresses don't follow the Nodes' ranges, and to name peers' Pods. Memory grows with the cluster's endpoints.";
        events: bool = true, [], "", Restart,
            "Whether warnings about Pods in trouble are asked for, at most one request per second.";
        publish_events: bool = false, [], "", Restart,
            "Whether firing hints are written as Events on their Pods, one request per second at most. Needs the right to create and patch Events.";
        publish_conditions: bool = false, [], "", Restart,
            "Whether the Node gets a condition `NetwhyNetworkTrouble` that is true while a hint blames it. Needs the right to patch `nodes/status`.";
        conntrack: bool = true, [], "", Restart,
            "Whether the Node's connection tracking table is read, where it may be, every 30 s (a long one more rarely), to find the Pod behind a Service's address.";
    }
    "The HTTP listener." http: Http {
        listen: SocketAddr = ([0, 0, 0, 0], 9810), [], "", Restart,
            "Address and port of `/metrics`, `/livez`, `/readyz` and `/api/v1`.";
        max_connections: u64 = 64, [1..=4096], "connections", Restart,
            "Connections served at once.";
        read_timeout_seconds: Duration = 10, [1..=300], "s", Restart,
            "Time that a client has for sending its request.";
    }
}

/// Private (RFC 1918, RFC 4193), shared (RFC 6598; some clouds number Pods from it) and IPv6 link-local ranges.
const PRIVATE: &[Cidr] = &[
    Cidr::v4([10, 0, 0, 0], 8),
    Cidr::v4([172, 16, 0, 0], 12),
    Cidr::v4([192, 168, 0, 0], 16),
    Cidr::v4([100, 64, 0, 0], 10),
    Cidr::v6(0xfc00, 7),
    Cidr::v6(0xfe80, 10),
];
