//! The table of settings, and the only place that declares a key. The struct, its default, its accessor, the parser,
//! `config check`, `config example` and docs/configuration.md are made from it.
//!
//! Other rooms read a setting by its accessor, never by its field. So the compiler knows which settings have a reader,
//! and refuses one that has none.

use super::value::{Fault, Setting};
use super::yaml::Value;
use super::{ApiAccess, Authorization, Cidr, Kind, NodeRange, RttBuckets, RunQueue, Switch};
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
    /// Lowest and highest allowed number. `None`: not a number.
    pub range: Option<(f64, f64)>,
    /// Unit; empty for kinds without one.
    pub unit: &'static str,
    /// How a change takes effect.
    pub change: Change,
    /// One or two sentences.
    pub help: &'static str,
    pub(super) read: fn(&mut Config, &Value, &Key) -> Result<(), Vec<Fault>>,
    pub(super) show: fn(&Config) -> String,
    /// Copies the value of the second configuration to the first.
    pub(super) copy: fn(&mut Config, &Config),
}

/// How a changed value takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The running agent reloads it when the file changes.
    Live,
    /// The agent must be restarted.
    Restart,
    /// The running agent turns the signal off, and on again. One that was off at its start needs a restart.
    Signal,
}

/// One section.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Name in the file.
    pub name: &'static str,
    /// Purpose of its keys.
    pub help: &'static str,
}

impl Key {
    /// The value in `config`, in the syntax of the file.
    pub fn value(&self, config: &Config) -> String {
        (self.show)(config)
    }

    /// The allowed range for the documentation, such as `1…60`. `None`: not a number.
    pub fn range_text(&self) -> Option<String> {
        self.range.map(|(low, high)| format!("{low}…{high}"))
    }

    /// The remedy in an error: `a ratio between 0 and 1`.
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
        $($key:ident: $Type:ty = $default:expr, [$($low:literal..=$high:literal)?], $unit:literal, $change:ident,
            $help:literal;)*
    })*) => {
        /// The whole configuration. An empty file gives `Config::default()`.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Config {
            $(#[doc = $about] pub $section: $Struct,)*
        }

        $(
            #[doc = $about]
            #[derive(Clone, Debug, PartialEq)]
            pub struct $Struct {
                $(#[doc = $help] pub(super) $key: $Type,)*
            }

            // A setting whose accessor nobody calls has no effect. The compiler refuses it. Without the kernel side,
            // some of their readers are not compiled.
            #[cfg_attr(all(feature = "ebpf", target_os = "linux"), deny(dead_code))]
            #[cfg_attr(not(all(feature = "ebpf", target_os = "linux")), allow(dead_code))]
            impl $Struct {
                $(
                    #[doc = $help]
                    pub(crate) fn $key(&self) -> <$Type as Setting>::Ref<'_> {
                        self.$key.get()
                    }
                )*
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
            copy: |to, from| to.$section.$key.clone_from(&from.$section.$key),
        },)*)*];
    };
    (@range) => { None };
    (@range $low:literal, $high:literal) => { Some(($low as f64, $high as f64)) };
}

settings! {
    "Sampling rates, duty cycles and intervals." sampling: Sampling {
        rtt_every: u64 = 16, [1..=1024], "ACKs per sample", Live,
            "ACKs per RTT sample of a busy socket. ACKs after a pause of 8 jiffies are sampled four times as often. \
             Above 4, a socket with thousands of segments and ACKs milliseconds apart (on a duty cycle, tens of \
             milliseconds) is sampled up to 16 times less often. The walk samples quiet sockets.";
        rtt_windows_above: u64 = 10_000, [0..=1000000000], "segments/s", Live,
            "Received segments per second on this Node, above which the RTT probe runs on a 1/8 duty cycle with duty \
             periods of 64 ms. Samples are then taken eight times as often. 0: always on the duty cycle; 1000000000: \
             never.";
        rtt_rare_above: u64 = 50_000, [0..=1000000000], "segments/s per CPU", Live,
            "Received segments per second and CPU, above which the duty cycle of the RTT probe falls to 1/32. 0: \
             always; 1000000000: never.";
        churn_above: u64 = 10_000, [0..=1000000000], "sockets/s per CPU", Live,
            "Closed TCP sockets per second and CPU, above which the handshake probe runs on a 1/8 duty cycle with \
             duty periods of 64 ms. Short sockets without retransmissions are then sampled 1 in 8 and weighted by 8. \
             Failed attempts, resets, retransmissions and all other sockets are always counted one by one. 0: always \
             on the duty cycle; 1000000000: never.";
        dns_above: u64 = 2_000, [0..=1000000000], "lookups/s per CPU", Live,
            "DNS lookups per second and CPU, above which the lookups of 1 socket in 16 are observed and weighted by 16. \
             0: always; 1000000000: never.";
        http: f64 = 0.05, [0.0001..=1], "share", Live,
            "Share of requests that are read for HTTP, with `signals.http`. At most 16 of a cgroup are read in half a \
             second.";
        grpc: f64 = 0.01, [0.0001..=1], "share", Live,
            "Share of connections that are followed for HTTP/2 and gRPC, with `signals.http`. At most 96 KiB of a cgroup \
             are read in half a second, of 64 connections at a time.";
        walk_seconds: Duration = 1, [1..=60], "s", Live,
            "Shortest time between two walks over the live sockets. Walks sample the connections of quiet Pods.";
        walk_max_seconds: Duration = 30, [1..=3600], "s", Live,
            "Longest time between two walks, whatever one takes. It grows if walks would take more than a \
             tenth of a core.";
        walk_cpu_share: f64 = 0.003, [0.0001..=0.1], "share", Live,
            "CPU time for walks, as a share of one core. Walks become rarer to stay below it, up to \
             `walk_max_seconds`.";
        tick_seconds: Duration = 1, [0.1..=10], "s", Live,
            "Time between two snapshots of the kernel's counters.";
        window_seconds: Duration = 10, [2..=300], "s", Live,
            "Length of the window for hints and for the statistics of the API.";
        facts_seconds: Duration = 2, [0.1..=60], "s", Live,
            "Time between two reads of the cgroup files: throttling, pressure, OOM kills.";
        close_ups: u64 = 4, [0..=64], "Pods", Live,
            "Pods of this Node that `kubectl netwhy watch-closer` may exempt from sampling at the same time. Those asked \
             for first come first. 0: none.";
    }
    "Signals to measure. `auto`: if the kernel supports it; `on`: the agent does not start without it; \
     `off`: never." signals: Signals {
        rtt: Switch = Switch::Auto, [], "", Signal,
            "Round-trip times.";
        retransmits: Switch = Switch::Auto, [], "", Signal,
            "Retransmitted segments and loss episodes.";
        connects: Switch = Switch::Auto, [], "", Restart,
            "Handshakes: durations, successes and failures.";
        resets: Switch = Switch::Auto, [], "", Signal,
            "Resets sent and received.";
        sockets: Switch = Switch::Auto, [], "", Restart,
            "Bytes, segments and send limits of live and closed sockets.";
        drops: Switch = Switch::Auto, [], "", Signal,
            "Dropped packets by the kernel's drop reason.";
        responses: Switch = Switch::Auto, [], "", Signal,
            "Response times of requests over TCP, at clients and servers, with the parts that they consist of.";
        http: Switch = Switch::Off, [], "", Signal,
            "Methods, routes and statuses of a sample of clear-text HTTP/1 requests. Needs `signals.responses`, and \
             Linux 6.12. Of a request only the method and the words of its path are kept: no query, header or body.";
        dns: Switch = Switch::Auto, [], "", Signal,
            "Duration of DNS lookups over UDP, and lookups without an answer. Needs the capability NET_ADMIN; `auto` \
             turns it on when the agent has it.";
        dns_names: Switch = Switch::Off, [], "", Signal,
            "Names of peers outside the cluster, from the answers to the Pods' DNS lookups. Needs `signals.dns`, and Linux \
             6.3. Of an answer the name, its addresses and their lifetime are kept, for a day at most.";
        run_queue: RunQueue = RunQueue::Pressure, [], "", Signal,
            "Wait of tasks for a CPU. `pressure`: one second in ten under CPU pressure. Pressure begins when tasks of \
             the Node or of a Pod wait 10 % of the time for 6 s, and ends 30 s after it falls below 5 %. `on`: \
             always, which costs CPU time at every context switch.";
        accept_queue: Switch = Switch::Auto, [], "", Restart,
            "Connections rejected because a listener's accept queue was full.";
        cgroup_files: Switch = Switch::Auto, [], "", Live,
            "CPU throttling, pressure and OOM kills from the cgroup files.";
    }
    "Thresholds of hints. Each is compared with the values of one window." thresholds: Thresholds {
        loss_ratio: f64 = 0.002, [0..=1], "ratio", Live,
            "Fewest loss episodes per data segment for a hint about loss.";
        min_segments: u64 = 200, [1..=1_000_000], "segments", Live,
            "Fewest data segments in a window for a judgement of its loss.";
        receiver_limited_share: f64 = 0.5, [0..=1], "share", Live,
            "Share of busy time limited by the peer's receive window, from which the peer counts as a slow reader.";
        send_buffer_limited_share: f64 = 0.5, [0..=1], "share", Live,
            "Share of busy time limited by the send buffer, from which the buffer counts as too small.";
        throttled_share: f64 = 0.1, [0..=1], "share", Live,
            "Share of throttled CPU periods, from which the CPU limit counts as the cause.";
        accept_drops: u64 = 10, [1..=1_000_000], "connections", Live,
            "Fewest connections rejected by a full accept queue for a hint.";
        connect_failures: u64 = 3, [1..=1_000_000], "attempts", Live,
            "Fewest failed connection attempts to a peer for a hint.";
        connect_failure_share: f64 = 0.5, [0..=1], "share", Live,
            "Smallest share of failed connection attempts to a peer for a hint.";
        syn_retransmits: u64 = 3, [1..=1_000_000], "segments", Live,
            "Retransmitted SYNs, from which a peer counts as hard to reach.";
        rtt_inflation: f64 = 3.0, [1..=1000], "× baseline", Live,
            "Ratio of RTT to its baseline, from which the RTT counts as inflated.";
        rtt_floor_ms: f64 = 1.0, [0..=10_000], "ms", Live,
            "Smallest RTT for a hint, whatever its baseline.";
        think_time_ms: f64 = 5.0, [0..=60_000], "ms", Live,
            "Reply time beyond the path's RTT, from which the peer's application counts as slow.";
        dns_slow_ms: f64 = 100.0, [1..=60_000], "ms", Live,
            "Shortest DNS lookup that can count as slow, whatever its baseline.";
        enter_windows: u64 = 2, [1..=30], "windows", Live,
            "Bad windows among the last `enter_windows` + 1 that open a hint.";
        leave_windows: u64 = 6, [1..=360], "windows", Live,
            "Good windows in a row that close a hint.";
    }
    "Labels and buckets of metrics. Fewer labels give fewer series." labels: Labels {
        rtt_buckets: RttBuckets = RttBuckets::Coarse, [], "", Live,
            "Buckets of RTT histograms. `coarse`: 9 buckets from 50 µs to 10 s; `fine`: every bucket of the kernel \
             side.";
        workload: bool = true, [], "", Live,
            "Whether series of Pods have the label `workload`.";
        peer: bool = true, [], "", Live,
            "Whether metrics are split by the label `peer`, where they have one.";
        semconv: bool = false, [], "", Live,
            "Whether requests of HTTP and calls of gRPC are exported a second time, with the names of OpenTelemetry's \
             stable semantic conventions (docs/metrics.md). These series count for `limits.series`.";
    }
    "Bounds of memory and output. The first four are the sizes of kernel maps." limits: Limits {
        cgroups: u64 = 4096, [64..=65_536], "cgroups", Restart,
            "cgroups with TCP traffic of their own row in the kernel map.";
        edges: u64 = 16_384, [256..=262_144], "edges", Restart,
            "Edges (pairs of cgroup and remote address) with their own row. Further edges share one overflow row per \
             cgroup and peer class.";
        drops: u64 = 4096, [64..=65_536], "rows", Restart,
            "Pairs of cgroup and drop reason with their own row.";
        prefixes: u64 = 16_384, [64..=262_144], "prefixes", Restart,
            "Address ranges for the classification of peers.";
        series: u64 = 50_000, [1000..=2_000_000], "series", Live,
            "Series of all subjects in one scrape. Beyond it the quietest subjects share one row named `~other`.";
        edges_in_view: u64 = 512, [16..=16_384], "edges", Live,
            "Edges served by `/api/v1/edges`, busiest first.";
        peer_nodes: u64 = 64, [1..=8192], "Nodes", Live,
            "Peer Nodes with their own `netwhy_edge_*` series, in the order of their first traffic. Further Nodes \
             share one row named `~other`. A Node that the cluster has no more gives its place to the next.";
        gone_seconds: Duration = 90, [1..=120], "s", Live,
            "Time that a subject keeps its series after its last cgroup is removed.";
        gone_subjects: u64 = 1024, [0..=65_536], "subjects", Live,
            "Subjects without cgroups that keep their series for `gone_seconds`. Of more, those gone for longest share \
             the row `~other`. Each takes about 10 KiB. Near the memory limit a fraction of it holds.";
        edge_idle_seconds: Duration = 300, [30..=3600], "s", Live,
            "Time without traffic after which an edge loses its row in the kernel map.";
    }
    "The flight recorder: snapshots, Pods, peers and hints of the past, on disk. `kubectl netwhy why --at` and \
     `hints --until` read it." history: History {
        folder: Option<PathBuf> = None, [], "", Restart,
            "Folder of the history. An agent that starts as root makes it, and hands it to the user that it becomes. \
             `null`: nothing is recorded.";
        max_mib: u64 = 64, [8..=65_536], "MiB", Restart,
            "Size of the history at most. The oldest segments go first.";
        frame_seconds: Duration = 10, [1..=60], "s", Restart,
            "Time between two frames. Nothing that is counted between them is lost. Longer times hold more hours, and \
             show shorter events less exactly.";
    }
    "Address ranges by peer class, for machines without Kubernetes and for clusters with known ranges. \
     The longest match wins. An address without a match is external." peers: Peers {
        same_zone: Vec<Cidr> = &[], [], "", Live,
            "Other Nodes of this zone and their Pods.";
        cross_zone: Vec<Cidr> = &[], [], "", Live,
            "Nodes of other zones and their Pods.";
        in_cluster: Vec<Cidr> = PRIVATE, [], "", Live,
            "Peers in the cluster, or private addresses, whose Node and zone are unknown.";
        services: Vec<Cidr> = &[], [], "", Live,
            "ClusterIPs of Services: the API server's `--service-cluster-ip-range`. They are shown as Service \
             addresses while the Pod behind one is unknown.";
        external: Vec<Cidr> = &[], [], "", Live,
            "Peers outside the cluster, even where another range contains them.";
        nodes: Vec<NodeRange> = [], [], "", Live,
            "Names, zones and address ranges of Nodes and their Pods, this Node included. Without a zone write \
             `NAME=RANGE`. Hints use these names. For machines without Kubernetes.";
    }
    "Kubernetes." kube: Kube {
        mode: Switch = Switch::Auto, [], "", Restart,
            "`auto`: on with an in-cluster configuration or a kubeconfig. `off`: cgroups are named by systemd unit, \
             container or path.";
        node_name: Option<String> = None, [], "", Restart,
            "Node whose Pods are watched. `null`: the host name.";
        kubeconfig: Option<PathBuf> = None, [], "", Restart,
            "Kubeconfig file. `null`: the in-cluster configuration.";
        nodes: bool = true, [], "", Restart,
            "Whether to watch the metadata of all Nodes, so that peers are named by Node and zone.";
        endpoint_slices: bool = false, [], "", Restart,
            "Whether to watch EndpointSlices. Needed for CNIs whose Pod addresses are not in the Nodes' podCIDRs, and \
             for the names of peers' Pods. Memory grows with the cluster's endpoints.";
        events: bool = true, [], "", Restart,
            "Whether to list warnings about Pods in trouble, with at most one request per second.";
        publish_events: bool = false, [], "", Restart,
            "Whether to write firing hints as Events on their Pods, with at most one request per second. Needs the \
             right to create and patch Events.";
        publish_conditions: bool = false, [], "", Restart,
            "Whether to set the Node condition `NetwhyNetworkTrouble`, true while a hint blames the Node. Needs the \
             right to patch `nodes/status`.";
        conntrack: bool = true, [], "", Restart,
            "Whether to read the Node's connection tracking table, to find the Pod behind a Service address. Every 30 \
             s; less often while the table is long.";
    }
    "The HTTP listeners." http: Http {
        listen: SocketAddr = ([0, 0, 0, 0], 9810), [], "", Restart,
            "Address and port of `/metrics`, `/livez` and `/readyz`; of `/api/v1` too if the address is loopback.";
        probe_listen: Option<SocketAddr> = None, [], "", Restart,
            "Address and port of a second listener for `/livez` and `/readyz` alone. Clients of the first one can't \
             delay it. `null`: port 9811 of the same address, if it is free.";
        api: ApiAccess = ApiAccess::Loopback, [], "", Restart,
            "Who reaches `/api/v1`. `loopback`: clients of 127.0.0.1, such as port-forwards, whose right RBAC grants. \
             `proxy`: all clients of `listen`, such as the API server's Pod proxy.";
        api_port: u64 = 9812, [1..=65_535], "", Restart,
            "Port of `/api/v1` on 127.0.0.1, with `api: loopback`.";
        max_connections: u64 = 64, [1..=4096], "connections", Restart,
            "Most open connections. A further one closes the longest idle connection of the address that has most.";
        max_connections_per_peer: u64 = 16, [1..=4096], "connections", Restart,
            "Most open connections from one address. A further one closes the longest idle one of that address.";
        read_timeout_seconds: Duration = 10, [1..=300], "s", Restart,
            "Time that a client has to send its request.";
        write_timeout_seconds: Duration = 10, [1..=300], "s", Restart,
            "Time that a client has to take a response once its connection is congested.";
        max_response_bytes: u64 = 8_388_608, [1_048_576..=1_073_741_824], "bytes", Restart,
            "Most bytes of responses that clients have not taken yet. Beyond it, clients that don't read lose their \
             connections, and others get 503. Answers of `/api/v1` above it and above 7.5 MiB are refused.";
        tls_certificate_file: Option<PathBuf> = None, [], "", Restart,
            "Certificate chain in PEM, the listener's own certificate first. With it, `listen` answers TLS only. The \
             agent reads this file and the two below again when their contents change. `null`: plain HTTP.";
        tls_key_file: Option<PathBuf> = None, [], "", Restart,
            "Private key of the certificate, in PEM without a passphrase.";
        tls_client_ca_file: Option<PathBuf> = None, [], "", Restart,
            "CA certificates in PEM. Clients of `listen` then need a certificate that one of them signed. `null`: any \
             client may connect.";
        authorization: Authorization = Authorization::None, [], "", Restart,
            "`kubernetes`: a client sends a bearer token, and the API server decides whether its user may `get` the \
             non-resource URL `/metrics`. Needs TLS and the right to create TokenReviews and SubjectAccessReviews. \
             Answers are kept for a minute. `/livez` and `/readyz` need no token.";
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
