//! Scrapes over https: with the agents' CA, a client certificate, and tokens that a real API server judges.

use crate::{
    agent::program,
    api_server::ApiServer,
    http,
    scraper::Scraper,
    world::{Scratch, TRAFFIC, holds_within, skips, wait_until},
};
use k8s_openapi::{
    api::{
        authentication::v1::TokenRequest,
        core::v1::ServiceAccount,
        rbac::v1::{ClusterRole, ClusterRoleBinding},
    },
    serde::de::DeserializeOwned,
};
use kube::{Api, Client, api::PostParams};
use netwhy_tests::{kept::Kept, ports};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use std::{
    fs::{self, File},
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

/// Name in the agent's certificate. Prometheus connects to an address.
const NAME: &str = "netwhy.watch.svc";

fn read<T: DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// A CA.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Writes a certificate of this CA and its key.
    fn issue(&self, name: &str, certificate: &Path, key: &Path) {
        let pair = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        fs::write(key, pair.serialize_pem()).unwrap();
        fs::write(certificate, params.signed_by(&pair, &self.0).unwrap().pem()).unwrap();
    }
}

/// The agent's process; killed when dropped, and with the test.
struct Secured {
    _process: Kept,
}

impl Secured {
    /// Starts it and waits until its probe listener answers, which stays plain.
    fn start(dir: &Path, listen: SocketAddr, probes: SocketAddr) -> Self {
        let mut command = Command::new(program());
        for name in ["NETWHY_KUBE", "NODE_NAME", "KUBECONFIG", "NETWHY_LISTEN", "NETWHY_CONFIG", "NETWHY_CGROUP_ROOT"] {
            command.env_remove(name);
        }
        command.args(["run", "--kube", "on", "--node-name", "a", "--log-level", "trace", "--log-format", "text"]);
        command.arg("--kubeconfig").arg(dir.join("kubeconfig")).arg("--config").arg(dir.join("netwhy.yaml"));
        command.arg(format!("--listen={listen}")).arg(format!("--probe-listen={probes}"));
        let log = File::create(dir.join("agent.log")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let agent = Self { _process: Kept::new(Path::new(TRAFFIC), child).unwrap() };
        wait_until("the probe listener answers in plain text", || {
            http::get(probes, "/livez", "*/*").is_some_and(|(status, _)| status == 200)
        });
        agent
    }
}

/// A token of a new ServiceAccount.
async fn token(admin: &Client, name: &str) -> String {
    let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), "default");
    accounts.create(&PostParams::default(), &read(json!({"metadata": {"name": name}}))).await.unwrap();
    let request: TokenRequest = read(json!({"metadata": {}, "spec": {"audiences": [], "expirationSeconds": 3600}}));
    accounts.create_token_request(name, &PostParams::default(), &request).await.unwrap().status.unwrap().token
}

/// The agent's rights, as the chart grants them, and Prometheus' right.
async fn grant(admin: &Client) {
    let rules = json!([
        {"apiGroups": [""], "resources": ["pods", "nodes"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]},
        {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
        {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
    ]);
    let reader = json!([{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]);
    let user = json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "agent"});
    let account = json!({"kind": "ServiceAccount", "namespace": "default", "name": "prometheus"});
    for (name, rules, subject) in [("agent", rules, user), ("metrics-reader", reader, account)] {
        let role: ClusterRole = read(json!({"metadata": {"name": name}, "rules": rules}));
        Api::all(admin.clone()).create(&PostParams::default(), &role).await.unwrap();
        let binding: ClusterRoleBinding = read(json!({
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [subject],
        }));
        Api::all(admin.clone()).create(&PostParams::default(), &binding).await.unwrap();
    }
}

/// A scrape job for each combination of token and certificates. Only `good` has everything.
fn jobs(address: SocketAddr) -> String {
    let mut config = "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n".to_owned();
    let own = "cert_file: prometheus.crt, key_file: prometheus.key";
    for (job, ca, own, token) in [
        ("good", "ca.crt", own, Some("token")),
        ("stranger", "ca.crt", own, Some("stranger-token")),
        ("forged", "ca.crt", own, Some("forged-token")),
        ("without-token", "ca.crt", own, None),
        ("without-certificate", "ca.crt", "", Some("token")),
        ("wrong-ca", "clients.crt", own, Some("token")),
    ] {
        let token = token.map(|file| format!("    authorization: {{credentials_file: {file}}}\n")).unwrap_or_default();
        config.push_str(&format!(
            "  - job_name: {job}\n    scheme: https\n    honor_labels: true\n    \
             tls_config: {{ca_file: {ca}, server_name: {NAME}, {own}}}\n{token}    \
             static_configs: [{{targets: ['{address}']}}]\n"
        ));
    }
    config
}

/// The newest error of a job's scrape. Empty: it succeeds.
fn error(prometheus: &Scraper, job: &str) -> Option<String> {
    let targets = prometheus.ask("/api/v1/targets", None).ok()?;
    let target = targets["activeTargets"].as_array()?.iter().find(|target| target["labels"]["job"] == job)?;
    (target["health"] != "unknown").then(|| target["lastError"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_scrapes_with_ca_certificate_and_token_and_with_nothing_less() {
    if skips("prometheus_scrapes_with_ca_certificate_and_token_and_with_nothing_less") {
        return;
    }
    let Some(server) = ApiServer::start().await else { return };
    let admin = server.admin().await;
    grant(&admin).await;
    let dir = Scratch::new("secured");
    let file = |name: &str| dir.0.join(name);
    let (authority, clients) = (Authority::new(), Authority::new());
    authority.issue(NAME, &file("tls.crt"), &file("tls.key"));
    clients.issue("prometheus", &file("prometheus.crt"), &file("prometheus.key"));
    let (good, stranger) = (token(&admin, "prometheus").await, token(&admin, "stranger").await);
    let forged = format!("{}AAAA", &good[..good.len() - 4]);
    let path = |name: &str| file(name).display().to_string();
    let config = format!(
        "http:\n  tls_certificate_file: {}\n  tls_key_file: {}\n  tls_client_ca_file: {}\n  \
         authorization: kubernetes\n",
        path("tls.crt"),
        path("tls.key"),
        path("clients.crt")
    );
    for (name, text) in [
        ("ca.crt", authority.0.pem()),
        ("clients.crt", clients.0.pem()),
        ("token", good.clone()),
        ("stranger-token", stranger.clone()),
        ("forged-token", forged.clone()),
        ("kubeconfig", server.agent_config(None)),
        ("netwhy.yaml", config),
    ] {
        fs::write(file(name), text).unwrap();
    }
    let [listen, probes] = [(); 2].map(|()| ports::free().unwrap());
    let agent = Secured::start(&dir.0, listen, probes);
    let prometheus = Scraper::with(&dir.0, &jobs(listen));
    refusals(&prometheus);
    renewal(&prometheus, &authority, &dir.0);
    drop(prometheus);
    another_ca(&dir.0, listen);
    drop(agent);
    let log = fs::read_to_string(file("agent.log")).unwrap();
    for token in [good, stranger, forged] {
        assert!(!log.contains(token.rsplit('.').next().unwrap()), "a token is in the log");
    }
}

/// Each job's outcome.
fn refusals(prometheus: &Scraper) {
    wait_until("the good job scrapes", || error(prometheus, "good").is_some_and(|error| error.is_empty()));
    for (job, expected) in [
        ("stranger", "403 Forbidden"),
        ("forged", "401 Unauthorized"),
        ("without-token", "401 Unauthorized"),
        ("without-certificate", "certificate required"),
        ("wrong-ca", "unknown authority"),
    ] {
        let matches = || error(prometheus, job).is_some_and(|error| error.contains(expected));
        assert!(holds_within(Duration::from_secs(60), matches), "{job}: {:?}", error(prometheus, job));
    }
    let refused = "netwhy_agent_http_refusals_total{job=\"good\", reason=\"forbidden\"} > 0";
    wait_until("the refusals are counted", || prometheus.query(refused).is_ok_and(|series| series.len() == 1));
}

/// A bad file changes nothing, and a new pair is picked up.
fn renewal(prometheus: &Scraper, authority: &Authority, dir: &Path) {
    let reloads = |result: &str| {
        prometheus.value(&format!("netwhy_agent_tls_reloads_total{{job=\"good\", result=\"{result}\"}}"))
    };
    let certificate = dir.join("tls.crt");
    fs::write(&certificate, "not a certificate").unwrap();
    wait_until("the bad file is counted", || reloads("failed") == Some(1.0));
    let is_good = || error(prometheus, "good").is_some_and(|error| error.is_empty());
    // One scrape may take longer than its second.
    wait_until("the good certificate stays", is_good);
    authority.issue(NAME, &certificate, &dir.join("tls.key"));
    wait_until("the new pair applies", || reloads("ok") == Some(1.0));
    wait_until("the good job goes on", is_good);
    let log = fs::read_to_string(dir.join("agent.log")).unwrap();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("the TLS certificate is unchanged")).collect();
    let bad = "no certificate; give certificates in PEM (BEGIN CERTIFICATE)";
    assert!(lines.iter().any(|line| line.contains("tls.crt") && line.contains(bad)), "{lines:?}");
}

/// New connections get the newest certificate. Another Prometheus makes them: one keeps its own for minutes.
fn another_ca(dir: &Path, listen: SocketAddr) {
    let other = Authority::new();
    other.issue(NAME, &dir.join("tls.crt"), &dir.join("tls.key"));
    wait_until("the agent has read it", || {
        let log = fs::read_to_string(dir.join("agent.log")).unwrap();
        log.matches("the changed TLS files apply").count() == 2
    });
    let prometheus = Scraper::with(dir, &jobs(listen));
    let distrusts = || error(&prometheus, "good").is_some_and(|error| error.contains("unknown authority"));
    wait_until("the certificate of another CA is shown", distrusts);
    fs::write(dir.join("ca.crt"), other.0.pem()).unwrap();
    wait_until("Prometheus trusts it", || error(&prometheus, "good").is_some_and(|error| error.is_empty()));
}
