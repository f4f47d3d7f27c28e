//! Starts plugin and agent, and checks the machine's requirements.

use netwhy_tests::{
    built::built,
    lab::{Lab, Program, missing_tools},
};
use serde_json::Value;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

pub(crate) const TRAFFIC: &str = env!("CARGO_BIN_EXE_netwhy-traffic");
/// Timeout of every wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// `kubectl-netwhy`.
pub(crate) fn plugin() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| built("NETWHY_PLUGIN", ["--bin", "kubectl-netwhy"]).unwrap())
}

/// `netwhy-agent`.
pub(crate) fn agent() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| built("NETWHY_AGENT", ["--bin", "netwhy-agent"]).unwrap())
}

/// The result of a run.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asserts success.
    #[track_caller]
    pub(crate) fn well(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self
    }

    /// Asserts a failure as with kubectl: exit code 1, nothing on stdout, one line on stderr with these words.
    #[track_caller]
    pub(crate) fn failed(&self, words: &[&str]) {
        let lines: Vec<&str> = self.err.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!((self.code, self.out.as_str(), lines.len()), (1, "", 1), "{}{}", self.out, self.err);
        for word in words {
            assert!(lines[0].contains(word), "{word:?} is in: {}", lines[0]);
        }
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }
}

/// The plugin's command, without this machine's configuration.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(plugin());
    for variable in ["KUBECONFIG", "NO_COLOR", "HOME", "KUBERNETES_SERVICE_HOST"] {
        command.env_remove(variable);
    }
    command.args(args).stdin(Stdio::null());
    command
}

pub(crate) fn ask(args: &[&str]) -> Said {
    Said::of(command(args).output().unwrap())
}

/// True if the test can't run here; prints the reason. With `CI=true` only a missing machine feature is a reason.
pub(crate) fn skips(test: &str) -> bool {
    let setup = if !rustix::process::geteuid().is_root() {
        "needs root".to_owned()
    } else if !missing_tools().is_empty() {
        format!("needs {}", missing_tools().join(", "))
    } else if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        println!("SKIP {test}: machine: the kernel has no type information (BTF)");
        return true;
    } else {
        return false;
    };
    assert!(!std::env::var("CI").is_ok_and(|ci| ci == "true"), "{test} {setup}, and CI=true");
    println!("SKIP {test}: {setup}");
    true
}

/// Starts an agent in a laboratory and waits until it is ready. It stops on drop.
pub(crate) fn start_agent(lab: &Lab, netns: Option<&str>, node: &str, cgroups: &Path, args: &[&str]) -> Program {
    let mut line: Vec<std::ffi::OsString> = vec![agent().into(), "run".into(), "--cgroup-root".into(), cgroups.into()];
    line.extend(["--node-name", node, "--log-level", "error"].iter().chain(args).map(Into::into));
    lab.start_command(netns, None, &line).and_then(Program::kept).unwrap()
}

/// Waits until an agent is ready.
pub(crate) fn wait_ready(address: SocketAddr) {
    eventually("ready agent", || {
        get(address, "/readyz").filter(|text| text.starts_with("HTTP/1.1 200")).map(drop).ok_or_else(String::new)
    });
}

fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}

/// Polls until there is an answer.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let begin = Instant::now();
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(why) if begin.elapsed() > PATIENCE => panic!("no {what} within {PATIENCE:?}: {why}"),
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// A folder, removed on drop.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("netwhy-plugin-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.file(name), text).unwrap();
        self.file(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A kubeconfig with these contexts (name, server, token).
pub(crate) fn kubeconfig(contexts: &[(&str, &str, &str)], namespace: &str) -> String {
    let list = |of: &dyn Fn(&(&str, &str, &str)) -> Value| contexts.iter().map(of).collect::<Vec<_>>();
    serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": contexts[0].0,
        "clusters": list(&|(name, server, _)| serde_json::json!({
            "name": name, "cluster": {"server": server, "insecure-skip-tls-verify": server.starts_with("https")}
        })),
        "users": list(&|(name, _, token)| serde_json::json!({"name": name, "user": {"token": token}})),
        "contexts": list(&|(name, ..)| serde_json::json!({
            "name": name, "context": {"cluster": name, "user": name, "namespace": namespace}
        }))
    })
    .to_string()
}
