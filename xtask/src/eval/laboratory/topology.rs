//! The standing laboratory: eight Nodes in two zones and one host outside, their Pods, programs and agents.

use super::agents::{Agents, Place};
use anyhow::{Context as _, Result};
use netwhy_tests::lab::{Lab, Node, Pod, Program, ProgramSpec, run};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};

/// Nodes by zone; the host outside is on the second bridge.
const ZONES: [&[&str]; 2] = [&["a", "b", "c", "d"], &["e", "f", "g", "h", OUTSIDE]];
/// The host outside the cluster.
pub(super) const OUTSIDE: &str = "out";
/// Pods by Node, in the order of their addresses.
pub(super) const PODS: [(&str, &[&str]); 9] = [
    ("a", &["web-a", "api-a", "cart-a", "bulk-a"]),
    ("b", &["web-b", "api-b", "cart-b", "store-b"]),
    ("c", &["web-c", "api-c", "cart-c", "bulk-c"]),
    ("d", &["web-d", "api-d", "store-d", "dns-d"]),
    ("e", &["web-e", "api-e", "cart-e", "bulk-e"]),
    ("f", &["web-f", "api-f", "cart-f", "store-f"]),
    ("g", &["web-g", "api-g", "cart-g", "bulk-g"]),
    ("h", &["web-h", "api-h", "store-h", "dns-h"]),
    (OUTSIDE, &["ext"]),
];

/// How long a program may take to start.
const START: Duration = Duration::from_secs(10);

/// Everything that runs; all of it ends when it is dropped.
pub(super) struct World {
    // Agents end first, then programs, before what they run in is taken away.
    agents: Option<Agents>,
    programs: BTreeMap<String, Program>,
    pods: BTreeMap<String, (Pod, Ipv4Addr)>,
    /// One process in each Node's namespace, by which agents find it; in nobody's Pod.
    anchors: BTreeMap<String, Program>,
    lab: Lab,
    bin: PathBuf,
    logs: PathBuf,
}

impl World {
    /// Builds the Nodes and their Pods. `bin`: the folder of the programs.
    pub(super) fn open(bin: &Path, logs: &Path) -> Result<Self> {
        let lab = Lab::zoned(&bin.join("netwhy-traffic"), &ZONES)?;
        let mut world = Self {
            agents: None,
            programs: BTreeMap::new(),
            pods: BTreeMap::new(),
            anchors: BTreeMap::new(),
            lab,
            bin: bin.to_path_buf(),
            logs: logs.to_path_buf(),
        };
        for node in world.lab.net().nodes().to_vec() {
            // One packet per segment, as on a wire: a lost packet is a lost segment.
            run(&["ip", "-n", &node.netns, "link", "set", "dev", node.device, "gso_max_segs", "1"])?;
            let sleep = ["sleep", "infinity"].map(Into::into);
            world.anchors.insert(node.name.clone(), world.lab.start_command(Some(&node.netns), None, &sleep)?);
        }
        for (node, names) in PODS {
            for (index, name) in (0_u8..).zip(names) {
                let address = world.lab.node(node)?.pod_ipv4(index)?;
                world.pods.insert((*name).to_owned(), (world.lab.pod(node, name)?, address));
            }
        }
        Ok(world)
    }

    /// Nodes of the cluster.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.lab.net().nodes().iter().filter(|node| node.name != OUTSIDE)
    }

    /// Starts (or starts anew) the agents, and waits until they have seen enough to know what is normal.
    pub(super) fn start_agents(&mut self) -> Result<()> {
        self.agents = None;
        let ranges: Vec<String> = self
            .nodes()
            .map(|node| format!("{}@{}={}", node.name, self.zone(node), self.lab.net().range(node)))
            .collect();
        let outside = self.lab.net().range(self.lab.node(OUTSIDE)?);
        let config = format!("peers:\n  nodes: [\"{}\"]\n  external: [\"{outside}\"]\n", ranges.join("\", \""));
        let places: Vec<Place> = self
            .nodes()
            .map(|node| {
                let anchor = self.anchors.get(&node.name).with_context(|| format!("no process is on {}", node.name))?;
                Ok(Place {
                    node: node.name.clone(),
                    cgroup_root: self.lab.cgroups().root().join(&node.name),
                    process: anchor.pid(),
                })
            })
            .collect::<Result<_>>()?;
        self.agents = Some(Agents::start(&self.bin, &self.logs, &config, places)?);
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

    /// Name of a Node's zone.
    pub(super) fn zone(&self, node: &Node) -> String {
        format!("zone-{}", node.zone + 1)
    }

    pub(super) fn pod(&self, name: &str) -> Result<&Pod> {
        self.pods.get(name).map(|(pod, _)| pod).with_context(|| format!("no pod is named {name:?}"))
    }

    pub(super) fn address(&self, pod: &str) -> Result<Ipv4Addr> {
        self.pods.get(pod).map(|(_, address)| *address).with_context(|| format!("no pod is named {pod:?}"))
    }

    /// Names by address, of Pods; and of Nodes where an address is no Pod's.
    pub(super) fn names(&self) -> super::who::Names {
        let pods = self.pods.iter().map(|(name, (pod, address))| (*address, name.clone(), pod.node.clone()));
        let nodes = self.lab.net().nodes().iter().map(|node| (node.ipv4, node.name.clone(), self.zone(node)));
        super::who::Names::new(pods, nodes, OUTSIDE)
    }

    /// Makes a further Pod; it has no address of its own.
    pub(super) fn add_pod(&mut self, node: &str, name: &str) -> Result<()> {
        let pod = self.lab.pod(node, name)?;
        let address = self.lab.node(node)?.ipv4;
        self.pods.insert(name.to_owned(), (pod, address));
        Ok(())
    }

    /// Kills what runs in a Pod and removes it.
    pub(super) fn remove_pod(&mut self, name: &str) -> Result<()> {
        self.pods.remove(name).map_or(Ok(()), |(pod, _)| pod.remove())
    }

    /// The same for all Pods whose name begins so, and their programs.
    pub(super) fn remove_pods(&mut self, beginning: &str) -> Result<()> {
        let names: Vec<String> = self.pods.keys().filter(|name| name.starts_with(beginning)).cloned().collect();
        for name in names {
            self.programs.remove(&name);
            self.remove_pod(&name)?;
        }
        Ok(())
    }

    /// Sends a signal to a program.
    pub(super) fn signal(&self, name: &str, signal: Signal) -> Result<()> {
        let program = self.programs.get(name).with_context(|| format!("no program is named {name:?}"))?;
        let pid = Pid::from_raw(program.pid().cast_signed()).context("a program without an id")?;
        kill_process(pid, signal).with_context(|| format!("signal {name}"))
    }

    /// Starts a program in a Pod and waits until it is at work.
    pub(super) fn start(&mut self, name: &str, pod: &str, args: &[&str]) -> Result<()> {
        let program = self.lab.start(self.pod(pod)?, args)?;
        program.wait_ready(START).with_context(|| format!("start {name}"))?;
        self.programs.insert(name.to_owned(), program);
        Ok(())
    }

    /// The same without waiting.
    pub(super) fn launch(&mut self, name: &str, pod: &str, args: &[&str]) -> Result<()> {
        let program = self.lab.start(self.pod(pod)?, args)?;
        self.programs.insert(name.to_owned(), program);
        Ok(())
    }

    /// Ends a program; returns how to start it again.
    pub(super) fn stop(&mut self, name: &str) -> Result<ProgramSpec> {
        let mut program = self.programs.remove(name).with_context(|| format!("no program is named {name:?}"))?;
        program.stop();
        Ok(program.spec().clone())
    }

    /// Starts a program as before.
    pub(super) fn restart(&mut self, name: &str, spec: &ProgramSpec) -> Result<()> {
        let program = Program::start(spec)?;
        program.wait_ready(START).with_context(|| format!("start {name} again"))?;
        self.programs.insert(name.to_owned(), program);
        Ok(())
    }

    /// Keeps a program under a name.
    pub(super) fn keep(&mut self, name: &str, program: Program) {
        self.programs.insert(name.to_owned(), program);
    }

    /// Whether a program has ended by itself, or was never started.
    pub(super) fn has_ended(&mut self, name: &str) -> bool {
        self.programs.get_mut(name).is_none_or(|program| program.wait(Duration::ZERO).is_ok())
    }

    /// Writes a line to a program.
    pub(super) fn tell(&mut self, name: &str, line: &str) -> Result<()> {
        self.programs.get_mut(name).with_context(|| format!("no program is named {name:?}"))?.tell(line)
    }

    /// Starts anew what has ended by itself; returns the names.
    pub(super) fn revive(&mut self) -> Result<Vec<String>> {
        let names: Vec<String> = self.programs.keys().cloned().collect();
        let ended: Vec<String> = names.into_iter().filter(|name| self.has_ended(name)).collect();
        for name in &ended {
            let spec = self.stop(name)?;
            self.restart(name, &spec)?;
        }
        Ok(ended)
    }
}
