//! The agent as the demo runs it.

use super::http;
use crate::{Unavailable, sh};
use anyhow::{Context as _, Result, bail};
use netwhy_tests::{
    kept::Kept,
    lab::{Lab, Pod},
    stop,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    cell::RefCell,
    ffi::OsString,
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// How long it may take to stop.
const GRACE: Duration = Duration::from_secs(5);
/// The agent's exit code for a kernel or permissions that can't support it.
const UNSUPPORTED: i32 = 69;
/// Lines of its log that are shown when it fails.
const TAIL: usize = 15;

/// A running agent; stopped when dropped.
pub(crate) struct Agent {
    child: RefCell<Kept>,
    address: SocketAddr,
    log: PathBuf,
}

/// Which agent to start.
pub(crate) struct Settings<'a> {
    /// Its Node's name.
    pub(crate) node: &'a str,
    /// It sees the cgroups below and no others.
    pub(crate) cgroup_root: &'a Path,
    /// Configuration file. `None`: the defaults.
    pub(crate) config: Option<&'a Path>,
    /// Process whose network namespace is the Node's. `None`: the machine's own.
    pub(crate) net_process: Option<u32>,
}

impl Agent {
    /// Starts it standalone; it sees the laboratory's cgroups and no others.
    pub(crate) fn start(bin: &Path, lab: &Lab, log: PathBuf) -> Result<Self> {
        let settings = Settings { node: "a", cgroup_root: lab.cgroups().root(), config: None, net_process: None };
        Self::start_with(bin, &settings, log)
    }

    /// Starts it standalone, as `settings` say.
    pub(crate) fn start_with(bin: &Path, settings: &Settings<'_>, log: PathBuf) -> Result<Self> {
        Self::spawn(bin, settings, &["run".into()], log)
    }

    /// Starts it inside a cgroup, connected to an API server.
    pub(crate) fn start_in_cluster(
        bin: &Path,
        settings: &Settings<'_>,
        cgroup: &Pod,
        kubeconfig: &Path,
        log: PathBuf,
    ) -> Result<Self> {
        let mut enter: Vec<OsString> = vec!["--cgroup".into(), cgroup.cgroup.clone().into()];
        enter.extend(cgroup.v1().flat_map(|v1| ["--cgroup-v1".into(), v1.clone().into()]));
        let cluster = ["run".into(), "--kube".into(), "on".into(), "--kubeconfig".into(), kubeconfig.into()];
        Self::exec(bin, &enter, settings, &cluster, log)
    }

    /// Starts it with `record`: until it is dropped, it writes the kernel's counters to a file and serves no hints.
    #[cfg(feature = "judge")]
    pub(crate) fn record(bin: &Path, settings: &Settings<'_>, file: &Path, log: PathBuf) -> Result<Self> {
        Self::spawn(bin, settings, &["record".into(), file.into()], log)
    }

    fn spawn(bin: &Path, settings: &Settings<'_>, action: &[OsString], log: PathBuf) -> Result<Self> {
        let standalone = ["--kube".into(), "off".into()];
        Self::exec(bin, &[], settings, &[action, &standalone].concat(), log)
    }

    /// Starts it with these options of the starter and these arguments.
    fn exec(
        bin: &Path,
        starter: &[OsString],
        settings: &Settings<'_>,
        arguments: &[OsString],
        log: PathBuf,
    ) -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let address = port.context("find a free port")?;
        let out = File::create(&log).with_context(|| format!("make {}", log.display()))?;
        let traffic = bin.join("netwhy-traffic");
        let mut command = Command::new(&traffic);
        command.arg("exec").args(starter).arg("--").arg(bin.join("netwhy-agent")).args(arguments);
        command.args(["--node-name", settings.node, "--log-format", "text", "--cgroup-root"]);
        command.arg(settings.cgroup_root).args(["--listen", &address.to_string()]);
        if let Some(config) = settings.config {
            command.arg("--config").arg(config);
        }
        if let Some(process) = settings.net_process {
            command.args(["--net-process", &process.to_string()]);
        }
        command.stdin(Stdio::null()).stdout(out.try_clone().context("share the log")?).stderr(out).process_group(0);
        // Settings of the demo, not of the user's environment.
        for name in ["NETWHY_KUBE", "NETWHY_CONFIG", "NETWHY_LISTEN", "NETWHY_CGROUP_ROOT", "NODE_NAME", "KUBECONFIG"] {
            command.env_remove(name);
        }
        let child = command.spawn().with_context(|| format!("start `{}`", sh::shown(&command)))?;
        // It changes its user, after which it would outlive us when we are killed.
        let child = Kept::new(&traffic, child)?;
        Ok(Self { child: RefCell::new(child), address, log })
    }

    /// `http://127.0.0.1:port`
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.borrow().id()
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it says that it is ready.
    pub(crate) fn wait_ready(&self, timeout: Duration) -> Result<()> {
        let start = Instant::now();
        let mut shown = String::new();
        loop {
            self.check()?;
            let state = match http::get(self.address, "/readyz") {
                Ok(answer) if answer.status == 200 => {
                    sh::say(&format!("  ready after {:.1} s", start.elapsed().as_secs_f64()));
                    return Ok(());
                }
                Ok(answer) => answer.body.trim().to_owned(),
                Err(_) => "doesn't listen yet".to_owned(),
            };
            if state != shown {
                sh::say(&format!("  {state}"));
                shown.clone_from(&state);
            }
            if start.elapsed() > timeout {
                bail!("the agent isn't ready after {} s: {state}\n{}", timeout.as_secs(), self.log_tail());
            }
            if stop::sleep(Duration::from_millis(50)) {
                bail!("interrupted");
            }
        }
    }

    /// An error when it has ended.
    pub(crate) fn check(&self) -> Result<()> {
        match self.child.borrow_mut().try_wait().context("look after the agent")? {
            None => Ok(()),
            Some(status) => Err(self.ended(status)),
        }
    }

    fn ended(&self, status: ExitStatus) -> anyhow::Error {
        let text = format!("the agent ended ({status}); the end of {}:\n{}", self.log.display(), self.log_tail());
        if status.code() == Some(UNSUPPORTED) { Unavailable::error(text) } else { anyhow::Error::msg(text) }
    }

    fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }

    /// The body of a successful GET.
    pub(crate) fn get(&self, path: &str) -> Result<String> {
        let answer = http::get(self.address, path)?;
        if answer.status != 200 {
            bail!("GET {path}: status {}: {}", answer.status, answer.body.trim());
        }
        Ok(answer.body)
    }

    /// The same as JSON.
    pub(crate) fn get_json(&self, path: &str) -> Result<Value> {
        serde_json::from_str(&self.get(path)?).with_context(|| format!("the answer to GET {path} is no JSON"))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let child: &mut Child = self.child.get_mut();
        let signal = |child: &mut Child, signal| {
            // Once it was waited for, its id may belong to another process.
            if let (Ok(None), Some(pid)) = (child.try_wait(), Pid::from_raw(child.id() as i32)) {
                let _ = kill_process(pid, signal);
            }
        };
        signal(child, Signal::TERM);
        let end = Instant::now() + GRACE;
        while matches!(child.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        signal(child, Signal::KILL);
        let _ = child.wait();
    }
}
