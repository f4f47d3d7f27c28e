use super::*;
use serde_json::{Value, json};

fn silent(node: &str, why: &str) -> SilentAgent {
    SilentAgent { node: node.to_owned(), agent: format!("netwhy/{node}"), why: why.to_owned() }
}

#[test]
fn without_any_answer_the_most_frequent_reason_is_shown() {
    let all = [silent("a", "no answer"), silent("b", "forbidden"), silent("c", "forbidden")];
    assert_eq!(none_answered(&all).to_string(), "none of the 3 agents answered; 2 of them: forbidden");
    assert_eq!(none_answered(&all[..1]).to_string(), "the agent on a (netwhy/a): no answer");
    assert_eq!(none_answered(&[silent("", "refused")]).to_string(), "refused");
}

#[test]
fn the_port_comes_from_the_pod() {
    let pod = |ports: serde_json::Value| -> Pod {
        serde_json::from_value(serde_json::json!({"spec": {"containers": [{"name": "agent", "ports": ports}]}}))
            .unwrap()
    };
    let other = serde_json::json!([{"name": "x", "containerPort": 1}, {"name": "metrics", "containerPort": 9999}]);
    assert_eq!(port(&pod(other), MAIN_PORT), Some(9999));
    assert_eq!(port(&pod(serde_json::json!([])), MAIN_PORT), None);
}

/// A DaemonSet with the agents' labels.
fn set(namespace: &str, uid: &str, account: &str) -> Value {
    json!({
        "metadata": {"name": "netwhy", "namespace": namespace, "uid": uid},
        "spec": {"selector": {}, "template": {"spec": {"containers": [], "serviceAccountName": account}}}
    })
}

/// A running Pod with the agents' labels.
fn labelled(namespace: &str, name: &str, node: &str, owner: Value, account: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": namespace, "ownerReferences": [owner]},
        "spec": {"nodeName": node, "serviceAccountName": account, "containers": []},
        "status": {"phase": "Running"}
    })
}

fn owner(uid: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "netwhy", "uid": uid, "controller": true})
}

/// A session with an API server that has these objects. Lists of a namespace have only its objects.
fn session(args: &[&str], sets: &[Value], pods: &[Value]) -> (Session, Client) {
    let (sets, pods) = (sets.to_vec(), pods.to_vec());
    let service = tower::service_fn(move |request: hyper::Request<kube::client::Body>| {
        let path = request.uri().path().to_owned();
        let (kind, items) = if path.ends_with("/daemonsets") { ("DaemonSet", &sets) } else { ("Pod", &pods) };
        let version = if kind == "Pod" { "v1" } else { "apps/v1" };
        let of = |item: &&Value| {
            !path.contains("/namespaces/")
                || path.contains(&format!("/namespaces/{}/", item["metadata"]["namespace"].as_str().unwrap()))
        };
        let items: Vec<&Value> = items.iter().filter(of).collect();
        let list = json!({"apiVersion": version, "kind": format!("{kind}List"), "metadata": {}, "items": items});
        std::future::ready(Ok::<_, std::convert::Infallible>(hyper::Response::new(kube::client::Body::from(
            list.to_string().into_bytes(),
        ))))
    });
    let client = Client::new(service, "default");
    let args: Vec<std::ffi::OsString> = ["kubectl-netwhy", "hints"].iter().chain(args).map(Into::into).collect();
    let global = crate::plugin::cli::parse(&args).unwrap().global;
    let connection = Connection::Cluster(client.clone());
    let session = Session {
        context: None,
        namespace: None,
        connection,
        global: std::sync::Arc::new(global),
        at: None,
        changes: Default::default(),
    };
    (session, client)
}

/// Names of the agents, and of the Pods that are reported with the reason.
async fn found(args: &[&str], sets: &[Value], pods: &[Value], nodes: Option<&[&str]>) -> (Vec<String>, Vec<String>) {
    let (session, client) = session(args, sets, pods);
    let nodes = nodes.map(|nodes| nodes.iter().map(|node| (*node).to_owned()).collect());
    let found = session.agents(&client, nodes.as_ref()).await.unwrap();
    let silent = found.silent.iter().map(|silent| format!("{} on {}: {}", silent.agent, silent.node, silent.why));
    (found.agents.iter().map(|agent| agent.client.name().to_owned()).collect(), silent.collect())
}

#[tokio::test]
async fn only_pods_of_the_agents_daemon_set_and_service_account_are_asked() {
    let sets = [set("netwhy", "u1", "netwhy")];
    let genuine = labelled("netwhy", "real", "a", owner("u1"), "netwhy");
    let mut replica_set = owner("u1");
    replica_set["kind"] = json!("ReplicaSet");
    let mut not_controlled = owner("u1");
    not_controlled["controller"] = json!(false);
    for (impostor, why) in [
        (labelled("netwhy", "fake", "a", owner("u2"), "netwhy"), "no DaemonSet"),
        (labelled("netwhy", "fake", "b", owner("u2"), "netwhy"), "no DaemonSet"),
        (labelled("netwhy", "fake", "a", replica_set, "netwhy"), "no DaemonSet"),
        (labelled("netwhy", "fake", "a", not_controlled, "netwhy"), "no DaemonSet"),
        (
            labelled("netwhy", "fake", "a", owner("u1"), "default"),
            "its ServiceAccount is default and the DaemonSet's is netwhy",
        ),
    ] {
        for pods in [[impostor.clone(), genuine.clone()], [genuine.clone(), impostor.clone()]] {
            let (agents, silent) = found(&[], &sets, &pods, None).await;
            assert_eq!((agents, silent.len()), (vec!["netwhy/real".to_owned()], 1));
            assert!(silent[0].contains("netwhy/fake on") && silent[0].contains(why), "{silent:?}");
        }
    }
}

#[tokio::test]
async fn a_pod_in_another_namespace_is_reported_and_not_asked() {
    let sets = [set("netwhy", "u1", "netwhy")];
    let pods =
        [labelled("evil", "fake", "a", owner("u1"), "netwhy"), labelled("netwhy", "real", "a", owner("u1"), "netwhy")];
    for nodes in [None, Some(&["a"][..])] {
        let (agents, silent) = found(&[], &sets, &pods, nodes).await;
        assert_eq!((agents, silent.len()), (vec!["netwhy/real".to_owned()], 1));
        assert!(silent[0].contains("its namespace is evil and the agents' is netwhy"), "{silent:?}");
    }
    // Also where no genuine agent runs, and without any DaemonSet.
    for (sets, why) in [(&sets[..], "its namespace is evil"), (&[], "no DaemonSet")] {
        let (agents, silent) = found(&[], sets, &pods[..1], None).await;
        assert!(agents.is_empty() && silent.len() == 1 && silent[0].contains(why), "{silent:?}");
    }
    // With the namespace given, other namespaces aren't even listed.
    let chosen = found(&["--agent-namespace", "netwhy"], &sets, &pods, None).await;
    assert_eq!(chosen, (vec!["netwhy/real".to_owned()], vec![]));
}

#[tokio::test]
async fn thousands_of_impostors_are_few_lines() {
    let sets = [set("netwhy", "u1", "netwhy")];
    let pods: Vec<Value> =
        (0..3000).map(|n| labelled("evil", &format!("fake-{n}"), "a", owner("u1"), "netwhy")).collect();
    let (agents, silent) = found(&[], &sets, &pods, None).await;
    assert_eq!((agents.len(), silent.len()), (0, MAX_IMPOSTORS + 1));
    assert!(silent[MAX_IMPOSTORS].starts_with("2992 more Pods"), "{silent:?}");
}

#[tokio::test]
async fn daemon_sets_in_two_namespaces_need_a_choice() {
    let sets = [set("evil", "u2", "netwhy"), set("netwhy", "u1", "netwhy")];
    let pods =
        [labelled("evil", "fake", "a", owner("u2"), "netwhy"), labelled("netwhy", "real", "a", owner("u1"), "netwhy")];
    let (session, client) = session(&[], &sets, &pods);
    let failure = session.agents(&client, None).await.err().unwrap().to_string();
    assert!(failure.contains("evil, netwhy") && failure.contains("--agent-namespace"), "{failure}");
    let chosen = found(&["--agent-namespace", "netwhy"], &sets, &pods, None).await;
    assert_eq!(chosen, (vec!["netwhy/real".to_owned()], vec![]));
}

#[tokio::test]
async fn two_agents_on_one_node_are_reported() {
    let sets = [set("netwhy", "u1", "netwhy"), set("netwhy", "u2", "netwhy")];
    let first = labelled("netwhy", "first", "a", owner("u1"), "netwhy");
    let second = labelled("netwhy", "second", "a", owner("u2"), "netwhy");
    let (agents, silent) = found(&[], &sets, &[first.clone(), second.clone()], None).await;
    assert_eq!((agents, silent.len()), (vec!["netwhy/first".to_owned()], 1));
    assert!(silent[0].starts_with("netwhy/second on a: not asked, because its Node has two agents"), "{silent:?}");
    // During an update, the old Pod is still there.
    let mut ends = second;
    ends["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(found(&[], &sets, &[ends, first], None).await, (vec!["netwhy/first".to_owned()], vec![]));
}
