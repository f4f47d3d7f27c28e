//! `logs` of a real kubelet.

use crate::{
    SOON,
    kube::{Cluster, eventually},
};
use netwhy_tests::built::built;
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Output, Stdio},
};

/// Two Pods that write by turns, and one whose container ends again and again.
const PODS: &str = "apiVersion: v1
kind: Pod
metadata: {name: speaks-a, labels: {app: speaks}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: c
      image: kubelab/busybox:1
      imagePullPolicy: Never
      command: [/bin/sh, -c, 'for i in 1 2 3 4 5; do echo a $i; sleep 0.3; done; sleep 10000']
---
apiVersion: v1
kind: Pod
metadata: {name: speaks-b, labels: {app: speaks}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: c
      image: kubelab/busybox:1
      imagePullPolicy: Never
      command: [/bin/sh, -c, 'for i in 1 2 3 4 5; do echo b $i; sleep 0.2; done; sleep 10000']
    - name: long
      image: kubelab/busybox:1
      imagePullPolicy: Never
      command: [/bin/sh, -c, 'head -c 20000 /dev/zero | tr \"\\\\0\" x; echo; printf \"\\\\033[31mred\\\\n\"; sleep 10000']
---
apiVersion: v1
kind: Pod
metadata: {name: fails}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: c
      image: kubelab/busybox:1
      imagePullPolicy: Never
      command: [/bin/sh, -c, 'echo run; sleep 1; echo fails >&2; exit 1']
---
apiVersion: v1
kind: Service
metadata: {name: speaks}
spec: {selector: {app: speaks}, ports: [{port: 80}]}
";

/// The plugin with the administrator's rights.
pub(crate) fn command(cluster: &Cluster, args: &[&str]) -> Command {
    let plugin: PathBuf = built("NETWHY_PLUGIN", ["--bin", "kubectl-netwhy"]).unwrap();
    let mut command = Command::new(plugin);
    // Flags stand before the command: behind `--` they would be the container's.
    command.arg("--kubeconfig").arg(&cluster.kubeconfig).args(args).env_remove("KUBECONFIG").stdin(Stdio::null());
    command.env("XDG_STATE_HOME", cluster.state());
    command
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Asserts success; returns stdout and stderr.
#[track_caller]
pub(crate) fn well(output: &Output) -> (String, String) {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    (out, err)
}

/// The lines, or what the command says on stderr.
fn objects(cluster: &Cluster, args: &[&str]) -> Result<Vec<Value>, String> {
    let args = [args, &["-o", "json", "--no-culprit", "--since", "10m"]].concat();
    let output = command(cluster, &args).output().unwrap();
    if !output.status.success() {
        return Err(text(&output.stderr));
    }
    Ok(text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn messages(objects: &[Value], pod: &str) -> Vec<String> {
    let of_pod = objects.iter().filter(|one| one["pod"] == pod && one["container"] == "c");
    of_pod.map(|one| one["message"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn logs(cluster: &Cluster) {
    cluster.apply(PODS);
    let all = eventually(cluster, SOON, "all lines of two Pods", || {
        let all = objects(cluster, &["logs", "svc/speaks"])?;
        if all.len() == 12 { Ok(all) } else { Err(format!("{} lines", all.len())) }
    });
    let numbered = |name: &str| (1..=5).map(|n| format!("{name} {n}")).collect::<Vec<_>>();
    assert_eq!(messages(&all, "speaks-a"), numbered("a"));
    assert_eq!(messages(&all, "speaks-b"), numbered("b"));
    let times: Vec<&str> = all.iter().map(|one| one["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by_key(|time| time.parse::<jiff::Timestamp>().unwrap()), "{times:?}");
    let long = all.iter().find(|one| one["left_off_bytes"].is_u64()).unwrap();
    let (kept, left_off) = (long["message"].as_str().unwrap().len(), long["left_off_bytes"].as_u64().unwrap());
    // The kubelet repeats the time within lines that the runtime wrote in parts.
    assert!((20_000..20_100).contains(&(kept as u64 + left_off)), "{kept} bytes kept, {left_off} left off");
    let (screen, _) = well(&command(cluster, &["logs", "svc/speaks", "--no-culprit", "-c", "long"]).output().unwrap());
    assert!(screen.contains("speaks-b  \\x1b[31mred\n"), "{screen}");

    let tail = objects(cluster, &["logs", "pod/speaks-a", "--tail", "2"]).unwrap();
    assert_eq!(messages(&tail, "speaks-a"), ["a 4", "a 5"]);

    // Both runs of a container that restarted within the time.
    eventually(cluster, SOON, "a previous run", || {
        let all = objects(cluster, &["logs", "fails"])?;
        let previous =
            messages(&all.iter().filter(|one| one["previous"] == true).cloned().collect::<Vec<_>>(), "fails");
        if previous == ["run", "fails"] { Ok(()) } else { Err(format!("{all:?}")) }
    });
    follows(cluster);

    // Real agents say who the culprit is, or that nobody is.
    well(&command(cluster, &["logs", "pod/server-0"]).output().unwrap());
    let none = command(cluster, &["logs", "pod/no-image", "--no-culprit"]).output().unwrap();
    assert!(!none.status.success() && text(&none.stderr).contains("no container that has run"), "{none:?}");
}

/// `-f` goes on with the next run of the container.
fn follows(cluster: &Cluster) {
    let args = ["logs", "fails", "--no-culprit", "-f", "-o", "json", "--tail", "1"];
    let mut child = command(cluster, &args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut runs = 0;
    for line in lines.map_while(Result::ok) {
        let line: Value = serde_json::from_str(&line).unwrap();
        runs += usize::from(line["previous"] == false && line["message"] == "run");
        if runs == 2 {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(runs, 2, "lines of two runs of the container");
}
