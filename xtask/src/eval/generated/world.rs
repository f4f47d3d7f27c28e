//! Builds what was drawn: Nodes, Pods, addresses, and the means to start programs. All of it ends when it is dropped.

mod wires;

use super::{
    Setting,
    culprit::{Names, zone},
    hear::{Agents, Seat},
    plan::{OUTSIDE, Plan, PodPlan},
};
use anyhow::{Context as _, Result};
use netwhy_tests::lab::{Lab, Node, Pod, Program, ProgramSpec};
use rustix::process::{Pid, Signal, kill_process};
use std::{collections::BTreeMap, fs, net::Ipv4Addr, path::PathBuf, time::Duration};
use wires::{Namespaces, one_packet_per_segment};

pub(super) use wires::port;

/// How long a program may take to start.
const START: Duration = Duration::from_secs(20);
/// The machine plays the Nodes of all cases: what they receive together makes none of them a busy Node, which observes one
/// connection in 16.
const SAMPLING: &str = "sampling:\n  rtt_windows_above: 1000000000\n";
/// Address of the Service.
pub(super) const SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 80);

/// A Pod as it was made.
struct Made {
    pod: Pod,
    address: Ipv4Addr,
    netns: String,
}

pub(super) struct World {
    // Agents end first, then programs, before what they run in is taken away.
    agents: Option<Agents>,
    programs: BTreeMap<String, Program>,
    pods: BTreeMap<String, Made>,
    /// One process in each Node's namespace, by which agents find it; in nobody's Pod.
    anchors: BTreeMap<String, Program>,
    /// Of Pods that have their own.
    namespaces: Namespaces,
    lab: Lab,
    bin: PathBuf,
    logs: PathBuf,
    /// Added to the agents' configuration.
    config: String,
}

impl World {
    /// Builds Nodes and Pods.
    pub(super) fn open(plan: &Plan, setting: Setting<'_>) -> Result<Self> {
        let Setting { bin, logs, config, export: _, rivals: _ } = setting;
        fs::create_dir_all(logs).with_context(|| format!("make {}", logs.display()))?;
        let zone_of = |zone: usize| -> Vec<&str> {
            let nodes = plan.topology.nodes.iter().filter(|node| node.zone == zone);
            nodes.map(|node| node.name.as_str()).chain((zone == 1).then_some(OUTSIDE)).collect()
        };
        let (first, second) = (zone_of(0), zone_of(1));
        let lab = Lab::zoned(&bin.join("netwhy-traffic"), &[&first, &second])?;
        let mut world = Self {
            agents: None,
            programs: BTreeMap::new(),
            pods: BTreeMap::new(),
            anchors: BTreeMap::new(),
            namespaces: Namespaces::default(),
            lab,
            bin: bin.to_path_buf(),
            logs: logs.to_path_buf(),
            config: config.to_owned(),
        };
        let nodes = world.lab.net().nodes().to_vec();
        for node in &nodes {
            one_packet_per_segment(node)?;
            let sleep = ["sleep", "infinity"].map(Into::into);
            world.anchors.insert(node.name.clone(), world.lab.start_command(Some(&node.netns), None, &sleep)?);
        }
        wires::route(world.lab.net())?;
        let mut next: BTreeMap<&str, u8> = BTreeMap::new();
        for pod in &plan.topology.pods {
            let index = next.entry(pod.node.as_str()).or_default();
            world.add_planned(pod, *index)?;
            *index += 1;
        }
        world.translate(plan)?;
        Ok(world)
    }

    fn add_planned(&mut self, plan: &PodPlan, index: u8) -> Result<()> {
        let node = self.lab.node(&plan.node)?;
        let address = node.pod_ipv4(index)?;
        let netns = if plan.veth {
            self.namespaces.add(self.lab.net(), node, &plan.name, address)?
        } else {
            node.netns.clone()
        };
        let pod = self.lab.pod(&plan.node, &plan.name)?;
        self.pods.insert(plan.name.clone(), Made { pod, address, netns });
        Ok(())
    }

    /// Sets up the Service address and the masquerade.
    fn translate(&self, plan: &Plan) -> Result<()> {
        if !plan.topology.replicas.is_empty() {
            let replicas: Vec<Ipv4Addr> =
                plan.topology.replicas.iter().map(|pod| self.address(pod)).collect::<Result<_>>()?;
            for node in &plan.topology.nodes {
                wires::serve(self.lab.node(&node.name)?, SERVICE, &replicas)?;
            }
        }
        match &plan.topology.masquerade {
            Some(node) => {
                let node = self.lab.node(node)?;
                wires::masquerade(node, &self.lab.net().range(node))
            }
            None => Ok(()),
        }
    }

    /// Starts the agents and waits until they are ready.
    pub(super) fn start_agents(&mut self, plan: &Plan) -> Result<()> {
        let net = self.lab.net();
        let range = |name: &str| -> Result<String> { Ok(net.range(self.lab.node(name)?)) };
        let entry =
            |name: &String| -> Result<String> { Ok(format!("\"{name}@{}={}\"", zone(plan, name), range(name)?)) };
        // A cluster knows all its Nodes, also those without an agent.
        let nodes: Vec<String> = plan.topology.nodes.iter().map(|node| entry(&node.name)).collect::<Result<_>>()?;
        let (nodes, outside) = (nodes.join(", "), range(OUTSIDE)?);
        let sampling = if self.config.contains("sampling:") { "" } else { SAMPLING };
        let config = format!(
            "peers:\n  nodes: [{nodes}]\n  external: [\"{outside}\"]\n  services: [\"10.96.0.0/16\"]\n{sampling}{}",
            self.config
        );
        let file = self.logs.join("agents.yaml");
        fs::write(&file, config).with_context(|| format!("write {}", file.display()))?;
        let seat = |node: &str| -> Result<Seat> {
            let anchor = self.anchors.get(node).with_context(|| format!("no process is on {node}"))?;
            let cgroup_root = self.lab.cgroups().root().join(node);
            Ok(Seat { node: node.to_owned(), cgroup_root, process: anchor.pid() })
        };
        let covered = plan.topology.nodes.iter().filter(|node| node.covered);
        let seats = covered.map(|node| seat(&node.name)).collect::<Result<_>>()?;
        self.agents = Some(Agents::start(&self.bin, &self.logs, file, seats)?);
        Ok(())
    }

    pub(super) fn agents(&self) -> Result<&Agents> {
        self.agents.as_ref().context("the agents don't run")
    }

    pub(super) fn agents_mut(&mut self) -> Result<&mut Agents> {
        self.agents.as_mut().context("the agents don't run")
    }

    pub(super) const fn lab(&self) -> &Lab {
        &self.lab
    }

    pub(super) fn node(&self, name: &str) -> Result<&Node> {
        self.lab.node(name)
    }

    fn made(&self, pod: &str) -> Result<&Made> {
        self.pods.get(pod).with_context(|| format!("no pod is named {pod:?}"))
    }

    pub(super) fn pod(&self, name: &str) -> Result<&Pod> {
        Ok(&self.made(name)?.pod)
    }

    pub(super) fn address(&self, pod: &str) -> Result<Ipv4Addr> {
        Ok(self.made(pod)?.address)
    }

    /// Network namespace of a Pod.
    pub(super) fn netns(&self, pod: &str) -> Result<&str> {
        Ok(&self.made(pod)?.netns)
    }

    /// Who has which address.
    pub(super) fn names(&self) -> Names {
        let pods = self.pods.iter().map(|(name, made)| (made.address, (name.clone(), made.pod.node.clone())));
        let nodes = self.lab.net().nodes().iter().map(|node| (node.ipv4, node.name.clone()));
        Names { pods: pods.collect(), nodes: nodes.collect(), service: Some(SERVICE) }
    }

    /// Adds a Pod that uses its Node's network and address.
    pub(super) fn add_pod(&mut self, node: &str, name: &str) -> Result<()> {
        let pod = self.lab.pod(node, name)?;
        let Node { ipv4, netns, .. } = self.lab.node(node)?;
        self.pods.insert(name.to_owned(), Made { pod, address: *ipv4, netns: netns.clone() });
        Ok(())
    }

    /// Kills what runs in a Pod and removes it.
    pub(super) fn remove_pod(&mut self, name: &str) -> Result<()> {
        self.programs.remove(name);
        self.pods.remove(name).map_or(Ok(()), |made| made.pod.remove())
    }

    /// Starts a program in a Pod and waits until it is at work.
    pub(super) fn start(&mut self, name: &str, pod: &str, line: &str) -> Result<()> {
        self.launch(name, pod, line)?;
        self.program(name)?.wait_ready(START).with_context(|| format!("start {name}"))?;
        Ok(())
    }

    /// The same without waiting.
    pub(super) fn launch(&mut self, name: &str, pod: &str, line: &str) -> Result<()> {
        let made = self.made(pod)?;
        let words = line.split(' ').map(Into::into);
        let command: Vec<_> = std::iter::once(self.lab.traffic().into()).chain(words).collect();
        let program = self.lab.start_command(Some(&made.netns), Some(&made.pod), &command)?;
        self.programs.insert(name.to_owned(), program);
        Ok(())
    }

    pub(super) fn program(&self, name: &str) -> Result<&Program> {
        self.programs.get(name).with_context(|| format!("no program is named {name:?}"))
    }

    pub(super) fn has_program(&self, name: &str) -> bool {
        self.programs.contains_key(name)
    }

    /// Keeps a program under a name.
    pub(super) fn keep(&mut self, name: &str, program: Program) {
        self.programs.insert(name.to_owned(), program);
    }

    /// Writes a line to a program.
    pub(super) fn tell(&mut self, name: &str, line: &str) -> Result<()> {
        self.programs.get_mut(name).with_context(|| format!("no program is named {name:?}"))?.tell(line)
    }

    pub(super) fn signal(&self, name: &str, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.program(name)?.pid().cast_signed()).context("a program without an id")?;
        kill_process(pid, signal).with_context(|| format!("signal {name}"))
    }

    /// Ends a program; returns how to start it again.
    pub(super) fn stop(&mut self, name: &str) -> Result<ProgramSpec> {
        let mut program = self.programs.remove(name).with_context(|| format!("no program is named {name:?}"))?;
        program.stop();
        Ok(program.spec().clone())
    }

    /// Starts a program as before.
    pub(super) fn restart(&mut self, name: &str, spec: &ProgramSpec) -> Result<()> {
        self.programs.insert(name.to_owned(), Program::start(spec)?);
        Ok(())
    }
}
