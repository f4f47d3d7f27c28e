//! A real API server with its Pod proxy and RBAC, real agents on two Nodes, real traffic between two Pods.

use crate::{
    changed, close_ups,
    control_plane::{ADMIN, ControlPlane, NOBODY, ONCALL, READER, running},
    differences, map, mcp, past, pods, prometheus, respond, services,
    tools::{TRAFFIC, eventually, skips, start_agent},
};
use netwhy_tests::{
    discovery::Slices,
    kubernetes,
    lab::{Lab, Node, Program},
};
use serde_json::{Value, json};
use std::path::Path;

const PORT: u16 = 9810;

/// All rights that the plugin uses, as documented.
fn rights() -> Value {
    json!([
        {"apiGroups": [""], "resources": ["pods", "nodes", "services", "events"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["pods/proxy", "services/proxy"], "verbs": ["get"]},
        {
            "apiGroups": ["apps"], "resources": ["deployments", "replicasets", "statefulsets", "daemonsets"],
            "verbs": ["get"]
        },
        {"apiGroups": ["apps"], "resources": ["daemonsets", "replicasets", "controllerrevisions"], "verbs": ["list"]},
        {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["get", "list"]}
    ])
}

fn allow(plane: &ControlPlane, user: &str, rules: &Value) {
    plane.create(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": user}, "rules": rules
    }));
    plane.create(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user},
        "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}]
    }));
}

/// A Pod on a Node; returns its UID.
fn pod(plane: &ControlPlane, namespace: &str, name: &str, node: &str, labels: &Value) -> String {
    owned_pod(plane, &json!({"name": name, "namespace": namespace, "labels": labels}), node)
}

/// A Pod with this metadata on a Node; returns its UID.
fn owned_pod(plane: &ControlPlane, metadata: &Value, node: &str) -> String {
    let ports = json!([{"name": "metrics", "containerPort": PORT}]);
    plane.create(&json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
        "spec": {"nodeName": node, "containers": [{"name": "app", "image": "app", "ports": ports}]}
    }))
}

/// A further address on a Node's interface: a Pod's own.
fn own_address(node: &Node) -> String {
    let [a, b, c, d] = node.ipv4.octets();
    let address = format!("{a}.{b}.{c}.{}", d + 100);
    node.run(&["ip", "address", "add", &format!("{address}/16"), "dev", node.device]).unwrap();
    address
}

/// Two Nodes with an agent each.
fn agents(lab: &Lab, plane: &ControlPlane) -> Vec<Program> {
    let config = plane.config(ADMIN);
    let labels = json!({"app.kubernetes.io/name": "netwhy", "app.kubernetes.io/component": "agent"});
    let uid = plane.create(&json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": "netwhy", "namespace": "netwhy", "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels}, "spec": {"containers": [{"name": "agent", "image": "netwhy-agent"}]}
            }
        }
    }));
    let owner = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "netwhy", "uid": uid, "controller": true});
    let mut agents = Vec::new();
    for name in ["a", "b"] {
        let node = lab.node(name).unwrap();
        let address = node.ipv4.to_string();
        let pod_name = format!("netwhy-{name}");
        let metadata = json!({"name": pod_name, "namespace": "netwhy", "labels": labels, "ownerReferences": [owner]});
        owned_pod(plane, &metadata, name);
        plane.status("netwhy", &pod_name, &running(&address));
        let (listen, kubeconfig) = (format!("--listen={address}:{PORT}"), format!("--kubeconfig={}", config.display()));
        // A cgroup without a Pod, which creates the folder of the Node's root.
        lab.pod(name, "system").unwrap();
        let cgroups = lab.cgroups().root().join(name);
        // There is no kubelet that could forward ports. The past is recorded beside the file.
        let file = plane.scratch.write(&format!("{name}.yaml"), "");
        let history = file.with_extension("history");
        let settings = format!(
            "{{http: {{api: proxy}}, signals: {{responses: on}}, history: {{folder: \"{}\", frame_seconds: 1}}}}",
            history.display()
        );
        let settings = format!("--config={}", plane.scratch.write(&format!("{name}.yaml"), &settings).display());
        // The laboratory's Node is a network namespace; process 1 is in the machine's.
        let args = ["--kube", "on", "--net-process", "self", &kubeconfig, &listen, &settings];
        agents.push(start_agent(lab, Some(&node.netns), name, &cgroups, &args));
        let ready = format!("/api/v1/namespaces/netwhy/pods/{pod_name}:{PORT}/proxy/readyz");
        eventually("ready agent", || plane.kubectl(ADMIN, &["get", "--raw", &ready], "").map(drop));
    }
    agents
}

/// Namespaces, Nodes, and the users' rights.
fn prepare(plane: &ControlPlane) {
    for namespace in ["shop", "netwhy"] {
        plane.create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
    }
    for name in ["a", "b", "d"] {
        plane.create(&json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}));
    }
    allow(plane, "oncall", &rights());
    let reads = json!([
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
        {"apiGroups": ["apps"], "resources": ["daemonsets"], "verbs": ["list"]}
    ]);
    allow(plane, "reader", &reads);
    let asks = json!([{"apiGroups": [""], "resources": ["pods/proxy"], "verbs": ["get"]}]);
    allow(plane, "narrow", &json!([reads[0], reads[1], asks[0]]));
}

#[test]
fn pods_of_a_real_api_server_are_explained_through_its_proxy() {
    if skips("plugin on a real API server") {
        return;
    }
    let assets = match kubernetes::assets() {
        Ok(assets) => assets,
        Err(why) => return println!("SKIP plugin on a real API server: {why}"),
    };
    let lab = Lab::new(Path::new(TRAFFIC), &["a", "b", "c"]).unwrap();
    let nodes: Vec<Node> = ["a", "b", "c"].iter().map(|name| lab.node(name).unwrap().clone()).collect();
    let plane = ControlPlane::start(&lab, &nodes[2], &assets);
    prepare(&plane);

    // Pods: the API's object and the laboratory's cgroup, joined by the UID as on a real Node.
    let labels = json!({"app": "shop"});
    let uids = [pod(&plane, "shop", "cart", "a", &labels), pod(&plane, "shop", "db", "b", &labels)];
    let addresses = [own_address(&nodes[0]), own_address(&nodes[1])];
    plane.status("shop", "cart", &running(&addresses[0]));
    plane.status("shop", "db", &running(&addresses[1]));
    differences::prepare(&plane, &nodes[0]);
    let running_agents = agents(&lab, &plane);
    let client = lab.pod("a", &format!("pod{}", uids[0])).unwrap();
    let server = lab.pod("b", &format!("pod{}", uids[1])).unwrap();
    let mut answers = lab.start(&server, &["server", "--port", "8080", "--think-us", "20000"]).unwrap();
    answers.wait_ready(crate::tools::PATIENCE).unwrap();
    let to = format!("{}:8080", addresses[1]);
    let args = ["client", "--to", &to, "--connections", "2", "--rate", "60", "--close=server"];
    let asks = lab.start(&client, &args).unwrap();
    asks.wait_for(crate::tools::PATIENCE, |report| report.total.requests > 10).unwrap();

    healthy(&plane);
    joined(&plane);
    map::check(&plane);
    close_ups::check(&plane);
    differences::check(&plane);
    mcp::check(&plane);
    respond::check(&plane, &nodes[2], &addresses[0]);
    impostor(&plane);
    errors(&plane);
    let slices = Slices::of(&assets);
    services::older(&plane, slices);
    let behind = !slices.skips("topology of a Service on a real API server");
    if behind {
        services::behind(&plane, slices, [&addresses[0], &addresses[1]]);
    }

    changed::prepare(&plane, &addresses[1]);
    answers.stop();
    server_gone(&plane);
    pods::shell(&plane);
    pods::logs(&lab, &plane, &nodes[0]);
    changed::before(&plane);
    map::with_fault(&plane);
    if behind {
        services::with_trouble(&plane);
    }
    crash_loop(&plane);
    past::check(&plane);
    prometheus::check(&lab, &plane, &nodes[2]);
    partial(&plane, running_agents);
}

/// Only the documented rights are needed, and measured traffic has no cause.
fn healthy(plane: &ControlPlane) {
    let case = eventually("measured Pod", || {
        let said = plane.ask(ONCALL, &["why", "pod/cart", "-o", "json"]);
        if said.code != 0 {
            return Err(said.err);
        }
        let case = said.json();
        if case["verdict"]["state"] == "nothing_found" {
            Ok(case)
        } else {
            Err(format!("{} well: {} no data: {} {}", case["verdict"], case["well"], case["no_data"], case["unknown"]))
        }
    });
    assert_eq!((case["nodes"][0].as_str(), case["pods"][0]["name"].as_str()), (Some("a"), Some("cart")));
    let status = "Running, 1 of 1 containers ready, 0 restarts";
    assert_eq!(case["pods"][0]["status"], status, "{case}");
}

/// The client's agent knows how long it waits, and the server's agent why.
fn joined(plane: &ControlPlane) {
    let row = eventually("joined rows", || {
        let case = plane.ask(ONCALL, &["why", "pod/cart", "-o", "json"]).well().json();
        let rows = case["waterfall"]["rows"].as_array().unwrap();
        let row = rows.iter().find(|row| row["callee"] == "shop/db:8080");
        row.filter(|row| !row["peer"].is_null()).cloned().ok_or_else(|| case["waterfall"].to_string())
    });
    let split = |part: &str| row["peer"][part].as_f64().unwrap_or_else(|| panic!("no {part}: {row}"));
    assert!((0.015..0.04).contains(&split("application_seconds")), "{row}");
    assert!(split("unread_seconds") < 0.01 && split("between_seconds") < 0.01, "{row}");
    assert_eq!((row["depth"].as_u64(), &row["callee_node"]), (Some(1), &"b".into()), "{row}");
    let screen = plane.ask(ONCALL, &["why", "pod/cart"]).well().out;
    println!("{screen}");
    assert!(screen.contains("shop/cart asks shop/db:8080 on b"), "{screen}");
}

/// A Pod that only has the agents' labels is named and not asked, and a second DaemonSet needs a decision.
fn impostor(plane: &ControlPlane) {
    let labels = json!({"app.kubernetes.io/name": "netwhy", "app.kubernetes.io/component": "agent"});
    pod(plane, "shop", "fake", "a", &labels);
    plane.status("shop", "fake", &running("10.77.255.252"));
    let said = plane.ask(ONCALL, &["hints", "-A", "-o", "json"]).well();
    assert_eq!(said.json()["agents"], 2, "{}", said.out);
    let warnings: Vec<&str> = said.err.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("(shop/fake) did not answer: not asked"), "{}", said.err);
    assert!(warnings[0].contains("its namespace is shop and the agents' is netwhy"), "{}", said.err);
    plane.create(&json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "x", "namespace": "shop", "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "x", "image": "x"}]}}
        }
    }));
    let words = ["several namespaces have a DaemonSet with the agents' labels: netwhy, shop", "--agent-namespace"];
    plane.ask(ONCALL, &["hints", "-A"]).failed(&words);
    let said = plane.ask(ONCALL, &["hints", "-A", "--agent-namespace", "netwhy", "-o", "json"]).well();
    assert_eq!((said.json()["agents"].as_u64(), said.err.as_str()), (Some(2), ""));
    for object in [["daemonset", "x"], ["pod", "fake"]] {
        // There is no kubelet that would end the Pod.
        let delete = ["-n", "shop", "delete", "--force", "--grace-period=0", object[0], object[1]];
        plane.kubectl(ADMIN, &delete, "").unwrap();
    }
}

/// The server is gone, and its host refuses connections.
fn server_gone(plane: &ControlPlane) {
    let case = eventually("verdict", || {
        let case = plane.ask(ONCALL, &["why", "cart", "-o", "json"]).well().json();
        if case["verdict"]["state"] == "cause_found" { Ok(case) } else { Err(case["verdict"].to_string()) }
    });
    assert_eq!(case["verdict"]["cause"], "peer_refusing", "{case}");
    // The agent knows only an address (no podCIDRs here); the API server knows the Pod.
    assert_eq!(case["verdict"]["blame"]["name"], "shop/db", "{case}");
    let screen = plane.ask(ONCALL, &["why", "pod/cart"]).well();
    println!("{}{}", screen.out, screen.err);
    assert!(screen.out.contains("peer_refusing") && screen.out.contains("Pod shop/cart on a"), "{}", screen.out);
    let hints = plane.ask(ONCALL, &["hints", "-A", "-o", "json"]).well().json();
    assert_eq!(hints["agents"], 2, "{hints}");
    assert!(hints["items"].as_array().unwrap().iter().any(|h| h["subject"]["name"] == "cart"), "{hints}");
    let node = plane.ask(ONCALL, &["why", "node/a", "-o", "json"]).well().json();
    assert_eq!(node["verdict"]["cause"], "peer_refusing", "{}", node["verdict"]);
}

/// Wrong targets, and users without rights.
fn errors(plane: &ControlPlane) {
    plane.ask(ONCALL, &["why", "pod/car"]).failed(&["no Pod in namespace shop is named \"car\"", "did you mean cart?"]);
    plane.ask(ONCALL, &["why", "deploy/x"]).failed(&["no Deployment in namespace shop is named \"x\""]);
    plane.ask(ONCALL, &["why", "node/z"]).failed(&["no Node is named \"z\""]);
    plane.ask(NOBODY, &["why", "pod/cart"]).failed(&["forbidden", "cannot get resource \"pods\""]);
    plane.ask(NOBODY, &["hints", "-A"]).failed(&["forbidden", "--agent-namespace"]);
    plane.ask(READER, &["hints", "-A"]).failed(&["none of the 2 agents answered", "pods/proxy"]);
    plane.ask(READER, &["why", "pod/cart"]).failed(&["the agent on a", "forbidden", "pods/proxy"]);
    plane.ask("wrong", &["hints"]).failed(&["rejects the credentials"]);
    // A Pod on a Node without an agent.
    pod(plane, "shop", "lonely", "d", &json!({"app": "lonely"}));
    plane.status("shop", "lonely", &running("10.77.255.250"));
    plane.ask(ONCALL, &["why", "pod/lonely"]).failed(&["no agent on Node d", "nodeSelector"]);
    plane.create(&json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {"selector": {"app": "shop"}, "ports": [{"port": 80}]}
    }));
    let group = plane.ask(ONCALL, &["why", "svc/shop", "-o", "json"]).well().json();
    assert_eq!(group["pods"].as_array().unwrap().len(), 2, "{group}");
}

/// The cause comes from the Pod's status.
fn crash_loop(plane: &ControlPlane) {
    pod(plane, "shop", "looping", "a", &json!({}));
    let mut status = running("10.77.255.251");
    status["containerStatuses"][0]["state"] = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}});
    status["containerStatuses"][0]["restartCount"] = json!(4);
    status["containerStatuses"][0]["lastState"] = json!({"terminated": {"exitCode": 127, "reason": "Error"}});
    plane.status("shop", "looping", &status);
    let found = plane.ask(ONCALL, &["diagnose", "-o", "json"]).well().json();
    let items = found["items"].as_array().unwrap();
    let one = items.iter().find(|item| item["pod"] == "looping").unwrap_or_else(|| panic!("{found}"));
    assert_eq!((one["cause"].as_str(), one["node"].as_str()), (Some("pod_restarting"), Some("a")));
    let table = plane.ask(ONCALL, &["diagnose"]).well().out;
    assert!(table.contains("its command was not found"), "{table}");
}

/// One agent is missing: the answer is partial and names it.
fn partial(plane: &ControlPlane, mut agents: Vec<Program>) {
    agents.truncate(1);
    let said = plane.ask(ONCALL, &["hints", "-A", "-o", "json", "--request-timeout", "3s"]).well();
    let warnings: Vec<&str> = said.err.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(warnings.len(), 1, "{}", said.err);
    assert!(warnings[0].contains("the agent on b (netwhy/netwhy-b) did not answer"), "{}", said.err);
    assert_eq!(
        (said.json()["agents"].as_u64(), said.json()["not_answered"].as_array().map(Vec::len)),
        (Some(1), Some(1))
    );
    plane.ask(ONCALL, &["why", "pod/db"]).failed(&["the agent on b"]);
    drop(agents);
    wait_gone(plane);
}

/// Without any agent the command fails.
fn wait_gone(plane: &ControlPlane) {
    plane.ask(ONCALL, &["hints", "-A", "--request-timeout", "3s"]).failed(&["none of the 2 agents answered"]);
}
