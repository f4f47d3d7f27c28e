//! The agent, the API server, the kubelet and etcd are killed at random while Pods talk. Afterwards every figure is
//! right again, and the kernel has nothing of the killed agents.

use crate::{
    GONE, SOON,
    bpf_objects::Objects,
    chart,
    kube::{Cluster, eventually},
    parts::Part,
    pod, program,
};
use rand::{Rng as _, SeedableRng as _, seq::SliceRandom as _};
use rand_pcg::Pcg64Mcg;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Repeats a run: the seed that an earlier one printed.
const SEED: &str = "NETWHY_CHAOS_SEED";
/// Connections of the Pod that counts exactly.
const CONNECTIONS: u64 = 20;
/// Its attempts at a port without a listener.
const REFUSED: u64 = 3;
/// Memory that the agent may take beyond what it has when its limit is lowered, bytes.
const SPARE: u64 = 1 << 20;

/// The Pod that counts exactly. It is ready when it is done.
const ASKS: &str = "apiVersion: v1
kind: Pod
metadata: {name: asks}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: c
      image: kubelab/busybox:1
      imagePullPolicy: Never
      command: [/bin/sh, -c, '@LINE@']
      readinessProbe: {exec: {command: [test, -e, /tmp/done]}, periodSeconds: 1}
";

/// One thing done to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    KillAgent,
    LowerMemory,
    Kill(&'static str),
}

/// All of it, in an order that the seed gives.
const BLOWS: [Blow; 9] = [
    Blow::KillAgent,
    Blow::Kill("kube-apiserver"),
    Blow::Kill("kubelet"),
    Blow::Kill("etcd"),
    Blow::KillAgent,
    Blow::Kill("kube-apiserver"),
    Blow::LowerMemory,
    Blow::Kill("kubelet"),
    Blow::Kill("etcd"),
];

#[expect(clippy::disallowed_methods, reason = "any number that differs from run to run")]
fn seed() -> u64 {
    match std::env::var(SEED) {
        Ok(text) => text.parse().unwrap_or_else(|error| panic!("{SEED}={text}: {error}")),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs(),
    }
}

/// The process of the agent in the cluster. `None`: there is none now.
fn agent_process() -> Option<u32> {
    fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let cgroup = fs::read_to_string(entry.path().join("cgroup")).ok()?;
        let ours = status.starts_with("Name:\tnetwhy-agent\n") && cgroup.contains("/kubepods/");
        (ours && !status.contains("State:\tZ")).then(|| entry.file_name().to_str()?.parse().ok()).flatten()
    })
}

/// Every BPF object that an agent of the cluster ever held.
#[derive(Default)]
struct Seen(Objects);

impl Seen {
    /// Adds those of the running agent. It may end meanwhile.
    fn note(&mut self) {
        if let Some(process) = agent_process() {
            self.0.append(Objects::of(process));
        }
    }
}

#[test]
fn killed_parts_of_a_cluster_leave_right_figures_and_no_bpf_objects() {
    let Some(chart) = chart() else { return };
    let Some(cluster) = Cluster::up("chaos") else { return };
    cluster.image("netwhy-agent:test", &program());
    cluster.kubectl(&["create", "namespace", "netwhy"]);
    cluster.apply(&chart);
    eventually(&cluster, SOON, "ready agent", || cluster.agent("/readyz"));
    traffic(&cluster);
    let mut seen = Seen::default();
    seen.note();
    assert!(seen.0.count() > 20, "an agent holds programs, maps and links: {:?}", seen.0);

    let seed = seed();
    println!("{SEED}={seed}");
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let mut blows = BLOWS;
    blows.shuffle(&mut random);
    let parts = ["etcd", "kube-apiserver", "kubelet"].map(|name| Part::find(&cluster.state(), name));
    let begun = Instant::now();
    for blow in blows {
        println!("{:.1} s: {blow:?}", begun.elapsed().as_secs_f64());
        parts.iter().for_each(Part::ensure);
        seen.note();
        strike(&cluster, &parts, &mut seen, blow, Duration::from_millis(random.random_range(0..1_500)));
        // The time between two blows is part of the case.
        std::thread::sleep(Duration::from_millis(random.random_range(500..2_500)));
    }
    recover(&cluster, &parts, &mut seen);
    exact(&cluster);
    end(&cluster, &seen);
}

/// A client that talks all the time to a server.
fn traffic(cluster: &Cluster) {
    let address = serve(cluster, "server");
    let client = include_str!("shop.yaml").split("---\n").nth(1).unwrap();
    cluster.apply(&client.replace("@SERVER@", &address));
    eventually(cluster, SOON, "the client's connects", || match connects(cluster, "client-", "client")? {
        0 => Err("none".to_owned()),
        _ => Ok(()),
    });
}

/// The shop's server under this name. Returns its address.
fn serve(cluster: &Cluster, name: &str) -> String {
    let server = include_str!("shop.yaml").split("---\n").next().unwrap();
    cluster.apply(&server.replace("server", name));
    let pod = format!("{name}-0");
    eventually(cluster, SOON, &pod, || {
        cluster.try_kubectl(&["wait", &format!("pod/{pod}"), "--for=condition=Ready", "--timeout=1s"])?;
        let ip = cluster.try_kubectl(&["get", "pod", &pod, "-o", "jsonpath={.status.podIP}"])?;
        if ip.is_empty() { Err("no address yet".to_owned()) } else { Ok(ip) }
    })
}

/// Completed handshakes in this role of a Pod whose name begins so.
fn connects(cluster: &Cluster, name: &str, role: &str) -> Result<u64, String> {
    let labels = ["namespace=\"default\"", &format!("pod=\"{name}"), &format!("role=\"{role}\"")];
    Ok(pod(&cluster.agent("/metrics")?, "netwhy_tcp_connects_total", &labels).unwrap_or(0.0) as u64)
}

/// The agent's process, which the kubelet may have to start first.
fn agent(cluster: &Cluster) -> u32 {
    eventually(cluster, SOON, "agent's process", || agent_process().ok_or_else(|| "none".to_owned()))
}

/// Does one thing. A part of the cluster stays away for this long.
fn strike(cluster: &Cluster, parts: &[Part], seen: &mut Seen, blow: Blow, away: Duration) {
    match blow {
        Blow::KillAgent => {
            let process = agent(cluster);
            seen.note();
            // It may have ended by itself meanwhile.
            let _ = kill_process(Pid::from_raw(process.cast_signed()).unwrap(), Signal::KILL);
        }
        Blow::LowerMemory => {
            let process = agent(cluster);
            seen.note();
            lower_memory(process, away);
        }
        Blow::Kill(name) => {
            let part = parts.iter().find(|part| part.name == name).unwrap();
            part.ensure();
            part.kill();
            std::thread::sleep(away);
            part.ensure();
        }
    }
}

/// Lowers the limit of the running agent's container to little more than it uses. The kubelet sets it anew with the next
/// container; an agent that survives has its limit back after this time.
fn lower_memory(process: u32, time: Duration) {
    let Ok(cgroups) = fs::read_to_string(format!("/proc/{process}/cgroup")) else { return };
    let place = cgroups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        match (fields.next()?, fields.next()?, fields.next()?) {
            (_, "memory", path) => Some((format!("/sys/fs/cgroup/memory{path}"), "usage_in_bytes", "limit_in_bytes")),
            ("0", "", path) if !cgroups.contains(":memory:") => {
                Some((format!("/sys/fs/cgroup{path}"), "current", "max"))
            }
            _ => None,
        }
    });
    let (dir, usage, limit) = place.unwrap_or_else(|| panic!("no memory controller: {cgroups}"));
    let file = |name: &str| PathBuf::from(&dir).join(format!("memory.{name}"));
    // The kernel refuses a limit below what can't be reclaimed, and the container may be gone.
    let Ok(used) = fs::read_to_string(file(usage)) else { return };
    let Ok(before) = fs::read(file(limit)) else { return };
    let used: u64 = used.trim().parse().unwrap();
    let lowered = fs::write(file(limit), (used + SPARE).to_string());
    println!("memory limit of the agent at {} KiB: {lowered:?}", (used + SPARE) >> 10);
    std::thread::sleep(time);
    let raised = fs::write(file(limit), before);
    println!("the agent survives: {}; raised again: {raised:?}", agent_process() == Some(process));
}

/// Waits until all is well. The kubelet starts an agent that ended twice only after its back-off.
fn recover(cluster: &Cluster, parts: &[Part], seen: &mut Seen) {
    eventually(cluster, SOON, "API server", || {
        parts.iter().for_each(Part::ensure);
        cluster.try_kubectl(&["get", "--raw", "/readyz"])
    });
    eventually(cluster, SOON, "ready Node", || {
        cluster.try_kubectl(&["wait", "node", "--all", "--for=condition=Ready", "--timeout=1s"])
    });
    eventually(cluster, GONE, "ready agent", || {
        seen.note();
        cluster.agent("/readyz")
    });
    seen.note();
    eventually(cluster, SOON, "complete watches", || {
        let info = cluster.json("/api/v1/info")?;
        let watches = info["watches"].as_array().ok_or("no watches")?;
        if watches.iter().all(|w| w["complete"] == true) { Ok(()) } else { Err(format!("{watches:?}")) }
    });
}

/// Figures of new Pods are those of the kernel.
fn exact(cluster: &Cluster) {
    let server = serve(cluster, "exact");
    let get = |port: u16, times: u64| {
        format!("i=0; while [ $i -lt {times} ]; do wget -q -O /dev/null http://{server}:{port}/; i=$((i+1)); done; ")
    };
    let line = format!("{}{}touch /tmp/done; sleep 600", get(8080, CONNECTIONS), get(81, REFUSED));
    cluster.apply(&ASKS.replace("@LINE@", &line));
    eventually(cluster, SOON, "end of the Pod's connections", || {
        cluster.try_kubectl(&["wait", "pod/asks", "--for=condition=Ready", "--timeout=1s"])
    });
    let (client, server) = (Tcp::of(cluster, "asks"), Tcp::of(cluster, "exact-0"));
    assert_eq!((client.active, client.passive, client.failed), (CONNECTIONS + REFUSED, 0, REFUSED));
    assert_eq!((server.active, server.passive, server.failed), (0, CONNECTIONS, 0));
    for (name, kernel) in [("asks", client), ("exact-0", server)] {
        eventually(cluster, SOON, "the kernel's figures in the metrics", || {
            let metrics = cluster.agent("/metrics")?;
            let ours = Tcp::in_metrics(&metrics, name);
            if ours == kernel { Ok(()) } else { Err(format!("{name}: {ours:?}, not {kernel:?}")) }
        });
    }
    let metrics = cluster.agent("/metrics").unwrap();
    let unknown = metrics.lines().find(|line| line.contains("why=\"pod_unknown\""));
    assert_eq!(unknown, None, "every Pod's samples found their Pod");
}

/// TCP of a Pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tcp {
    active: u64,
    passive: u64,
    failed: u64,
    retransmitted: u64,
}

impl Tcp {
    /// By the kernel's counters, which each Pod's network namespace has of its own.
    fn of(cluster: &Cluster, pod: &str) -> Self {
        let text = cluster.kubectl(&["exec", pod, "--", "cat", "/proc/net/snmp"]);
        let mut lines = text.lines().filter(|line| line.starts_with("Tcp: "));
        let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
        let counter = |name: &str| -> u64 {
            let at = names.split(' ').position(|known| known == name).unwrap();
            values.split(' ').nth(at).unwrap().parse().unwrap()
        };
        Self {
            active: counter("ActiveOpens"),
            passive: counter("PassiveOpens"),
            failed: counter("AttemptFails"),
            retransmitted: counter("RetransSegs"),
        }
    }

    /// By the agent's metrics.
    fn in_metrics(metrics: &str, pod: &str) -> Self {
        let pod = format!("pod=\"{pod}\"");
        let sum = |metric: &str, label: &str| {
            let ours = |line: &&str| line.starts_with(metric) && line.contains(&pod) && line.contains(label);
            // Spurious retransmissions are counted by another type too.
            let lines = metrics.lines().filter(ours).filter(|line| !line.contains("type=\"spurious\""));
            lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum::<f64>() as u64
        };
        let failed = sum("netwhy_tcp_connect_failures_total", "");
        Self {
            active: sum("netwhy_tcp_connects_total", "role=\"client\"") + failed,
            passive: sum("netwhy_tcp_connects_total", "role=\"server\""),
            failed,
            retransmitted: sum("netwhy_tcp_retransmitted_segments_total", ""),
        }
    }
}

/// Without an agent the kernel has none of the objects that any of them held.
fn end(cluster: &Cluster, seen: &Seen) {
    cluster.kubectl(&["delete", "daemonsets", "-n", "netwhy", "--all", "--wait", "--timeout=30s"]);
    eventually(cluster, SOON, "end of the agents", || {
        agent_process().map_or(Ok(()), |process| Err(process.to_string()))
    });
    eventually(cluster, SOON, "end of all BPF objects", || {
        let left = seen.0.left();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
}
