//! The programs of a cluster that `kube-up` started: to kill one and to start it again as it was.

use std::{
    ffi::OsString,
    fs::{self, File},
    os::{
        fd::AsRawFd as _,
        unix::{ffi::OsStringExt as _, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(60);

/// A program, with all that it takes to start it again.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    line: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    /// Its mount namespace.
    mounts: File,
    /// Its cgroup v2, which has no other process. `kube-down` finds it there.
    cgroup: PathBuf,
    log: PathBuf,
}

impl Part {
    /// Finds a running program by its cgroup. `state` is the cluster's folder.
    pub(crate) fn find(state: &Path, name: &'static str) -> Self {
        let cgroup = cgroups().join("kubelab.slice").join(format!("{name}.service"));
        let processes = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap();
        let process = processes.lines().next().unwrap_or_else(|| panic!("{name} does not run"));
        let list = |file: &str| -> Vec<OsString> {
            let bytes = fs::read(format!("/proc/{process}/{file}")).unwrap();
            let parts = bytes.split(|byte| *byte == 0).filter(|part| !part.is_empty());
            parts.map(|part| OsString::from_vec(part.to_vec())).collect()
        };
        let pair = |entry: OsString| {
            let entry = entry.into_string().ok()?;
            let (name, value) = entry.split_once('=')?;
            Some((name.into(), value.into()))
        };
        Self {
            name,
            line: list("cmdline"),
            environment: list("environ").into_iter().filter_map(pair).collect(),
            mounts: File::open(format!("/proc/{process}/ns/mnt")).unwrap(),
            cgroup,
            log: state.join("log").join(format!("{name}.log")),
        }
    }

    fn runs(&self) -> bool {
        fs::read_to_string(self.cgroup.join("cgroup.events")).unwrap().contains("populated 1")
    }

    /// SIGKILL; returns when it is gone.
    pub(crate) fn kill(&self) {
        fs::write(self.cgroup.join("cgroup.kill"), "1").unwrap();
        self.until("end", || !self.runs());
    }

    /// Starts it as it was, if it does not run: an API server ends by itself when it starts without etcd.
    pub(crate) fn ensure(&self) {
        if self.runs() {
            return;
        }
        let mut child = self.spawn();
        self.until("start", || self.runs() || child.try_wait().unwrap().is_some());
        // Reaps it when it ends.
        thread::spawn(move || child.wait());
    }

    /// It outlives the test, as `kube-up`'s own processes do: `kube-down` ends it.
    fn spawn(&self) -> Child {
        let log = File::options().append(true).open(&self.log).unwrap();
        let mounts = format!("--mount=/proc/{}/fd/{}", std::process::id(), self.mounts.as_raw_fd());
        let enter = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", self.cgroup.display());
        // The shell enters the cgroup in the machine's own mount namespace.
        let mut command = Command::new("sh");
        command.args(["-c", &enter, "sh", "nsenter", &mounts, "--wd=/", "--"]).args(&self.line);
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        command.spawn().unwrap()
    }

    fn until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !done() {
            assert!(begun.elapsed() < PATIENCE, "no {what} of {} within {PATIENCE:?}", self.name);
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Where version 2 is mounted.
fn cgroups() -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let mut lines = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    lines.find(|fields| fields[2] == "cgroup2").map(|fields| fields[1].into()).unwrap()
}
