//! Settings of the interfaces that lead out of the Node.

use super::{
    super::{
        devices::{self, CounterSource},
        ethtool::EthtoolCalls,
        netns::NodeNet,
        source::HostPaths,
        uplinks,
    },
    fact,
    machine::head,
};
use crate::sample::{NodeFact, State};
use std::{
    fs, io,
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Files in an interface's directory.
const FILES: [(&str, &str); 4] =
    [("mtu", "mtu"), ("speed_mbit", "speed"), ("duplex", "duplex"), ("tx_queue_length", "tx_queue_len")];
/// Names of the hardware queues in its directory `queues`.
const QUEUES: [(&str, &str); 2] = [("rx_queues", "rx-"), ("tx_queues", "tx-")];

/// Asks for the interfaces' settings.
pub(super) struct Interfaces {
    sysfs: PathBuf,
    net: NodeNet,
    calls: Option<EthtoolCalls>,
    /// In the Node's network namespace; or why there is none.
    socket: Result<OwnedFd, String>,
}

impl Interfaces {
    /// Opens a socket now if that needs a capability.
    pub(super) fn new(paths: &HostPaths, net: &NodeNet, calls: Option<EthtoolCalls>) -> Self {
        let mut this =
            Self { sysfs: paths.sysfs.clone(), net: net.clone(), calls, socket: Err("not opened yet".to_owned()) };
        if !net.is_current() {
            this.open();
        }
        this
    }

    fn open(&mut self) {
        self.socket = self.net.run(uplinks::ethtool_socket).and_then(|socket| socket);
    }

    pub(super) fn facts(&mut self) -> Vec<NodeFact> {
        if self.socket.is_err() {
            self.open();
        }
        let (source, found) = devices::find(&self.sysfs, &self.net.process);
        let mut out = Vec::new();
        for interface in found {
            let name = &interface.device.name;
            out.extend(from_sysfs(&self.sysfs.join("class/net").join(&**name), source, name));
            out.extend(self.driver_settings(name));
        }
        out
    }

    fn driver_settings(&self, name: &Arc<str>) -> Vec<NodeFact> {
        let unsupported = |why: &str| vec![fact("offloads", Some(name), Err(State::Unsupported(why.to_owned())))];
        match (self.calls, &self.socket) {
            (None, _) => unsupported("this build lacks the `ebpf` feature"),
            (_, Err(why)) => unsupported(why),
            (Some(calls), Ok(socket)) => {
                let settings = (calls.settings)(socket.as_fd(), name);
                settings.into_iter().map(|(what, value)| fact(what, Some(name), told(what, name, value))).collect()
            }
        }
    }
}

/// A setting that the driver does not have is absent.
pub(super) fn told(what: &str, name: &str, value: io::Result<String>) -> Result<String, State> {
    value.map_err(|error| match error.raw_os_error() {
        Some(libc::EOPNOTSUPP | libc::ENODEV) => State::Absent,
        _ => State::Broken(format!("ask the driver of {name} for {what}: {error}")),
    })
}

fn from_sysfs(dir: &Path, source: CounterSource, name: &Arc<str>) -> Vec<NodeFact> {
    if source != CounterSource::Sysfs {
        let why = format!(
            "{} does not show the Node's network namespace; mount the Node's /sys and pass it as --sysfs, or set \
             hostNetwork: true in the chart",
            dir.parent().unwrap_or(dir).display()
        );
        return vec![fact("mtu", Some(name), Err(State::Unsupported(why)))];
    }
    let value =
        |text: &str| Some(text.trim().to_owned()).filter(|text| !matches!(text.as_str(), "" | "-1" | "unknown"));
    let files = FILES.iter().map(|(what, file)| fact(what, Some(name), head(&dir.join(file), value)));
    let queues = QUEUES.iter().map(|(what, prefix)| fact(what, Some(name), queues(&dir.join("queues"), prefix)));
    files.chain(queues).collect()
}

/// Number of hardware queues.
fn queues(dir: &Path, prefix: &str) -> Result<String, State> {
    let entries = fs::read_dir(dir).map_err(|_| State::Absent)?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names.filter(|name| name.starts_with(prefix)).count().to_string())
}
