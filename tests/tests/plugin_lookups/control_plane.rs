//! A real API server (etcd, kube-apiserver) on a Node of the laboratory, without kubelets: the objects are the test's.

use crate::tools::{Said, Scratch, command, eventually, kubeconfig};
use netwhy_tests::{
    discovery::Slices,
    lab::{Lab, Node, Program},
};
use serde_json::{Value, json};
use std::{
    ffi::OsString,
    fs,
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
/// May do nothing.
pub(crate) const NOBODY: &str = "token-of-nobody";

/// A running control plane, stopped on drop.
pub(crate) struct ControlPlane {
    _programs: Vec<Program>,
    pub(crate) scratch: Scratch,
    pub(crate) url: String,
    netns: String,
}

impl ControlPlane {
    pub(crate) fn start(lab: &Lab, node: &Node, assets: &Path) -> Self {
        let scratch = Scratch::new("control-plane");
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let key = text(scratch.file("sa.key"));
        let made = Command::new("openssl").args(["genrsa", "-out", &key, "2048"]).stderr(Stdio::null()).status();
        assert!(made.unwrap().success(), "openssl makes a key");
        let tokens = [
            (ADMIN, "admin", "system:masters"),
            (ONCALL, "oncall", ""),
            (READER, "reader", ""),
            (NOBODY, "nobody", ""),
        ];
        let tokens: String =
            tokens.iter().map(|(token, name, group)| format!("{token},{name},{name},\"{group}\"\n")).collect();
        let tokens = text(scratch.write("tokens.csv", &tokens));
        let address = node.ipv4.to_string();
        let (etcd, peer) = (format!("http://{address}:2379"), format!("http://{address}:2380"));
        let run = |program: &str, args: &[&str]| {
            let log = fs::File::create(scratch.file(&format!("{program}.log"))).unwrap();
            drop(log);
            // Through a shell for the log only.
            let line = format!("exec \"$0\" \"$@\" >{} 2>&1", text(scratch.file(&format!("{program}.log"))));
            let mut all: Vec<OsString> = vec!["sh".into(), "-c".into(), line.into(), assets.join(program).into()];
            all.extend(args.iter().map(OsString::from));
            lab.start_command(Some(&node.netns), None, &all).unwrap()
        };
        let data = text(scratch.file("etcd"));
        let etcd_args = [
            "--data-dir",
            &data,
            "--listen-client-urls",
            &etcd,
            "--advertise-client-urls",
            &etcd,
            "--listen-peer-urls",
            &peer,
            "--initial-advertise-peer-urls",
            &peer,
            "--initial-cluster",
            &format!("default={peer}"),
            "--unsafe-no-fsync",
        ];
        let certs = text(scratch.file("certs"));
        let server_args = [
            "--etcd-servers",
            &etcd,
            "--bind-address",
            &address,
            "--advertise-address",
            &address,
            "--secure-port",
            "6443",
            "--cert-dir",
            &certs,
            "--token-auth-file",
            &tokens,
            "--authorization-mode",
            "RBAC",
            "--disable-admission-plugins",
            "ServiceAccount",
            "--service-cluster-ip-range",
            "10.96.0.0/16",
            "--service-account-issuer",
            "https://kubernetes.default.svc",
            "--service-account-signing-key-file",
            &key,
            "--service-account-key-file",
            &key,
        ];
        let server_args = [server_args.as_slice(), Slices::of(assets).arguments()].concat();
        let programs = vec![run("etcd", &etcd_args), run("kube-apiserver", &server_args)];
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
    fn inside(&self, mut line: Vec<OsString>) -> Command {
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
        let mut line: Vec<OsString> = vec![plain.get_program().to_owned()];
        line.extend(plain.get_args().map(OsString::from));
        line.extend(["--kubeconfig".into(), self.config(token).into()]);
        let mut command = self.inside(line);
        for variable in ["KUBECONFIG", "NO_COLOR", "KUBERNETES_SERVICE_HOST"] {
            command.env_remove(variable);
        }
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
