//! Traffic between two Nodes, as much as this machine carries, and how much that is.

use anyhow::{Context as _, Result, ensure};
use netwhy_tests::lab::{Lab, Program};
use std::{
    fs,
    time::{Duration, Instant},
};

/// How long a program may take to start.
const START: Duration = Duration::from_secs(10);

/// Keep-alive connections, and how many of them one of the client's threads has. A busy Node observes one connection in
/// 16, by a hash at each end: of these 64 ± 8. With more, each would be silent for longer than an acknowledgement may
/// wait for an answer (40 ms), so that there would be more segments.
const CONNECTIONS: [&str; 2] = ["512", "32"];

/// Kinds of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// Small requests on standing connections
    Keepalive,
    /// A connection per request
    Churn,
    /// As many bytes as go through
    Bulk,
    /// DNS lookups, by resolvers of every style.
    #[value(skip)]
    Lookups,
    /// Context switches.
    #[value(skip)]
    Switches,
}

impl Kind {
    /// Those of TCP.
    pub(super) const ALL: [Self; 3] = [Self::Keepalive, Self::Churn, Self::Bulk];

    /// Name in the JSON.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Keepalive => "keepalive",
            Self::Churn => "churn",
            Self::Bulk => "bulk",
            Self::Lookups => "lookups",
            Self::Switches => "switches",
        }
    }

    /// One of [`Load::count`], for people.
    pub(super) const fn one(self) -> &'static str {
        match self {
            Self::Keepalive => "request",
            Self::Churn => "connection",
            Self::Bulk => "byte",
            Self::Lookups => "DNS query",
            Self::Switches => "context switch",
        }
    }

    /// Whether one of [`Load::count`] is a request over TCP and its answer, or about one.
    pub(super) const fn has_requests(self) -> bool {
        matches!(self, Self::Keepalive | Self::Churn)
    }

    /// For people.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Keepalive => "keep-alive requests",
            Self::Churn => "connection churn",
            Self::Bulk => "bulk",
            Self::Lookups => "DNS queries",
            Self::Switches => "context switches",
        }
    }

    /// Unit of [`Load::count`].
    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::Keepalive => "requests",
            Self::Churn => "connections",
            Self::Bulk => "bytes",
            Self::Lookups => "queries",
            Self::Switches => "switches",
        }
    }

    /// The server's counter: file below /proc/PID/net, group and name.
    ///
    /// A request's answer is one segment, and the acknowledgement of the request rides on it.
    /// `None`: none of the network's.
    const fn counter(self) -> Option<(&'static str, &'static str, &'static str)> {
        match self {
            Self::Keepalive => Some(("snmp", "Tcp:", "OutSegs")),
            Self::Churn => Some(("snmp", "Tcp:", "PassiveOpens")),
            Self::Bulk => Some(("netstat", "IpExt:", "InOctets")),
            Self::Lookups => Some(("snmp", "Udp:", "InDatagrams")),
            Self::Switches => None,
        }
    }
}

/// Running traffic; ends when dropped.
pub(super) struct Load {
    kind: Kind,
    // The client ends first. `None`: the load is one program.
    _client: Option<Program>,
    server: Program,
    begun: (Instant, u64),
    /// Requests and counts just after the begin; see [`Load::requests_per_count`].
    first: Option<(u64, u64)>,
}

impl Load {
    /// Starts it from Node a to Node b and waits until it flows.
    pub(super) fn start(lab: &Lab, kind: Kind) -> Result<Self> {
        let client_pod = lab.pod("a", &format!("{}-client", kind.name()))?;
        let server_pod = lab.pod("b", &format!("{}-server", kind.name()))?;
        let server = match kind {
            Kind::Bulk => lab.start(&server_pod, &["sink"])?,
            Kind::Keepalive | Kind::Churn => lab.start(&server_pod, &["server"])?,
            Kind::Lookups => lab.start(&server_pod, &["dns-server"])?,
            Kind::Switches => lab.start(&server_pod, &["switch"])?,
        };
        let ready = server.wait_ready(START)?;
        if kind == Kind::Switches {
            return Self { kind, _client: None, server, begun: (Instant::now(), 0), first: None }.begin();
        }
        let port = ready.port.context("the server tells no port")?;
        let to = format!("{}:{port}", lab.node("b")?.ipv4);
        let mut args = match kind {
            Kind::Keepalive => vec!["client", "--connections", CONNECTIONS[0], "--per-thread", CONNECTIONS[1]],
            // The server closes first, so that closed connections' ports are free again here.
            Kind::Churn => vec!["client", "--connections", "8", "--close=server"],
            // Two fill two CPUs so that nothing else runs for seconds, also without the agent.
            Kind::Bulk => vec!["bulk", "--connections", "1", "--write-bytes", "65536"],
            // As fast as answers come.
            Kind::Lookups | Kind::Switches => vec!["dns-client", "--rate", "1000000"],
        };
        args.extend(["--to", &to]);
        if kind != Kind::Lookups {
            args.extend(["--cc", "cubic"]);
        }
        let client = lab.start(&client_pod, &args)?;
        client.wait_ready(START)?;
        Self { kind, _client: Some(client), server, begun: (Instant::now(), 0), first: None }.begin()
    }

    fn begin(mut self) -> Result<Self> {
        if self.kind == Kind::Keepalive {
            self.first = Some(self.requests_and_count()?);
        }
        self.begun = (Instant::now(), self.count()?);
        Ok(self)
    }

    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    /// The server's counter: requests, connections or bytes, ever rising.
    pub(super) fn count(&self) -> Result<u64> {
        match self.kind.counter() {
            Some((file, group, name)) => net_counter(self.server.pid(), file, group, name),
            None => switches(self.server.pid()),
        }
    }

    /// Mean rate since the start, per second.
    pub(super) fn rate(&self) -> Result<f64> {
        let (at, count) = self.begun;
        Ok((self.count()?.saturating_sub(count)) as f64 / at.elapsed().as_secs_f64())
    }

    /// Requests that the server itself has counted per count of [`Load::count`], since the begin. The counter belongs to
    /// the Node: earlier loads have counted in it too.
    pub(super) fn requests_per_count(&self) -> Result<f64> {
        let (first_requests, first_count) = self.first.context("only keep-alive requests are counted by the server")?;
        let (requests, count) = self.requests_and_count()?;
        let counted = count.saturating_sub(first_count).max(1);
        let per_count = requests.saturating_sub(first_requests) as f64 / counted as f64;
        // An answer is one segment. Without requests, or with other traffic, costs per request would be of something else.
        ensure!(
            (0.5..1.1).contains(&per_count),
            "the server answers {per_count:.2} requests per segment that its Node sends: other traffic runs there"
        );
        Ok(per_count)
    }

    /// The server's own count and [`Load::count`], both at the moment of its next report.
    fn requests_and_count(&self) -> Result<(u64, u64)> {
        let seen = self.server.latest().map_or(0.0, |report| report.seconds);
        let report = self.server.wait_for(START, |report| report.seconds > seen)?;
        Ok((report.total.requests, self.count()?))
    }
}

/// Times that threads of a process gave up their CPU.
fn switches(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/task");
    let mut sum = 0;
    for task in fs::read_dir(&path).with_context(|| format!("read {path}"))? {
        let file = task?.path().join("status");
        let text = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        let count = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        sum += count.and_then(|n| n.trim().parse::<u64>().ok()).context("a status without context switches")?;
    }
    Ok(sum)
}

/// One counter of a process's network namespace.
pub(super) fn net_counter(pid: u32, file: &str, group: &str, name: &str) -> Result<u64> {
    let path = format!("/proc/{pid}/net/{file}");
    let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    counter_in(&text, group, name).with_context(|| format!("{path} has no {group} {name}"))
}

/// From a text of pairs of lines: names, then values.
fn counter_in(text: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with(group));
    let (names, values) = (lines.next()?, lines.next()?);
    let place = names.split_whitespace().position(|word| word == name)?;
    values.split_whitespace().nth(place)?.parse().ok()
}

#[cfg(test)]
mod tests;
