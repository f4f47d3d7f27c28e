//! A real API server (etcd, kube-apiserver) on a Node of the laboratory, without kubelets: the objects are the test's.

use crate::tools::{Said, Scratch, command, eventually, kubeconfig};
use netwhy_tests::{
    discovery::Slices,
    lab::{Lab, Node, Program},
};
use serde_json::{Value, json};
use std::{
    ffi::OsString,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// May do everything.
pub(crate) const ADMIN: &str = "token-of-admin";
/// May do what README.md says that an on-call engineer needs.
pub(crate) const ONCALL: &str = "token-of-oncall";
/// May list Pods but not use their proxy.
pub(crate) const READER: &str = "token-of-reader";
/// May ask agents, but not read Nodes.
pub(crate) const NARROW: &str = "token-of-narrow";
/// May do nothing.
pub(crate) const NOBODY: &str = "token-of-nobody";

/// A running control plane, stopped on drop.
pub(crate) struct ControlPlane {
    _programs: Vec<Program>,
    pub(crate) scratch: Scratch,
    pub(crate) url: String,
    netns: String,
}

fn text(path: PathBuf) -> String {
    path.to_str().unwrap().to_owned()
}

/// Writes a key for service account tokens, and the users' own tokens.
fn secrets(scratch: &Scratch) -> (String, String) {
    let key = text(scratch.file("sa.key"));
    let made = Command::new("openssl").args(["genrsa", "-out", &key, "2048"]).stderr(Stdio::null()).status();
    assert!(made.unwrap().success(), "openssl makes a key");
    let tokens = [
        (ADMIN, "admin", "system:masters"),
        (ONCALL, "oncall", ""),
        (READER, "reader", ""),
        (NARROW, "narrow", ""),
        (NOBODY, "nobody", ""),
    ];
    let tokens: String =
        tokens.iter().map(|(token, name, group)| format!("{token},{name},{name},\"{group}\"\n")).collect();
    (key, text(scratch.write("tokens.csv", &tokens)))
}

/// Arguments of etcd at this address.
fn etcd(scratch: &Scratch, address: &str) -> Vec<String> {
    let (clients, peers) = (format!("http://{address}:2379"), format!("http://{address}:2380"));
    vec![
        format!("--data-dir={}", text(scratch.file("etcd"))),
        format!("--listen-client-urls={clients}"),
        format!("--advertise-client-urls={clients}"),
        format!("--listen-peer-urls={peers}"),
        format!("--initial-advertise-peer-urls={peers}"),
        format!("--initial-cluster=default={peers}"),
        "--unsafe-no-fsync".to_owned(),
    ]
}

/// Arguments of the API server over this etcd.
fn api_server(scratch: &Scratch, address: &str, assets: &Path) -> Vec<String> {
    let (key, tokens) = secrets(scratch);
    let mut all = vec![
        format!("--etcd-servers=http://{address}:2379"),
        format!("--bind-address={address}"),
        format!("--advertise-address={address}"),
        "--secure-port=6443".to_owned(),
        format!("--cert-dir={}", text(scratch.file("certs"))),
        format!("--token-auth-file={tokens}"),
        "--authorization-mode=RBAC".to_owned(),
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-signing-key-file={key}"),
        format!("--service-account-key-file={key}"),
    ];
    all.extend(Slices::of(assets).arguments().iter().map(|argument| (*argument).to_owned()));
    all
}

impl ControlPlane {
    pub(crate) fn start(lab: &Lab, node: &Node, assets: &Path) -> Self {
        let scratch = Scratch::new("control-plane");
        let address = node.ipv4.to_string();
        let run = |program: &str, args: Vec<String>| {
            // Through a shell for the log only.
            let line = format!("exec \"$0\" \"$@\" >{} 2>&1", text(scratch.file(&format!("{program}.log"))));
            let mut all: Vec<OsString> = vec!["sh".into(), "-c".into(), line.into(), assets.join(program).into()];
            all.extend(args.into_iter().map(OsString::from));
            lab.start_command(Some(&node.netns), None, &all).unwrap()
        };
        let server = api_server(&scratch, &address, assets);
        let programs = vec![run("etcd", etcd(&scratch, &address)), run("kube-apiserver", server)];
        let url = format!("https://{address}:6443");
        let this = Self { _programs: programs, scratch, url, netns: node.netns.clone() };
        eventually("API server", || this.kubectl(ADMIN, &["get", "--raw", "/readyz"], "").map(drop));
        // Its own start-up hooks make the built-in roles.
        eventually("built-in roles", || this.kubectl(ADMIN, &["get", "clusterrole", "view"], "").map(drop));
        this
    }

    /// A kubeconfig with this token.
    pub(crate) fn config(&self, token: &str) -> PathBuf {
        self.scratch.write(&format!("config-{token}"), &kubeconfig(&[("lab", &self.url, token)], "shop"))
    }

    /// Inside the API server's namespace.
    pub(crate) fn inside(&self, mut line: Vec<OsString>) -> Command {
        let program = line.remove(0);
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.netns]).arg(program).args(line);
        command
    }

    pub(crate) fn kubectl(&self, token: &str, args: &[&str], input: &str) -> Result<String, String> {
        let mut line: Vec<OsString> = vec!["kubectl".into(), "--kubeconfig".into(), self.config(token).into()];
        line.extend(args.iter().map(OsString::from));
        let mut command = self.inside(line);
        command.env("KUBECACHEDIR", self.scratch.file("cache")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Makes an object; returns its UID.
    pub(crate) fn create(&self, object: &Value) -> String {
        let made = self.kubectl(ADMIN, &["create", "-f", "-", "-o", "json"], &object.to_string()).unwrap();
        let made: Value = serde_json::from_str(&made).unwrap();
        made["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
    }

    /// Sets the status of a Pod, as a kubelet does.
    pub(crate) fn status(&self, namespace: &str, pod: &str, status: &Value) {
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/status");
        let now = self.kubectl(ADMIN, &["get", "--raw", &path], "").unwrap();
        let mut object: Value = serde_json::from_str(&now).unwrap();
        object["status"] = status.clone();
        self.kubectl(ADMIN, &["replace", "--raw", &path, "-f", "-"], &object.to_string()).unwrap();
    }

    /// Runs the plugin with this token.
    pub(crate) fn ask(&self, token: &str, args: &[&str]) -> Said {
        let plain = command(args);
        // Flags stand before the command: behind `--` they would be the container's.
        let mut line: Vec<OsString> = vec![plain.get_program().to_owned()];
        line.extend(["--kubeconfig".into(), self.config(token).into()]);
        line.extend(plain.get_args().map(OsString::from));
        let mut command = self.inside(line);
        for variable in ["KUBECONFIG", "NO_COLOR", "KUBERNETES_SERVICE_HOST"] {
            command.env_remove(variable);
        }
        command.env("XDG_STATE_HOME", self.scratch.file("state"));
        Said::of(command.stdin(Stdio::null()).output().unwrap())
    }
}

/// A running Pod's status.
pub(crate) fn running(address: &str) -> Value {
    json!({
        "phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "PodScheduled", "status": "True"}],
        "containerStatuses": [{
            "name": "app", "ready": true, "started": true, "restartCount": 0, "image": "app", "imageID": "app",
            "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        }]
    })
}
