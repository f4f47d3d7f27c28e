//! The real API server: killed, compacted, denying, busy, and large.

use crate::{NODE, Watching, WatchingNodes, server::ApiServer, short_timeouts};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::{
    core::v1::{Node, Pod},
    rbac::v1::{ClusterRole, ClusterRoleBinding},
};
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams},
};
use netwhy_agent::{kube::Timeouts, peers::PeerTable};
use serde_json::json;
use std::{
    fs,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const SOON: Duration = Duration::from_secs(60);

pub(crate) fn read<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn pod(name: &str, node: &str) -> Pod {
    read(json!({
        "metadata": {"name": name},
        "spec": {"nodeName": node, "containers": [{"name": "c", "image": "app:1"}]},
    }))
}

async fn create(pods: &Api<Pod>, name: &str, node: &str) {
    pods.create(&PostParams::default(), &pod(name, node)).await.unwrap();
}

async fn delete(pods: &Api<Pod>, name: &str) {
    pods.delete(name, &DeleteParams::default().grace_period(0)).await.unwrap();
}

/// Gives the agent's user what the chart's ClusterRole gives.
async fn grant(admin: &Client) {
    let role: ClusterRole = read(json!({
        "metadata": {"name": "agent"},
        "rules": [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
            {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]},
        ],
    }));
    Api::all(admin.clone()).create(&PostParams::default(), &role).await.unwrap();
    bind(admin).await;
}

pub(crate) async fn bind(admin: &Client) {
    let binding: ClusterRoleBinding = read(json!({
        "metadata": {"name": "agent"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "agent"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "agent"}],
    }));
    Api::all(admin.clone()).create(&PostParams::default(), &binding).await.unwrap();
}

/// Passes bytes on in both directions until one side ends.
async fn forward(client: &mut TcpStream, server: SocketAddr) -> std::io::Result<()> {
    let mut onward = TcpStream::connect(server).await?;
    tokio::io::copy_bidirectional(client, &mut onward).await.map(drop)
}

/// A way to the API server that can be cut.
struct Cable {
    address: SocketAddr,
    whole: Arc<AtomicBool>,
}

impl Cable {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, whole) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(true)));
        let state = whole.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let state = state.clone();
                tokio::spawn(async move {
                    let cut = async {
                        while state.load(Ordering::Relaxed) {
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                    };
                    tokio::select! {
                        () = cut => {}
                        _ = forward(&mut client, server) => {}
                    }
                });
            }
        });
        Self { address, whole }
    }

    fn set(&self, whole: bool) {
        self.whole.store(whole, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_this_nodes_pods_and_resumption_after_sigkill_and_compaction() {
    let Some(mut server) = ApiServer::start().await else { return };
    let admin = server.admin().await;
    grant(&admin).await;
    let pods: Api<Pod> = Api::namespaced(admin.clone(), "default");
    create(&pods, "mine", NODE).await;
    create(&pods, "theirs", "node-b").await;
    let cable = Cable::to(server.address()).await;
    let timeouts = Timeouts { watch_seconds: 30, list: Duration::from_secs(10), ..short_timeouts() };
    let mut watching = Watching::begin(&server.agent_config(Some(cable.address)), timeouts).await;
    watching.until(SOON, "this Node's Pod", |w| w.names() == ["mine"] && w.now().status.complete).await;

    // The server dies in the midst of the watch and comes back: the view stays, then goes on.
    server.kill();
    watching.until(SOON, "trouble", |w| w.now().status.last_error.is_some()).await;
    assert_eq!(watching.names(), ["mine"]);
    server.restart().await;
    create(&pods, "later", NODE).await;
    let took = watching.until(SOON, "the Pod after the restart", |w| w.names() == ["later", "mine"]).await;
    println!("a change was seen {:.2} s after the server came back", took.as_secs_f64());
    watching.until(SOON, "no trouble", |w| w.now().status.last_error.is_none()).await;

    // Cut off, and the history since is gone: 410, a new list, and what was deleted meanwhile disappears.
    let failures = watching.errors("unreachable");
    cable.set(false);
    watching.until(SOON, "the cut", |w| w.errors("unreachable") > failures).await;
    delete(&pods, "mine").await;
    create(&pods, "newest", NODE).await;
    server.compact();
    server.restart().await;
    let lists = watching.now().status.lists;
    cable.set(true);
    watching.until(SOON, "the list of now", |w| w.names() == ["later", "newest"]).await;
    let status = watching.now().status.clone();
    assert!(status.lists > lists && status.errors.get("gone").is_some_and(|n| *n > 0), "{status:?}");

    churn(&pods).await;
    let lag = watching.until(SOON, "52 Pods", |w| w.now().index.len() == 52).await;
    println!("the index was {:.2} s behind", lag.as_secs_f64());
    let now = watching.now();
    assert_eq!(now.status.lists, lists + 1, "followed without another list");
    assert!(
        now.index
            .live()
            .all(|pod| !pod.name.starts_with("churn-") || pod.name["churn-".len()..].parse::<u32>().unwrap() < 50)
    );
}

/// 1,000 Pods come, and all but the first 50 go.
async fn churn(pods: &Api<Pod>) {
    let begun = Instant::now();
    stream::iter(0..1000)
        .for_each_concurrent(16, |n| async move {
            create(pods, &format!("churn-{n}"), NODE).await;
            if n >= 50 {
                delete(pods, &format!("churn-{n}")).await;
            }
        })
        .await;
    println!("1,000 Pods came and 950 went in {:.1} s", begun.elapsed().as_secs_f64());
}

#[tokio::test(flavor = "multi_thread")]
async fn denied_rights_are_said_and_taken_up_when_granted_or_taken_away() {
    let Some(server) = ApiServer::start().await else { return };
    let admin = server.admin().await;
    let pods: Api<Pod> = Api::namespaced(admin.clone(), "default");
    create(&pods, "mine", NODE).await;
    let timeouts = Timeouts { watch_seconds: 2, list: Duration::from_secs(10), ..short_timeouts() };
    let mut watching = Watching::begin(&server.agent_config(None), timeouts).await;
    let mut nodes = WatchingNodes::begin(&server.agent_config(None), NODE, false, timeouts).await;
    watching.until(SOON, "a refusal", |w| w.errors("forbidden") > 0).await;
    let trouble = watching.now().status.last_error.clone().unwrap();
    assert!(trouble.contains("cannot list resource \"pods\"") && trouble.contains("ClusterRole"), "{trouble}");
    nodes.until(SOON, "a refusal", |p| p.watches.iter().any(|w| w.errors.contains_key("forbidden"))).await;
    assert!(!watching.now().status.complete);

    grant(&admin).await;
    watching.until(SOON, "the Pod", |w| w.names() == ["mine"] && w.now().status.last_error.is_none()).await;
    // The cluster has no Node of this name: that is known, and said elsewhere.
    nodes.until(SOON, "the list of Nodes", |p| p.own_node_exists == Some(false)).await;

    Api::<ClusterRoleBinding>::all(admin.clone()).delete("agent", &DeleteParams::default()).await.unwrap();
    watching.until(SOON, "the refusal of the next watch", |w| w.now().status.last_error.is_some()).await;
    assert_eq!(watching.names(), ["mine"], "what was known stays known");
    bind(&admin).await;
    create(&pods, "second", NODE).await;
    watching.until(SOON, "the second Pod", |w| w.names() == ["mine", "second"]).await;
}

/// Resident memory of this process, bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_nodes_are_listed() {
    const NODES: u32 = 5_000;
    let Some(server) = ApiServer::start().await else { return };
    let admin = server.admin().await;
    grant(&admin).await;
    let api: Api<Node> = Api::all(admin.clone());
    let begun = Instant::now();
    stream::iter(0..NODES)
        .for_each_concurrent(32, |n| {
            let api = &api;
            async move {
                let (high, low) = (n / 256, n % 256);
                let node: Node = read(json!({
                    "metadata": {
                        "name": format!("node-{n}"),
                        "labels": {"topology.kubernetes.io/zone": format!("zone-{}", n % 3)},
                        // Fields that real Nodes have and the agent does not need.
                        "annotations": {"filler": "x".repeat(2_000)},
                    },
                    "spec": {"podCIDR": format!("10.{high}.{low}.0/24"), "podCIDRs": [format!("10.{high}.{low}.0/24")]},
                    "status": {"addresses": [{"type": "InternalIP", "address": format!("172.16.{high}.{low}")}]},
                }));
                api.create(&PostParams::default(), &node).await.unwrap();
            }
        })
        .await;
    println!("{NODES} Nodes made in {:.1} s", begun.elapsed().as_secs_f64());
    let before = resident();
    let timeouts = Timeouts { watch_seconds: 120, list: Duration::from_secs(60), ..short_timeouts() };
    let cable = Cable::to(server.address()).await;
    let mut nodes = WatchingNodes::begin(&server.agent_config(Some(cable.address)), "node-7", false, timeouts).await;
    let whole = |n: u32| {
        move |p: &netwhy_agent::peers::Peers| p.nodes.values().filter(|f| !f.addresses.is_empty()).count() == n as usize
    };
    let took = nodes.until(Duration::from_secs(90), "all Nodes with their addresses", whole(NODES)).await;
    let peak = resident();
    let peers = nodes.peers.borrow().clone();
    assert_eq!(peers.own_node_exists, Some(true));
    let table = PeerTable::new(netwhy_agent::peers::prefixes("node-7", &peers.nodes, &peers.endpoints));
    println!(
        "5,000 Nodes: listed and read in {:.2} s, {:.1} MB more resident, {} prefixes",
        took.as_secs_f64(),
        peak.saturating_sub(before) as f64 / 1e6,
        table.len()
    );
    assert!(peak - before.min(peak) < 60_000_000, "{} bytes", peak - before);

    // Status updates of a Node, which every kubelet sends all the time, cost nothing; a new label is read.
    let ready = json!({"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z"});
    let status = json!({"status": {"conditions": [ready]}});
    api.patch_status("node-9", &Default::default(), &kube::api::Patch::Merge(&status)).await.unwrap();
    let moved = json!({"metadata": {"labels": {"topology.kubernetes.io/zone": "zone-new"}}});
    api.patch("node-8", &Default::default(), &kube::api::Patch::Merge(&moved)).await.unwrap();
    nodes
        .until(SOON, "the new zone", |p| p.nodes.get("node-8").is_some_and(|n| n.zone.as_deref() == Some("zone-new")))
        .await;
    api.delete("node-10", &DeleteParams::default()).await.unwrap();
    nodes.until(SOON, "the Node's end", |p| !p.nodes.contains_key("node-10")).await;
}

/// Rights that the chart adds with `kube.publishEvents` and `kube.publishConditions`.
async fn grant_publishing(admin: &Client) {
    let role: ClusterRole = read(json!({
        "metadata": {"name": "agent"},
        "rules": [
            {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
            {"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]},
        ],
    }));
    Api::all(admin.clone()).create(&PostParams::default(), &role).await.unwrap();
    bind(admin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hints_become_events_and_a_condition_beside_the_kubelets_own() {
    let Some(server) = ApiServer::start().await else { return };
    let admin = server.admin().await;
    grant_publishing(&admin).await;
    let nodes: Api<Node> = Api::all(admin.clone());
    nodes.create(&PostParams::default(), &read(json!({"metadata": {"name": NODE}}))).await.unwrap();
    let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    nodes.patch_status(NODE, &Default::default(), &kube::api::Patch::Merge(&ready)).await.unwrap();
    let what = netwhy_agent::publish::Publish { events: true, conditions: true };
    let view = crate::publish::view();
    let _publishing = crate::publish::Publishing::begin(&server.agent_config(None), what, view.clone()).await;
    let events: Api<k8s_openapi::api::core::v1::Event> = Api::namespaced(admin.clone(), "default");
    let begun = Instant::now();
    let (event, node) = loop {
        let event = events.get_opt("cart-1.netwhy-00c0ffee").await.unwrap();
        let node = nodes.get(NODE).await.unwrap();
        let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
        assert!(begun.elapsed() < SOON, "{event:?} {conditions:?}");
        if let Some(event) = event
            && conditions.len() == 2
        {
            break (event, conditions);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!((event.reason.as_deref(), event.count), (Some("NodePacketLoss"), Some(1)));
    assert_eq!(event.involved_object.uid.as_deref(), Some("uid-cart"));
    let of = |name: &str| node.iter().find(|condition| condition.type_ == name).unwrap().status.clone();
    assert_eq!((of("Ready"), of("NetwhyNetworkTrouble")), ("True".to_owned(), "True".to_owned()));
    // Another agent process says it again: the same Event, changed.
    let _again = crate::publish::Publishing::begin(&server.agent_config(None), what, view).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut all = events.list(&Default::default()).await.unwrap().items;
    // Others may write Events here too, as newer API servers do.
    all.retain(|event| event.involved_object.uid.as_deref() == Some("uid-cart"));
    assert_eq!(all.len(), 1, "{all:?}");
}
