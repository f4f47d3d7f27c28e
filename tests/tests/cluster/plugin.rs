//! The real `kubectl-netwhy` comes to the agent's loopback by port-forward, if RBAC grants it.

use crate::{
    SOON,
    kube::{Cluster, eventually},
};
use netwhy_tests::built::built;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The rights of docs/oncall.md, without and with the one that leads to the agents.
fn rights(forward: bool) -> Value {
    let mut rules = vec![
        json!({"apiGroups": [""], "resources": ["pods", "nodes", "services", "events"], "verbs": ["get", "list"]}),
        json!({"apiGroups": ["apps"], "resources": ["daemonsets"], "verbs": ["get", "list"]}),
        json!({"apiGroups": ["apps"], "resources": ["deployments", "replicasets", "statefulsets"], "verbs": ["get"]}),
        json!({"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["get", "list"]}),
    ];
    if forward {
        rules.push(json!({"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["get", "create"]}));
    }
    rules.into()
}

fn grant(cluster: &Cluster, forward: bool) {
    let rbac = "rbac.authorization.k8s.io";
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "oncall", "namespace": "default"}},
        {
            "apiVersion": format!("{rbac}/v1"), "kind": "ClusterRole", "metadata": {"name": "oncall"},
            "rules": rights(forward)
        },
        {
            "apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "oncall"},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "oncall"},
            "subjects": [{"kind": "ServiceAccount", "name": "oncall", "namespace": "default"}]
        }
    ]});
    cluster.apply(&objects.to_string());
}

/// The kubeconfig of the ServiceAccount, from the administrator's.
fn kubeconfig(cluster: &Cluster) -> PathBuf {
    let token = eventually(cluster, SOON, "token of a ServiceAccount", || {
        let name = cluster.try_kubectl(&["get", "serviceaccount", "oncall", "-o", "jsonpath={.secrets[0].name}"])?;
        if name.is_empty() {
            return cluster.try_kubectl(&["create", "token", "oncall"]);
        }
        cluster.try_kubectl(&["get", "secret", &name, "-o", "go-template={{.data.token | base64decode}}"])
    });
    let text = fs::read_to_string(&cluster.kubeconfig).unwrap();
    let users = text.lines().find(|line| line.starts_with("users:")).unwrap();
    let user = format!("users: [{{name: me, user: {{token: {token}}}}}]");
    cluster.write("oncall", &text.replace(users, &user))
}

/// Whether it succeeds, its output and its errors.
fn ask(plugin: &Path, kubeconfig: &Path, args: &[&str]) -> (bool, String, String) {
    let mut command = Command::new(plugin);
    command.args(args).arg("--kubeconfig").arg(kubeconfig).env_remove("KUBECONFIG").stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

pub(crate) fn asks_by_port_forward(cluster: &Cluster) {
    let plugin = built("NETWHY_PLUGIN", ["--bin", "kubectl-netwhy"]).unwrap();
    // The API is on loopback only.
    let refused = cluster.proxied("/api/v1/pods").unwrap_err();
    assert!(refused.contains("421"), "{refused}");

    grant(cluster, false);
    let config = kubeconfig(cluster);
    let (well, out, err) = ask(&plugin, &config, &["hints", "-A"]);
    assert!(!well && out.is_empty() && err.lines().count() == 1, "{out}{err}");
    assert!(err.contains("forbidden") && err.contains("pods/portforward"), "{err}");

    grant(cluster, true);
    let json: Value = eventually(cluster, SOON, "answer by port-forward", || {
        let (well, out, err) = ask(&plugin, &config, &["why", "pod/server-0", "-n", "default", "-o", "json"]);
        if well { serde_json::from_str(&out).map_err(|error| error.to_string()) } else { Err(err) }
    });
    assert_eq!(json["pods"][0]["name"], "server-0", "{json}");
    for command in ["hints", "nodes", "matrix"] {
        let (well, out, err) = ask(&plugin, &config, &[command, "-A", "-o", "json"]);
        let json: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"));
        assert!(well && err.is_empty() && json["not_answered"] == json!([]), "{command}: {out}{err}");
    }

    // A Pod that only has the agents' labels is named and not asked.
    let labels = ["--labels", "app.kubernetes.io/name=netwhy,app.kubernetes.io/component=agent"];
    let image = ["run", "fake", "--image=kubelab/busybox:1", "--image-pull-policy=Never"];
    cluster.kubectl(&[&image[..], &labels, &["--", "sleep", "1000"]].concat());
    eventually(cluster, SOON, "report of the impostor", || {
        let (well, out, err) = ask(&plugin, &config, &["hints", "-A", "-o", "json"]);
        let is_named = err.contains("(default/fake) did not answer: not asked") && err.lines().count() == 1;
        if well && is_named { Ok(()) } else { Err(format!("{out}{err}")) }
    });
    cluster.kubectl(&["delete", "pod", "fake", "--now", "--wait=false"]);
}
