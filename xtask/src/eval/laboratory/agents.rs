//! One agent per Node.

use crate::demo::{
    agent::{Agent, Settings},
    http,
};
use anyhow::{Context as _, Result, bail};
use netwhy_agent::{
    api::PeerRow,
    api::{Hint, HintState},
};
use netwhy_tests::stop;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long all agents may take to be ready.
const READY: Duration = Duration::from_secs(60);
/// Time that rules need to learn a baseline, also on edges with little traffic: at least ten clean windows.
const LEARN: Duration = Duration::from_secs(30);

/// Where an agent runs.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) node: String,
    pub(super) cgroup_root: PathBuf,
    /// A process in the Node's network namespace.
    pub(super) process: u32,
}

/// All agents.
pub(super) struct Agents {
    agents: BTreeMap<String, Agent>,
    places: Vec<Place>,
    bin: PathBuf,
    logs: PathBuf,
    config: PathBuf,
}

impl Agents {
    /// Starts them and lets them learn. `config`: the text of their configuration file.
    pub(super) fn start(bin: &Path, logs: &Path, config: &str, places: Vec<Place>) -> Result<Self> {
        let file = logs.join("agents.yaml");
        fs::write(&file, config).with_context(|| format!("write {}", file.display()))?;
        let mut this =
            Self { agents: BTreeMap::new(), places, bin: bin.to_path_buf(), logs: logs.to_path_buf(), config: file };
        for place in this.places.clone() {
            this.start_one(&place)?;
        }
        this.wait_ready()?;
        if stop::sleep(LEARN) {
            bail!("interrupted");
        }
        Ok(this)
    }

    fn start_one(&mut self, place: &Place) -> Result<()> {
        let settings = Settings {
            node: &place.node,
            cgroup_root: &place.cgroup_root,
            config: Some(&self.config),
            net_process: Some(place.process),
        };
        let log = self.logs.join(format!("agent-{}.log", place.node));
        self.agents.insert(place.node.clone(), Agent::start_with(&self.bin, &settings, log)?);
        Ok(())
    }

    fn wait_ready(&self) -> Result<()> {
        let end = Instant::now() + READY;
        for (node, agent) in &self.agents {
            loop {
                agent.check()?;
                if http::get(agent.address(), "/readyz").is_ok_and(|answer| answer.status == 200) {
                    break;
                }
                if Instant::now() > end {
                    bail!("the agent of node {node} isn't ready after {} s", READY.as_secs());
                }
                if stop::sleep(Duration::from_millis(100)) {
                    bail!("interrupted");
                }
            }
        }
        Ok(())
    }

    /// Restarts one agent, as an update would.
    pub(super) fn restart(&mut self, node: &str) -> Result<()> {
        let place = self.places.iter().find(|place| place.node == node).cloned();
        let place = place.with_context(|| format!("no agent is on node {node:?}"))?;
        drop(self.agents.remove(node));
        self.start_one(&place)
    }

    /// Firing hints of all agents, with the Node that each was told by. An agent that is starting tells none.
    pub(super) fn hints(&self) -> Result<Vec<(String, Hint)>> {
        let mut all = Vec::new();
        for (node, agent) in &self.agents {
            agent.check()?;
            let Ok(answer) = http::get(agent.address(), "/api/v1/hints?state=firing") else { continue };
            if answer.status != 200 {
                continue;
            }
            let hints: Vec<Hint> =
                serde_json::from_str(&answer.body).with_context(|| format!("read the hints of node {node}"))?;
            let firing = hints.into_iter().filter(|hint| hint.state == HintState::Firing);
            all.extend(firing.map(|hint| (node.clone(), hint)));
        }
        Ok(all)
    }

    /// The counts of every agent towards every other Node over its window.
    pub(super) fn rows(&self) -> Result<Vec<PeerRow>> {
        let mut all = Vec::new();
        for (node, agent) in &self.agents {
            let Ok(answer) = http::get(agent.address(), "/api/v1/edges?by=peer_node") else { continue };
            if answer.status == 200 {
                let rows: Vec<PeerRow> =
                    serde_json::from_str(&answer.body).with_context(|| format!("read the edges of node {node}"))?;
                all.extend(rows);
            }
        }
        Ok(all)
    }

    /// Starts recordings on these Nodes into `dir`, named after the case; they end when dropped.
    pub(super) fn record(&self, dir: &Path, case: &str, nodes: &[String]) -> Result<Vec<Agent>> {
        let wanted = self.places.iter().filter(|place| nodes.contains(&place.node));
        let one = |place: &Place| {
            let settings = Settings {
                node: &place.node,
                cgroup_root: &place.cgroup_root,
                config: Some(&self.config),
                net_process: Some(place.process),
            };
            let file = dir.join(format!("{case}.{}.jsonl", place.node));
            Agent::record(&self.bin, &settings, &file, self.logs.join(format!("record-{}.log", place.node)))
        };
        wanted.map(one).collect()
    }
}
