//! A real etcd and a real API server, found as `kubernetes::assets` says.

use crate::folder::Folder;
use kube::{Client, Config, config::KubeConfigOptions, config::Kubeconfig};
use netwhy_tests::{discovery::Slices, faulty::kubeconfig, kept::Kept, kubernetes, ports};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const STARTS: Duration = Duration::from_secs(120);

/// Ends with SIGKILL, which is what the tests are about, when it is dropped or the test ends.
fn kept(child: Child) -> Kept {
    Kept::new(Path::new(env!("CARGO_BIN_EXE_netwhy-traffic")), child).unwrap()
}

/// Both programs; gone when dropped.
pub(crate) struct ApiServer {
    assets: PathBuf,
    slices: Slices,
    folder: Folder,
    etcd: SocketAddr,
    address: SocketAddr,
    _etcd: Kept,
    server: Option<Kept>,
}

impl ApiServer {
    /// Starts both. `None`, and a line that says why: there are no such programs.
    pub(crate) async fn start() -> Option<Self> {
        let found = kubernetes::assets().inspect_err(|why| println!("SKIP API server: {why}"));
        let assets = found.ok()?;
        let folder = Folder::new();
        let [etcd, peer, address] = [(); 3].map(|()| ports::free().unwrap());
        let key = rcgen::KeyPair::generate().unwrap();
        folder.file("account.key", &key.serialize_pem());
        folder.file("account.pub", &key.public_key_pem());
        folder.file("tokens.csv", "admin-token,admin,1,\"system:masters\"\nagent-token,agent,2,\n");
        let program = Command::new(assets.join("etcd"))
            .args(["--name", "test", "--logger", "zap", "--log-level", "error", "--unsafe-no-fsync"])
            .arg("--data-dir")
            .arg(folder.0.join("etcd"))
            .args([format!("--listen-client-urls=http://{etcd}"), format!("--advertise-client-urls=http://{etcd}")])
            .args([format!("--listen-peer-urls=http://{peer}"), format!("--initial-advertise-peer-urls=http://{peer}")])
            .arg(format!("--initial-cluster=test=http://{peer}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.0.join("etcd.log")).unwrap())
            .spawn()
            .unwrap();
        let slices = Slices::of(&assets);
        let mut this = Self { assets, slices, folder, etcd, address, _etcd: kept(program), server: None };
        this.restart().await;
        Some(this)
    }

    /// SIGKILL, without a word to anybody.
    pub(crate) fn kill(&mut self) {
        drop(self.server.take());
    }

    /// Starts the API server (again), and waits until it answers.
    pub(crate) async fn restart(&mut self) {
        self.kill();
        let log = fs::File::options().create(true).append(true).open(self.folder.0.join("server.log")).unwrap();
        let file = |name: &str| self.folder.0.join(name).display().to_string();
        let program = Command::new(self.assets.join("kube-apiserver"))
            .args([format!("--etcd-servers=http://{}", self.etcd), format!("--secure-port={}", self.address.port())])
            .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"])
            .args([format!("--cert-dir={}", file("certs")), format!("--token-auth-file={}", file("tokens.csv"))])
            .arg(format!("--service-account-signing-key-file={}", file("account.key")))
            .arg(format!("--service-account-key-file={}", file("account.pub")))
            .args(["--service-account-issuer=https://test", "--service-cluster-ip-range=10.0.0.0/24"])
            .args(["--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount", "--v=1"])
            .args(["--allow-privileged=true", "--max-requests-inflight=2000", "--max-mutating-requests-inflight=2000"])
            .args(self.slices.arguments())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.server = Some(kept(program));
        let client = self.admin().await;
        let begun = Instant::now();
        loop {
            let request = hyper::Request::get("/readyz").body(Vec::new()).unwrap();
            match client.request_text(request).await {
                Ok(_) => return,
                Err(error) if begun.elapsed() > STARTS => {
                    let log = fs::read_to_string(self.folder.0.join("server.log")).unwrap_or_default();
                    let last: Vec<&str> = log.lines().rev().take(20).collect();
                    panic!("the API server does not start: {error}: {last:#?}");
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    /// A kubeconfig of the user with all rights.
    fn admin_config(&self) -> String {
        kubeconfig(&format!("https://{}", self.address), "token: admin-token")
    }

    /// A kubeconfig of the user that starts without rights. `through`: instead of the server itself.
    pub(crate) fn agent_config(&self, through: Option<SocketAddr>) -> String {
        kubeconfig(&format!("https://{}", through.unwrap_or(self.address)), "token: agent-token")
    }

    pub(crate) const fn slices(&self) -> Slices {
        self.slices
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn admin(&self) -> Client {
        let kubeconfig = Kubeconfig::from_yaml(&self.admin_config()).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        Client::try_from(config).unwrap()
    }

    /// Forgets etcd's history up to now.
    pub(crate) fn compact(&self) {
        let post = |path: &str, body: &str| {
            use std::io::{Read as _, Write as _};
            let mut stream = std::net::TcpStream::connect(self.etcd).unwrap();
            let length = body.len();
            write!(stream, "POST {path} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(" 200 "), "{answer}");
            serde_json::from_str::<serde_json::Value>(body).unwrap()
        };
        // Any key's answer tells the present revision.
        let now = post("/v3/kv/range", r#"{"key":"AA=="}"#);
        let revision = now["header"]["revision"].as_str().unwrap().to_owned();
        post("/v3/kv/compaction", &format!(r#"{{"revision":"{revision}"}}"#));
    }
}
