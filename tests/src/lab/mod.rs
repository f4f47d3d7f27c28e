//! The laboratory.

mod cgroups;
mod command;
mod fault;
mod net;
mod program;
mod shop;
mod tag;

pub use cgroups::{Cgroups, Pod};
pub use command::{missing_tools, run};
pub use fault::{Expectation, Fault, FaultKind, Injected};
pub use net::{Net, Node};
pub use program::{Program, ProgramSpec};
pub use shop::Shop;
pub use tag::{Tag, sweep};

use anyhow::{Result, ensure};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

/// Nodes, Pods, and the means to start programs in them.
///
/// Programs are killed when the thread that started them ends (so that a killed laboratory leaves none): start them
/// from the thread that keeps the laboratory.
#[derive(Debug)]
pub struct Lab {
    // Fields are dropped in this order: cgroups first, because that kills what still runs in them.
    cgroups: Cgroups,
    net: Net,
    traffic: PathBuf,
}

impl Lab {
    /// A laboratory with one Node per name; `traffic` is the `netwhy-traffic` program. Needs root, iproute2 and
    /// nftables.
    pub fn new(traffic: &Path, nodes: &[&str]) -> Result<Self> {
        Self::with_net(traffic, |tag| Net::new(tag, nodes))
    }

    /// The same with zones: Nodes by zone, and addresses for Pods. See [`Net::zoned`].
    pub fn zoned(traffic: &Path, zones: &[&[&str]]) -> Result<Self> {
        Self::with_net(traffic, |tag| Net::zoned(tag, zones))
    }

    fn with_net(traffic: &Path, net: impl FnOnce(&Tag) -> Result<Net>) -> Result<Self> {
        ensure!(
            rustix::process::geteuid().is_root(),
            "the laboratory makes network namespaces and cgroups: run it as root"
        );
        let missing = missing_tools();
        ensure!(missing.is_empty(), "missing programs: {}; install iproute2 and nftables", missing.join(", "));
        sweep();
        let tag = Tag::next();
        // Cgroups first: they are cheap and fail first on a machine without cgroup v2.
        let cgroups = Cgroups::new(&tag)?;
        let net = net(&tag)?;
        Ok(Self { cgroups, net, traffic: traffic.to_path_buf() })
    }

    /// The network.
    pub const fn net(&self) -> &Net {
        &self.net
    }

    /// The cgroups.
    pub const fn cgroups(&self) -> &Cgroups {
        &self.cgroups
    }

    /// The `netwhy-traffic` program.
    pub fn traffic(&self) -> &Path {
        &self.traffic
    }

    /// A Node by name.
    pub fn node(&self, name: &str) -> Result<&Node> {
        self.net.node(name)
    }

    /// Makes a Pod's cgroup on a Node.
    pub fn pod(&self, node: &str, name: &str) -> Result<Pod> {
        self.net.node(node)?;
        self.cgroups.pod(node, name)
    }

    /// Starts a `netwhy-traffic` subcommand inside a Pod, on its Node, and collects what it prints.
    pub fn start(&self, pod: &Pod, args: &[&str]) -> Result<Program> {
        let mut command: Vec<OsString> = vec![self.traffic.clone().into()];
        command.extend(args.iter().map(OsString::from));
        self.start_command(Some(&self.net.node(&pod.node)?.netns), Some(pod), &command)
    }

    /// Starts any program inside a network namespace and a Pod's cgroup (`None`: stays in this process's).
    pub fn start_command(&self, netns: Option<&str>, pod: Option<&Pod>, command: &[OsString]) -> Result<Program> {
        Program::start(&self.spec(netns, pod, command))
    }

    /// Puts a forwarder on a Node's cable: `--delay-ms`, `--jitter-ms`, `--loss`, each way. Dropping it cuts the cable;
    /// [`Net::unsplice`] takes it out.
    pub fn delay(&self, node: &Node, args: &[&str]) -> Result<Program> {
        let (port, near) = self.net.prepare_splice(node)?;
        let program = self.forward(args, &port, &near)?;
        self.net.splice(node)?;
        Ok(program)
    }

    /// The same on the cable between a zone and the one before; [`Net::unsplice_trunk`] takes it out.
    pub fn delay_trunk(&self, zone: usize, args: &[&str]) -> Result<Program> {
        let (up, down) = self.net.prepare_trunk(zone)?;
        let program = self.forward(args, &up, &down)?;
        self.net.splice_trunk(zone)?;
        Ok(program)
    }

    fn forward(&self, args: &[&str], one: &str, other: &str) -> Result<Program> {
        let mut command: Vec<OsString> = vec![self.traffic.clone().into(), "forward".into()];
        command.extend(args.iter().copied().chain([one, other]).map(OsString::from));
        let program = self.start_command(Some(self.net.switch()), None, &command)?;
        program.wait_ready(Duration::from_secs(60))?;
        Ok(program)
    }

    /// Feeds rules to nft inside the switch's namespace.
    pub fn nft_at_switch(&self, rules: &str) -> Result<()> {
        command::run_with_input(&["ip", "netns", "exec", self.net.switch(), "nft", "-f", "-"], rules).map(drop)
    }

    /// The command line that [`Lab::start_command`] runs, to start it again or to show it.
    pub fn spec(&self, netns: Option<&str>, pod: Option<&Pod>, command: &[OsString]) -> ProgramSpec {
        ProgramSpec::new(&self.traffic, netns, pod, command)
    }
}
