//! Pods and nameless cgroups that come and go, each with short connections; and reloads of the configuration.

use super::world::{PODS, cgroup};
use anyhow::{Context as _, Result};
use netwhy_tests::{lab::Program, stop};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Nameless cgroups per second.
const NAMELESS_PER_SECOND: u32 = 20;
/// Connections in each cgroup.
const CONNECTIONS: u32 = 5;
/// Time between two changes of the configuration.
const RELOAD: Duration = Duration::from_secs(5);
/// Configurations, one after the other; the last is refused. Rows of what is gone are
/// given back as early as they allow: those of cgroups when their map is nearly full.
const CONFIGS: [&str; 4] = [
    "limits:\n  gone_seconds: 5\n  edge_idle_seconds: 30\n  cgroups: 256\nthresholds:\n  loss_ratio: 0.002\n",
    "limits:\n  gone_seconds: 5\n  edge_idle_seconds: 30\n  cgroups: 256\nthresholds:\n  loss_ratio: 0.01\nlabels:\n  workload: false\n",
    "limits:\n  gone_seconds: 6\n  edge_idle_seconds: 30\n  cgroups: 256\npeers:\n  external: [192.0.2.0/24, 198.51.100.0/24]\n",
    "limits:\n  gone_seconds: none\n  no_such_key: 1\n",
];

/// One of the configurations, with the sections that do not change.
pub(super) fn config(number: usize, fixed: &str) -> String {
    format!("{fixed}{}", CONFIGS[number % CONFIGS.len()])
}

/// Everything that comes and goes.
pub(super) struct Churn {
    /// Enters the cgroups.
    pub(super) program: Program,
    /// All of them are below.
    pub(super) root: PathBuf,
    /// The agent's configuration file.
    pub(super) config: PathBuf,
    /// Sections that are in each configuration.
    pub(super) fixed: String,
    /// The start of the API server's time.
    pub(super) begun: Instant,
}

impl Churn {
    /// Keeps the cgroups in step with the API server's Pods until the end.
    pub(super) fn run(mut self) -> Result<()> {
        let mut step = PODS.step_at(self.begun.elapsed());
        for number in PODS.alive_at(step) {
            self.visit(&cgroup(number)[0])?;
        }
        let pause = Duration::from_secs(1) / NAMELESS_PER_SECOND;
        let (mut nameless, mut reloads) = (0_u64, 1_u32);
        while !stop::sleep(pause) {
            let now = self.begun.elapsed();
            while step < PODS.step_at(now) {
                step += 1;
                self.visit(&cgroup(step)[0])?;
                for path in cgroup(*PODS.alive_at(step).start() - 1) {
                    self.remove(&path)?;
                }
            }
            let path = format!("short/{nameless}");
            self.visit(&path)?;
            self.remove(&path)?;
            nameless += 1;
            if now > RELOAD * reloads {
                replace(&self.config, &config(reloads as usize, &self.fixed))?;
                reloads += 1;
            }
        }
        Ok(())
    }

    fn visit(&mut self, path: &str) -> Result<()> {
        self.program.tell(&format!("visit {} {CONNECTIONS}", self.root.join(path).display()))
    }

    fn remove(&mut self, path: &str) -> Result<()> {
        self.program.tell(&format!("remove {}", self.root.join(path).display()))
    }
}

/// Puts another file in place at once, as a ConfigMap's mount does.
pub(super) fn replace(file: &Path, text: &str) -> Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, text).and_then(|()| fs::rename(&new, file)).with_context(|| format!("replace {}", file.display()))
}
