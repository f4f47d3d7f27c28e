//! The chart's DaemonSet on a real cluster: real kubelet, containerd and API server, Pods that talk TCP.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic, as tests may")]

#[expect(dead_code, reason = "the kernel tests use all of it")]
#[path = "../kernel_signals/bpf_objects.rs"]
mod bpf_objects;
mod chaos;
mod kube;
mod parts;
mod pods;
mod plugin;
mod shell;
mod terminal;

use kube::{Cluster, eventually, workspace};
use netwhy_tests::helm;
use serde_json::Value;
use std::{env, fs, path::PathBuf, process::Command, time::Duration};

const SOON: Duration = Duration::from_secs(60);
/// Deleted Pods' series go within this.
const GONE: Duration = Duration::from_secs(120);

/// The program: `NETWHY_AGENT`, else built here.
fn program() -> PathBuf {
    netwhy_tests::built::built("NETWHY_AGENT", ["--bin", "netwhy-agent"]).unwrap()
}

/// The chart as `helm` renders it for this cluster.
fn chart() -> Option<String> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    let Some(helm) = helm::find(&workspace().join(target)) else {
        println!("SKIP cluster: no helm: `cargo xtask chart` installs it");
        return None;
    };
    let mut command = Command::new(helm);
    command.args(["template", "netwhy", "--namespace", "netwhy"]).arg(workspace().join("charts/netwhy"));
    command.args(["--set", "image.repository=netwhy-agent,image.tag=test,image.pullPolicy=Never"]);
    // Admission allows the default class in kube-system only on this version.
    command.args(["--set", "priorityClassName=", "--set-json", r#"config={"limits":{"gone_seconds":20}}"#]);
    // The program under test may be a debug build.
    command.args(["--set", "resources.limits.memory=256Mi"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(with_projected_token(&String::from_utf8(output.stdout).unwrap()))
}

/// The same with a projected token, as kubelets since 1.21 make by themselves: for user 0 alone, unless the Pod has an
/// `fsGroup`.
fn with_projected_token(chart: &str) -> String {
    const VOLUME: &str = "      volumes:
        - name: token
          projected:
            sources:
              - serviceAccountToken: {path: token, expirationSeconds: 600}
              - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
              - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
";
    const MOUNT: &str = "          volumeMounts:
            - {name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
";
    let changes = [
        ("      automountServiceAccountToken: true\n", "      automountServiceAccountToken: false\n"),
        ("      volumes:\n", VOLUME),
        ("          volumeMounts:\n", MOUNT),
    ];
    changes.into_iter().fold(chart.to_owned(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text.replace(from, to)
    })
}

fn pod(metrics: &str, metric: &str, labels: &[&str]) -> Option<f64> {
    let line =
        metrics.lines().find(|line| line.starts_with(metric) && labels.iter().all(|label| line.contains(label)))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// The firing hint of one cause about a Pod whose name begins so.
fn hint(cluster: &Cluster, cause: &str, pod: &str) -> Result<Value, String> {
    let hints = cluster.json("/api/v1/hints?state=firing")?;
    let all = hints.as_array().or_else(|| hints["hints"].as_array()).ok_or("no list of hints")?;
    let ours =
        |hint: &&Value| hint["cause"] == cause && hint["subject"]["name"].as_str().is_some_and(|n| n.starts_with(pod));
    all.iter().find(ours).cloned().ok_or_else(|| {
        let seen: Vec<String> = all.iter().map(|h| format!("{} {}", h["cause"], h["subject"]["name"])).collect();
        format!("hints: {seen:?}")
    })
}

#[test]
fn the_charts_daemonset_names_the_right_pods_on_a_real_cluster() {
    let Some(chart) = chart() else { return };
    let Some(cluster) = Cluster::up("cluster") else { return };
    cluster.image("netwhy-agent:test", &program());
    cluster.kubectl(&["create", "namespace", "netwhy"]);
    cluster.apply(&chart);
    let text = eventually(&cluster, SOON, "ready agent", || cluster.agent("/readyz"));
    assert!(text.len() < 200, "{text}");
    capabilities(&cluster);

    // There is no cluster DNS: the others get the server's address.
    let (server, others) = include_str!("shop.yaml").split_once("---\n").unwrap();
    cluster.apply(server);
    let address = eventually(&cluster, SOON, "server", || {
        cluster.try_kubectl(&["wait", "pod/server-0", "--for=condition=Ready", "--timeout=1s"])?;
        let ip = cluster.try_kubectl(&["get", "pod", "server-0", "-o", "jsonpath={.status.podIP}"])?;
        if ip.is_empty() { Err("no address yet".to_owned()) } else { Ok(ip) }
    });
    cluster.apply(&others.replace("@SERVER@", &address));
    traffic(&cluster);
    neighbours(&cluster);
    // The series of the short Job's Pod stay for 90 s after its end.
    trouble(&cluster);
    plugin::asks_by_port_forward(&cluster);
    pods::logs(&cluster);
    shell::shell(&cluster);
    service(&cluster);
    deletion(&cluster);
}

/// The agent gets the chart's capabilities and no other, and gives them up.
fn capabilities(cluster: &Cluster) {
    let info = cluster.json("/api/v1/info").unwrap();
    let probes = info["probes"].as_array().unwrap();
    // The chart grants what looking at DNS takes only when asked to.
    // HTTP and names are off by default.
    let on_demand = |name: &serde_json::Value| name == "dns" || name == "http" || name == "dns_names";
    let (off, others): (Vec<_>, Vec<_>) = probes.iter().partition(|probe| on_demand(&probe["name"]));
    assert!(off.len() == 3 && off.iter().all(|probe| probe["state"] == "off"), "{off:?}");
    // Some kernels refuse the iterator of one probe to everybody.
    let is_refused = |probe: &serde_json::Value| probe["name"] == "mptcp" && probe["state"] == "unsupported";
    let is_fine =
        |probe: &serde_json::Value| probe["state"] == "ok" || probe["state"] == "degraded" || is_refused(probe);
    assert!(!others.is_empty() && others.iter().all(|probe| is_fine(probe)), "{others:?}");
    eventually(cluster, SOON, "list of Nodes", || {
        let info = cluster.json("/api/v1/info")?;
        let watches = info["watches"].as_array().ok_or("no watches")?;
        let complete = |name: &str| watches.iter().any(|w| w["name"] == name && w["complete"] == true);
        let whole = complete("pods") && complete("nodes") && info["own_node_exists"] == true;
        if whole { Ok(()) } else { Err(format!("{watches:?}")) }
    });
    let agents = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let cgroup = fs::read_to_string(entry.path().join("cgroup")).ok()?;
        (status.starts_with("Name:\tnetwhy-agent\n") && cgroup.contains("kubepods")).then_some(status)
    });
    let status: Vec<String> = agents.collect();
    assert_eq!(status.len(), 1);
    let set = |name: &str| {
        let hex = status[0].lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t")).unwrap();
        u64::from_str_radix(hex, 16).unwrap()
    };
    // Granted by the chart, given up once the programs were attached.
    assert_eq!((set("CapPrm"), set("CapEff"), set("CapBnd")), (0, 0, 0));
    let given_up = serde_json::json!(["SETGID", "SETUID", "SETPCAP", "PERFMON", "BPF"]);
    assert_eq!(info["privileges"]["given_up"], given_up);
    assert_eq!(info["privileges"]["rights"], serde_json::json!([]));
    assert!(status[0].contains("\nUid:\t65532\t65532\t65532\t65532\n"), "{}", status[0]);
    assert!(status[0].contains("NoNewPrivs:\t1"), "allowPrivilegeEscalation: false");
    assert!(status[0].contains("Seccomp:\t2"), "a seccomp profile is in force");
}

/// Both ends of a connection are named with namespace, Pod and workload.
fn traffic(cluster: &Cluster) {
    let client = ["namespace=\"default\"", "pod=\"client-", "workload=\"Deployment/client\"", "role=\"client\""];
    let server = ["namespace=\"default\"", "pod=\"server-0\"", "workload=\"StatefulSet/server\"", "role=\"server\""];
    eventually(cluster, SOON, "both Pods' connects", || {
        let metrics = cluster.agent("/metrics")?;
        for labels in [client, server] {
            let n = pod(&metrics, "netwhy_tcp_connects_total", &labels).unwrap_or(0.0);
            if n < 3.0 {
                return Err(format!("{labels:?}: {n} connects"));
            }
        }
        Ok(())
    });
    let metrics = cluster.agent("/metrics").unwrap();
    let rtt = ["pod=\"client-", "peer=\"same_node\""];
    assert!(pod(&metrics, "netwhy_tcp_rtt_seconds_count", &rtt).unwrap() > 0.0, "{metrics}");
    let nameless = metrics.lines().find(|line| line.contains("pod=\"pod-"));
    assert_eq!(nameless, None, "a Pod without its name");
}

/// Edges name the Pod at the other end; the view of the Pods holds their status.
fn neighbours(cluster: &Cluster) {
    let edges = cluster.json("/api/v1/edges").unwrap();
    let edges = edges.as_array().or_else(|| edges["edges"].as_array()).unwrap();
    let of_client = |e: &&Value| e["subject"]["name"].as_str().is_some_and(|name| name.starts_with("client-"));
    let edge = edges.iter().find(of_client).unwrap_or_else(|| panic!("{edges:?}"));
    assert_eq!(
        (edge["peer_pod"].as_str(), edge["class"].as_str()),
        (Some("default/server-0"), Some("same_node")),
        "{edge}"
    );
    let node = cluster.kubectl(&["get", "nodes", "-o", "jsonpath={.items[0].metadata.name}"]);
    assert_eq!(edge["peer_node"].as_str(), Some(node.as_str()));
    let pods = cluster.json("/api/v1/pods").unwrap();
    let pods = pods.as_array().or_else(|| pods["pods"].as_array()).unwrap();
    let server = pods.iter().find(|p| p["name"] == "server-0").unwrap();
    assert_eq!(server["status"]["phase"], "Running");
}

/// Causes that `kubectl get pods` hides: a crash loop, a kill for memory, an image that is not there, a short Job.
fn trouble(cluster: &Cluster) {
    let hint_of = |cause: &str, pod: &str| eventually(cluster, GONE, cause, || hint(cluster, cause, pod));
    let oom = hint_of("pod_oom_killed", "hungry");
    assert_eq!(oom["blame"]["kind"], "pod", "{oom}");
    let stuck = hint_of("pod_not_running", "no-image");
    assert!(stuck["summary"].as_str().unwrap().contains("ErrImageNeverPull"), "{stuck}");
    let crash = hint_of("pod_restarting", "crashes");
    assert!(crash["summary"].as_str().unwrap().contains("exit code 126"), "{crash}");
    // Its Pod lived for a second or two and is over.
    eventually(cluster, SOON, "the short Job's connect", || {
        let totals = cluster.json("/api/v1/pods")?;
        let all = totals.as_array().or_else(|| totals["pods"].as_array()).ok_or("no list")?;
        let job = all.iter().find(|p| p["workload"] == "Job/short").ok_or("no Pod of the Job")?;
        let connects = job["totals"]["connects"]["client"].as_u64().unwrap_or(0);
        if connects == 1 { Ok(()) } else { Err(format!("{connects} connects")) }
    });
}

/// The agent itself reaches the API server by a Service's address, and the kernel knows what is behind it.
fn service(cluster: &Cluster) {
    let node = cluster.kubectl(&["get", "nodes", "-o", "jsonpath={.items[0].metadata.name}"]);
    let address = cluster.kubectl(&["get", "service", "kubernetes", "-o", "jsonpath={.spec.clusterIP}"]);
    eventually(cluster, SOON, "the Node behind a Service's address", || {
        let edges = cluster.json("/api/v1/edges")?;
        let edges = edges.as_array().or_else(|| edges["edges"].as_array()).ok_or("no list of edges")?;
        let to_service = |e: &&Value| e["subject"]["namespace"] == "netwhy" && e["peer"] == address.as_str();
        let edge = edges.iter().find(to_service).ok_or_else(|| format!("no edge to {address}"))?;
        let known = edge["peer_kind"] == "service" && edge["peer_node"] == node.as_str();
        if known { Ok(()) } else { Err(edge.to_string()) }
    });
}

/// Deleted Pods' series go.
fn deletion(cluster: &Cluster) {
    cluster.kubectl(&["delete", "deployment", "client", "--wait=false"]);
    eventually(cluster, GONE, "end of the deleted Pod's series", || {
        let metrics = cluster.agent("/metrics")?;
        let left: Vec<&str> = metrics.lines().filter(|line| line.contains("pod=\"client-")).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{} series, {:?}", left.len(), &left[..left.len().min(5)])) }
    });
    let metrics = cluster.agent("/metrics").unwrap();
    let unknown = metrics.lines().find(|line| line.contains("why=\"pod_unknown\""));
    assert_eq!(unknown, None, "every Pod's samples found their Pod");
}
