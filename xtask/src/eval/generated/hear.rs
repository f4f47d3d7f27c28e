//! Agents of one case, and what they tell, as raw JSON: whichever version of the agent tells it.

use super::culprit::Names;
use crate::demo::{
    agent::{Agent, Settings},
    http,
};
use anyhow::{Context as _, Result, bail};
use netwhy_agent::{api::Hint, plugin::model::settle::hosts};
use netwhy_tests::stop;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::{Duration, Instant, UNIX_EPOCH},
};

/// How long all agents may take to be ready.
const READY: Duration = Duration::from_secs(180);

/// Where an agent runs.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) node: String,
    pub(super) cgroup_root: PathBuf,
    /// A process in the Node's network namespace.
    pub(super) process: u32,
}

/// All agents of one case.
pub(super) struct Agents {
    agents: BTreeMap<String, Agent>,
    seats: Vec<Seat>,
    bin: PathBuf,
    logs: PathBuf,
    config: PathBuf,
}

/// The answers of all agents at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    /// Since the onset, s.
    pub(super) seconds: f64,
    /// The time of day, ms since the Unix epoch.
    pub(super) now_ms: i64,
    /// Nodes whose agents answered.
    pub(super) answered: Vec<String>,
    /// Firing hints, with the Node of the agent that tells them.
    pub(super) hints: Vec<(String, Value)>,
    /// Hints that ended within the hour: `why` names one for a moment where nothing else is to be named.
    pub(super) ended: Vec<(String, Value)>,
    /// Rows of `/api/v1/edges?by=peer_node`, `/api/v1/pods` and `/api/v1/edges`.
    pub(super) peers: Vec<Value>,
    pub(super) pods: Vec<Value>,
    pub(super) edges: Vec<Value>,
}

impl Agents {
    /// Starts them and waits until they are ready. `config`: their configuration file.
    pub(super) fn start(bin: &Path, logs: &Path, config: PathBuf, seats: Vec<Seat>) -> Result<Self> {
        let mut this =
            Self { agents: BTreeMap::new(), seats, bin: bin.to_path_buf(), logs: logs.to_path_buf(), config };
        for seat in this.seats.clone() {
            this.start_one(&seat)?;
        }
        let end = Instant::now() + READY;
        for (node, agent) in &this.agents {
            while !http::get(agent.address(), "/readyz").is_ok_and(|answer| answer.status == 200) {
                agent.check()?;
                if Instant::now() > end {
                    bail!("the agent of node {node} isn't ready after {} s", READY.as_secs());
                }
                if stop::sleep(Duration::from_millis(100)) {
                    bail!("interrupted");
                }
            }
        }
        Ok(this)
    }

    fn start_one(&mut self, seat: &Seat) -> Result<()> {
        let log = self.logs.join(format!("agent-{}.log", seat.node));
        let agent = Agent::start_with(&self.bin, &self.settings(seat), log)?;
        self.agents.insert(seat.node.clone(), agent);
        Ok(())
    }

    fn settings<'a>(&'a self, seat: &'a Seat) -> Settings<'a> {
        Settings {
            node: &seat.node,
            cgroup_root: &seat.cgroup_root,
            config: Some(&self.config),
            net_process: Some(seat.process),
        }
    }

    /// Restarts one agent, as an update would.
    pub(super) fn restart(&mut self, node: &str) -> Result<()> {
        let seat = self.seats.iter().find(|seat| seat.node == node).cloned();
        let seat = seat.with_context(|| format!("no agent is on node {node:?}"))?;
        drop(self.agents.remove(node));
        self.start_one(&seat)
    }

    /// Where each agent listens, by Node.
    pub(super) fn addresses(&self) -> Vec<(String, SocketAddr)> {
        self.agents.iter().map(|(node, agent)| (node.clone(), agent.address())).collect()
    }

    /// Starts a recording of each Node into a folder; it ends when dropped.
    pub(super) fn record(&self, dir: &Path) -> Result<Vec<Agent>> {
        let one = |seat: &Seat| {
            let file = dir.join(format!("recording-{}.jsonl", seat.node));
            Agent::record(&self.bin, &self.settings(seat), &file, self.logs.join(format!("record-{}.log", seat.node)))
        };
        self.seats.iter().map(one).collect()
    }

    /// Asks all agents. One that is starting tells nothing.
    pub(super) fn ask(&self, seconds: f64, names: &Names) -> Result<Heard> {
        let now = UNIX_EPOCH.elapsed().context("the clock is before 1970")?;
        let mut heard = Heard { seconds, now_ms: i64::try_from(now.as_millis())?, ..Heard::default() };
        for (node, agent) in &self.agents {
            agent.check()?;
            let Some(hints) = rows(agent, "/api/v1/hints") else { continue };
            heard.answered.push(node.clone());
            let (firing, ended) = hints.into_iter().partition::<Vec<_>, _>(|hint| hint["state"] == "firing");
            heard.hints.extend(firing.into_iter().map(|hint| (node.clone(), hint)));
            heard.ended.extend(ended.into_iter().map(|hint| (node.clone(), hint)));
        }
        let peers = by_peer_node(&suspects(&heard.hints), names);
        for node in &heard.answered {
            let Some(agent) = self.agents.get(node) else { continue };
            heard.peers.extend(rows(agent, &peers).unwrap_or_default());
            heard.pods.extend(rows(agent, "/api/v1/pods").unwrap_or_default());
            heard.edges.extend(rows(agent, "/api/v1/edges").unwrap_or_default());
        }
        Ok(heard)
    }
}

/// The rows at a path. `None`: the agent can't answer now.
fn rows(agent: &Agent, path: &str) -> Option<Vec<Value>> {
    let answer = http::get(agent.address(), path).ok().filter(|answer| answer.status == 200)?;
    serde_json::from_str(&answer.body).ok()
}

/// Hosts that hints may blame. Hints of another version blame nobody here.
fn suspects(hints: &[(String, Value)]) -> Vec<String> {
    let read = |(_, hint): &(String, Value)| serde_json::from_value::<Hint>(hint.clone()).ok();
    hosts(&hints.iter().filter_map(read).collect::<Vec<_>>())
}

/// As `why` asks: hosts that hints may blame, addresses and Pods, have rows of their own.
fn by_peer_node(hosts: &[String], names: &Names) -> String {
    let address = |host: &String| host.parse::<IpAddr>().ok().or_else(|| names.address_of(host).map(IpAddr::from));
    let split: BTreeSet<IpAddr> = hosts.iter().filter_map(address).collect();
    let split: Vec<String> = split.iter().map(ToString::to_string).collect();
    match split.as_slice() {
        [] => "/api/v1/edges?by=peer_node".to_owned(),
        some => format!("/api/v1/edges?by=peer_node&split={}", some.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn pods_that_hints_blame_by_name_have_rows_of_their_own() {
        let ip = Ipv4Addr::new(10, 77, 1, 18);
        let names = Names { pods: [(ip, ("api-a".into(), "a".into()))].into(), ..Names::default() };
        let of = |hosts: &[&str]| by_peer_node(&hosts.iter().map(ToString::to_string).collect::<Vec<_>>(), &names);
        assert_eq!(of(&[]), "/api/v1/edges?by=peer_node");
        assert_eq!(of(&["lab/a/api-a"]), "/api/v1/edges?by=peer_node&split=10.77.1.18");
        assert_eq!(
            of(&["lab/gone", "10.77.1.34", "10.77.1.18", "api-a"]),
            "/api/v1/edges?by=peer_node&split=10.77.1.18,10.77.1.34"
        );
    }
}
