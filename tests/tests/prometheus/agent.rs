//! The agent's program over a laboratory.

use crate::{
    http,
    world::{TRAFFIC, wait_until},
};
use netwhy_agent::api::PodRow;
use netwhy_tests::{kept::Kept, lab::Lab};
use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The program: `NETWHY_AGENT`, else built here.
pub(crate) fn program() -> PathBuf {
    netwhy_tests::built::built("NETWHY_AGENT", ["--bin", "netwhy-agent"]).unwrap()
}

/// A running agent; killed when dropped, and with the test.
pub(crate) struct Agent {
    child: Kept,
    pub(crate) address: SocketAddr,
}

impl Agent {
    /// Starts it on this address and waits until it is ready.
    pub(crate) fn start(lab: &Lab, address: SocketAddr, config: &Path, log: &Path) -> Self {
        let mut command = Command::new(program());
        for name in ["NETWHY_KUBE", "NODE_NAME", "KUBECONFIG", "NETWHY_LISTEN", "NETWHY_CONFIG", "NETWHY_CGROUP_ROOT"] {
            command.env_remove(name);
        }
        command.args(["run", "--kube", "off", "--node-name", "a", "--log-level", "warn", "--cgroup-root"]);
        command.arg(lab.cgroups().root()).arg(format!("--listen={address}")).arg("--config").arg(config);
        let log = File::create(log).unwrap();
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let agent = Self { child: Kept::new(Path::new(TRAFFIC), child).unwrap(), address };
        wait_until("the agent is ready", || {
            http::get(address, "/readyz", "*/*").is_some_and(|(status, _)| status == 200)
        });
        agent
    }

    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    pub(crate) fn metrics(&self, accept: &str) -> String {
        http::get(self.address, "/metrics", accept).unwrap().1
    }

    pub(crate) fn pods(&self) -> Vec<PodRow> {
        let (status, body) = http::get(self.address, "/api/v1/pods", "application/json").unwrap();
        assert_eq!(status, 200, "{body}");
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        let rows = if value.is_array() { value } else { value["pods"].clone() };
        serde_json::from_value(rows).unwrap()
    }
}
