//! A laboratory with traffic, an agent that observes it, and each Prometheus of this machine, which scrape the agent.

use crate::{
    agent::Agent,
    http::TextProxy,
    scraper::{Scraper, Target, find, prometheuses},
};
use netwhy_tests::{
    lab::{Shop, missing_tools},
    ports,
    prometheus::{Prometheus, Version},
};
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

pub(crate) const TRAFFIC: &str = env!("CARGO_BIN_EXE_netwhy-traffic");
const PATIENCE: Duration = Duration::from_secs(120);
/// Subjects lose their series soon after their cgroup, so that tests need not wait for the default of 90 s.
const CONFIG: &str = "limits:\n  gone_seconds: 2\n";

pub(crate) struct World {
    // Clients stop before servers.
    /// The installed Prometheus first.
    pub(crate) scrapers: Vec<Scraper>,
    _text: TextProxy,
    agent: Option<Agent>,
    pub(crate) shop: Shop,
    pub(crate) dir: Scratch,
}

/// A directory, removed on drop.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("netwhy-prometheus-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// True if the test can't run here; prints the reason. With `CI=true` only a missing machine feature is a reason.
pub(crate) fn skips(test: &str) -> bool {
    let machine = if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        Some("the kernel has no type information (BTF)")
    } else if !fs::read_to_string("/proc/self/mounts").unwrap().contains(" cgroup2 ") {
        Some("no cgroup v2 is mounted")
    } else {
        None
    };
    if let Some(why) = machine {
        println!("SKIP {test}: machine: {why}");
        return true;
    }
    let mut missing = missing_tools();
    missing.extend(["prometheus", "promtool"].into_iter().filter(|program| find(program).is_none()));
    let why = match (rustix::process::geteuid().is_root(), missing.is_empty()) {
        (true, true) => return false,
        (false, _) => "needs root".to_owned(),
        (true, false) => format!("needs {}", missing.join(", ")),
    };
    assert!(!std::env::var("CI").is_ok_and(|ci| ci == "true"), "{test} {why}, and CI=true");
    println!("SKIP {test}: {why}");
    true
}

impl World {
    /// `None`: not possible on this machine; the reason was printed.
    pub(crate) fn open(test: &str) -> Option<Self> {
        Self::open_with(test, "")
    }

    /// The same with more sections in the agent's configuration. `@DIR@` is the test's own directory.
    pub(crate) fn open_with(test: &str, sections: &str) -> Option<Self> {
        if skips(test) {
            return None;
        }
        let prometheuses = prometheuses(test);
        let dir = Scratch::new(test);
        let config = dir.0.join("netwhy.yaml");
        let sections = sections.replace("@DIR@", dir.0.to_str().unwrap());
        fs::write(&config, format!("{CONFIG}{sections}")).unwrap();
        let shop = Shop::open(Path::new(TRAFFIC), Some("cubic")).unwrap();
        let address = ports::free().unwrap();
        let agent = Agent::start(shop.lab(), address, &config, &dir.0.join("agent.log"));
        let text = TextProxy::start(address);
        let targets = [Target("netwhy", address, "a"), Target("text", text.address, "text")];
        let start = |prometheus: &Prometheus| {
            let Version(major, minor) = prometheus.version;
            Scraper::start(prometheus, &dir.0.join(format!("prometheus-{major}.{minor}")), &targets)
        };
        let scrapers = prometheuses.iter().map(start).collect();
        Some(Self { scrapers, _text: text, agent: Some(agent), shop, dir })
    }

    /// Polls until a condition holds at each Prometheus.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, holds: impl Fn(&Scraper) -> bool) {
        for scraper in &self.scrapers {
            wait_until(&format!("{scraper}: {what}"), || holds(scraper));
        }
    }

    pub(crate) const fn agent(&self) -> &Agent {
        self.agent.as_ref().expect("an agent runs")
    }

    /// Kills the agent and starts another on the same address.
    pub(crate) fn restart_agent(&mut self) {
        let address = self.agent().address;
        self.agent = None;
        let (config, log) = (self.dir.0.join("netwhy.yaml"), self.dir.0.join("agent.log"));
        self.agent = Some(Agent::start(self.shop.lab(), address, &config, &log));
    }
}

/// Polls until a condition holds.
#[track_caller]
pub(crate) fn wait_until(what: &str, holds: impl FnMut() -> bool) {
    assert!(holds_within(PATIENCE, holds), "{what}: not within {PATIENCE:?}");
}

pub(crate) fn holds_within(time: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + time;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() > end {
            return false;
        }
        thread::sleep(Duration::from_millis(200));
    }
}
