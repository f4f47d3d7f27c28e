//! Traffic between two Nodes, as much as this machine carries, and how much that is.

use anyhow::{Context as _, Result};
use netwhy_tests::lab::{Lab, Program};
use std::{
    fs,
    time::{Duration, Instant},
};

/// How long a program may take to start.
const START: Duration = Duration::from_secs(10);

/// Kinds of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Small requests on standing connections.
    Keepalive,
    /// A connection per request.
    Churn,
    /// As many bytes as go through.
    Bulk,
}

impl Kind {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Keepalive, Self::Churn, Self::Bulk];

    /// Name in the JSON.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Keepalive => "keepalive",
            Self::Churn => "churn",
            Self::Bulk => "bulk",
        }
    }

    /// For people.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Keepalive => "keep-alive requests",
            Self::Churn => "connection churn",
            Self::Bulk => "bulk",
        }
    }

    /// Unit of [`Load::count`].
    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::Keepalive => "requests",
            Self::Churn => "connections",
            Self::Bulk => "bytes",
        }
    }

    /// The server's counter: file below /proc/PID/net, group and name.
    ///
    /// A request's answer is one segment, and the acknowledgement of the request rides on it.
    const fn counter(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Keepalive => ("snmp", "Tcp:", "OutSegs"),
            Self::Churn => ("snmp", "Tcp:", "PassiveOpens"),
            Self::Bulk => ("netstat", "IpExt:", "InOctets"),
        }
    }
}

/// Running traffic; ends when dropped.
pub(super) struct Load {
    kind: Kind,
    // The client ends first.
    _client: Program,
    server: Program,
    begun: (Instant, u64),
}

impl Load {
    /// Starts it from Node a to Node b and waits until it flows.
    pub(super) fn start(lab: &Lab, kind: Kind) -> Result<Self> {
        let client_pod = lab.pod("a", &format!("{}-client", kind.name()))?;
        let server_pod = lab.pod("b", &format!("{}-server", kind.name()))?;
        let server = match kind {
            Kind::Bulk => lab.start(&server_pod, &["sink"])?,
            Kind::Keepalive | Kind::Churn => lab.start(&server_pod, &["server"])?,
        };
        let port = server.wait_ready(START)?.port.context("the server tells no port")?;
        let to = format!("{}:{port}", lab.node("b")?.ipv4);
        let mut args = match kind {
            Kind::Keepalive => vec!["client", "--connections", "16"],
            // The server closes first, so that closed connections' ports are free again here.
            Kind::Churn => vec!["client", "--connections", "8", "--close=server"],
            Kind::Bulk => vec!["bulk", "--connections", "2", "--write-bytes", "65536"],
        };
        args.extend(["--to", &to, "--cc", "cubic"]);
        let client = lab.start(&client_pod, &args)?;
        client.wait_ready(START)?;
        let mut load = Self { kind, _client: client, server, begun: (Instant::now(), 0) };
        load.begun = (Instant::now(), load.count()?);
        Ok(load)
    }

    /// The server's counter: requests, connections or bytes, ever rising.
    pub(super) fn count(&self) -> Result<u64> {
        let (file, group, name) = self.kind.counter();
        net_counter(self.server.pid(), file, group, name)
    }

    /// Mean rate since the start, per second.
    pub(super) fn rate(&self) -> Result<f64> {
        let (at, count) = self.begun;
        Ok((self.count()?.saturating_sub(count)) as f64 / at.elapsed().as_secs_f64())
    }

    /// Requests that the server itself has counted per count of [`Load::count`], over all that it has reported.
    pub(super) fn requests_per_count(&self) -> Result<f64> {
        let seen = self.server.latest().map_or(0.0, |report| report.seconds);
        // Both counts are taken at the moment of a report.
        let report = self.server.wait_for(START, |report| report.seconds > seen)?;
        Ok(report.total.requests as f64 / (self.count()? as f64).max(1.0))
    }
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
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_group_and_name() {
        let text = "Ip: Forwarding InReceives\nIp: 1 7\nTcp: InSegs OutSegs RetransSegs\nTcp: 10 20 3\n";
        assert_eq!(counter_in(text, "Tcp:", "RetransSegs"), Some(3));
        assert_eq!(counter_in(text, "Ip:", "InReceives"), Some(7));
        assert_eq!(counter_in(text, "Tcp:", "Nothing"), None);
    }
}
