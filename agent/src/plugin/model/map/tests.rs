use super::super::testing::{edge, hint};
use super::super::waterfall::tests::times;
use super::*;
use crate::api::{Blame, BlameKind, HttpCalls, Subject};

const NAMESPACE: &str = "shop";

fn subject(workload: &str, pod: &str, node: &str) -> Subject {
    Subject {
        kind: "Pod".into(),
        namespace: NAMESPACE.into(),
        name: pod.into(),
        workload: workload.into(),
        node: node.into(),
    }
}

/// A quiet edge of a Pod: no figure is unusual.
fn quiet(subject: Subject, role: &str, peer: &str) -> EdgeRow {
    let mut row = edge(NAMESPACE, &subject.name);
    row.subject = subject;
    (row.role, row.port) = (Some(role.into()), Some(8080));
    (row.peer, row.peer_kind, row.class) = (peer.into(), "pod".into(), "same_zone".into());
    (row.peer_pod, row.peer_node, row.responses) = (None, None, None);
    (row.segments_sent, row.loss_episodes) = (1000, 0);
    row.connect_failures.clear();
    row
}

/// The same with requests that take this mean, ms; normally half of it.
fn asks(subject: Subject, role: &str, peer: &str, per_second: f64, ms: f64) -> EdgeRow {
    EdgeRow { responses: Some(times(per_second, &[("peer", ms)])), ..quiet(subject, role, peer) }
}

fn pod(workload: &str, name: &str, address: &str) -> KnownPod {
    KnownPod {
        namespace: NAMESPACE.into(),
        name: name.into(),
        workload: workload.into(),
        addresses: vec![address.parse().unwrap()],
        labels: [("app".to_owned(), workload.split_once('/').unwrap().1.to_owned())].into(),
    }
}

pub(crate) fn known_pods() -> Vec<KnownPod> {
    vec![
        pod("Deployment/web", "web-1", "10.1.0.1"),
        pod("Deployment/web", "web-2", "10.1.0.2"),
        pod("Deployment/payment", "payment-1", "10.1.0.3"),
        pod("StatefulSet/db", "db-0", "10.1.0.4"),
    ]
}

pub(crate) fn known_services() -> Vec<KnownService> {
    vec![KnownService {
        namespace: NAMESPACE.into(),
        name: "payment".into(),
        addresses: vec!["10.96.0.7".parse().unwrap()],
        selector: [("app".to_owned(), "payment".to_owned())].into(),
    }]
}

/// Clients outside call web, which calls payment by its Service. payment waits for db and mails out. cart is broken, without
/// traffic.
pub(crate) fn facts() -> MapFacts {
    let web = |n: u8| subject("Deployment/web", &format!("web-{n}"), "node-a");
    let payment = || subject("Deployment/payment", "payment-1", "node-b");
    let db = || subject("StatefulSet/db", "db-0", "node-c");
    let mut by_service = asks(web(1), "client", "10.96.0.7", 30.0, 4.0);
    by_service.peer_kind = "service".into();
    let mut fails = asks(web(2), "client", "10.1.0.3", 20.0, 5.0);
    if let Some(responses) = &mut fails.responses {
        responses.http = Some(HttpCalls { sampled: 200, grpc: 0, error_share: 0.1, normal_error_share: Some(0.0) });
    }
    let mut waits = asks(payment(), "client", "10.1.0.4", 50.0, 60.0);
    waits.peer_node = Some("node-c".into());
    let mut answers = asks(db(), "server", "10.1.0.3", 50.0, 3.0);
    answers.port = Some(5432);
    waits.port = Some(5432);
    let mut mail = quiet(payment(), "client", "203.0.113.9");
    (mail.class, mail.peer_kind, mail.port) = ("external".into(), "range".into(), Some(25));
    mail.segments_sent = 3;
    (mail.min_rtt_seconds, mail.rtt_samples) = (None, 0);
    mail.connects.clear();
    mail.connect_failures.insert("timed_out".into(), 4);
    let mut outside = [web(1), web(2)].map(|web| asks(web, "server", "198.51.100.7", 25.0, 0.6));
    outside.iter_mut().for_each(|row| (row.class, row.peer_kind) = ("external".into(), "range".into()));
    let mut slow = hint(NAMESPACE, "payment-1", "peer_slow");
    slow.blame = Blame::named(BlameKind::PeerPod, "shop/db-0", 0.92);
    slow.subject = payment();
    slow.confidence = 0.92;
    slow.summary = "payment-1 waits for shop/db-0 on node-c: its answers take 60 ms, normally 30 ms".into();
    let mut broken = hint(NAMESPACE, "cart-1", "pod_restarting");
    broken.blame = Blame::named(BlameKind::Pod, "cart-1", 0.99);
    broken.subject = subject("Deployment/cart", "cart-1", "node-a");
    broken.confidence = 0.99;
    broken.summary = "cart-1 restarts again and again: its command was not found".into();
    let [one, two] = outside;
    MapFacts {
        namespace: Some(NAMESPACE.into()),
        edges: vec![by_service, fails, waits, answers, mail, one, two],
        hints: vec![slow, broken],
        names: Names::new(&known_pods(), &known_services()),
        agents: 3,
        unknown: vec![],
        not_answered: vec![],
    }
}

pub(crate) fn map() -> ServiceMap {
    service_map(facts())
}

fn find<'m>(map: &'m ServiceMap, from: &str, to: &str) -> &'m MapEdge {
    let found = map.edges.iter().find(|edge| edge.from.ends_with(from) && edge.to.ends_with(to));
    found.unwrap_or_else(|| panic!("no {from} → {to}: {:#?}", map.edges))
}

fn node<'m>(map: &'m ServiceMap, id: &str) -> &'m MapNode {
    map.nodes.iter().find(|node| node.id == id).unwrap_or_else(|| panic!("no {id}: {:#?}", map.nodes))
}

#[test]
fn pods_of_a_workload_are_one_node_and_a_service_is_the_workload_behind_it() {
    let map = map();
    let edge = find(&map, "web", "payment");
    let client = edge.client.as_ref().unwrap();
    assert_eq!((client.per_second, client.requests, edge.ports.as_slice()), (Some(50.0), 500, &[8080][..]));
    let p50 = client.p50_seconds.unwrap();
    assert!((0.004..=0.005).contains(&p50), "between those of both Pods: {p50}");
    assert_eq!(node(&map, "Deployment/shop/web").pods, 2);
    assert!(map.nodes.iter().all(|node| node.kind != "Service"), "{:#?}", map.nodes);
    assert_eq!((edge.state, edge.unusual.as_slice()), (MapState::Unusual, &["errors"][..]));
}

#[test]
fn both_ends_of_an_edge_are_one_edge_and_the_callers_view_comes_first() {
    let map = map();
    let edge = find(&map, "payment", "db");
    assert_eq!(edge.requests().unwrap().p50_seconds, Some(0.06));
    assert_eq!(edge.server.as_ref().unwrap().p50_seconds, Some(0.003));
    assert_eq!((edge.sent.segments, edge.answered.segments), (1000, 1000));
    let db = node(&map, "StatefulSet/shop/db");
    assert_eq!(db.server.as_ref().and_then(|server| server.per_second), Some(50.0));
}

#[test]
fn a_hint_marks_who_suffers_who_is_at_fault_and_what_is_between_them() {
    let map = map();
    let first = &map.edges[0];
    assert_eq!((first.from.as_str(), first.to.as_str()), ("Deployment/shop/payment", "StatefulSet/shop/db"));
    assert_eq!((first.state, first.hints[0].cause.as_str()), (MapState::Hint, "peer_slow"));
    assert!(!node(&map, "Deployment/shop/payment").hints[0].blamed);
    assert!(node(&map, "StatefulSet/shop/db").hints[0].blamed);
    assert!(map.edges[1..].iter().all(|edge| edge.hints.is_empty()), "{:#?}", map.edges);
    let cart = node(&map, "Deployment/shop/cart");
    assert_eq!((cart.state, cart.hints[0].cause.as_str()), (MapState::Hint, "pod_restarting"), "without traffic");
}

#[test]
fn a_hint_about_a_node_marks_the_edges_that_lead_there() {
    let mut facts = facts();
    facts.hints.truncate(1);
    facts.hints[0].blame = Blame::named(BlameKind::PeerNode, "node-c", 0.95);
    let map = service_map(facts.clone());
    let marked: Vec<&str> =
        map.edges.iter().filter(|edge| !edge.hints.is_empty()).map(|edge| edge.to.as_str()).collect();
    assert_eq!(marked, ["StatefulSet/shop/db"]);
    facts.hints[0].blame = Blame::named(BlameKind::NodePair, "node-b↔node-c", 0.95);
    assert!(!find(&service_map(facts.clone()), "payment", "db").hints.is_empty());
    facts.hints[0].state = crate::api::HintState::Resolved;
    assert!(service_map(facts).edges.iter().all(|edge| edge.hints.is_empty()));
}

#[test]
fn failures_are_unusual_and_what_is_not_measured_is_not_well() {
    let map = map();
    let mail = find(&map, "payment", "203.0.113.9");
    assert_eq!((mail.state, mail.unusual.as_slice(), mail.failed_connects), (MapState::Unusual, &["connects"][..], 4));
    assert_eq!((mail.loss(), mail.sent.segments), (None, 3), "too few for a ratio");
    let mut facts = facts();
    facts.edges.iter_mut().for_each(|row| row.connect_failures.clear());
    assert_eq!(find(&service_map(facts), "payment", "203.0.113.9").state, MapState::Unknown);
    let outside = find(&map, "clients outside", "web");
    assert_eq!((outside.state, outside.client.as_ref()), (MapState::Well, None), "nobody measures outside");
}

#[test]
fn requests_through_a_sidecar_count_once() {
    let mut to_sidecar = asks(subject("Deployment/web", "web-1", "node-a"), "client", "10.1.0.3", 10.0, 5.0);
    to_sidecar.redirected = true;
    let mut facts = MapFacts { edges: vec![to_sidecar.clone()], hints: vec![], ..facts() };
    let alone = service_map(facts.clone());
    assert_eq!((alone.edges[0].redirected, alone.edges[0].requests().unwrap().requests), (true, 100));
    facts.edges.push(EdgeRow { redirected: false, ..to_sidecar });
    let both = service_map(facts);
    assert_eq!((both.edges[0].redirected, both.edges[0].requests().unwrap().requests), (false, 100));
}

#[test]
fn an_edge_without_a_role_joins_the_one_that_has_it() {
    let mut row = quiet(subject("StatefulSet/db", "db-0", "node-c"), "client", "10.1.0.3");
    row.role = None;
    let mut facts = facts();
    facts.edges.push(row.clone());
    let map = service_map(facts.clone());
    assert_eq!(find(&map, "payment", "db").answered.segments, 2000, "what db sends");
    facts.edges = vec![row];
    assert!(!service_map(facts).edges[0].directed);
}

#[test]
fn connections_within_a_pod_are_no_edges() {
    let rows = ["127.0.0.1", "::1"].map(|own| quiet(subject("Deployment/web", "web-1", "node-a"), "client", own));
    let map = service_map(MapFacts { edges: rows.to_vec(), hints: vec![], ..facts() });
    assert_eq!((map.nodes.len(), map.edges.len()), (0, 0));
}

#[test]
fn a_large_map_keeps_what_is_in_trouble() {
    let mut facts = facts();
    for n in 0..2000_u32 {
        let peer = std::net::Ipv4Addr::from(0x0a02_0000 + n).to_string();
        facts.edges.push(quiet(subject("Deployment/web", "web-1", "node-a"), "client", &peer));
    }
    let map = service_map(facts);
    assert!(map.nodes.len() <= MAX_NODES && map.edges.len() <= MAX_EDGES);
    assert_eq!(map.nodes.len() + map.more_nodes, 2006);
    assert_eq!(map.edges.len() + map.more_edges, 2004);
    assert_eq!(map.edges[0].state, MapState::Hint);
    node(&map, "Deployment/shop/cart");
}

#[test]
fn names_come_from_the_agents_where_the_api_server_is_silent() {
    let mut facts = facts();
    facts.names = Names::default();
    facts.edges.iter_mut().filter(|row| row.peer == "10.1.0.4").for_each(|row| row.peer_pod = Some("shop/db-0".into()));
    let map = service_map(facts);
    find(&map, "Deployment/shop/payment", "StatefulSet/shop/db");
    assert_eq!(node(&map, "Address//10.1.0.3").label(Some(NAMESPACE)), "10.1.0.3");
    assert_eq!(node(&map, "Service//10.96.0.7").label(Some(NAMESPACE)), "Service/10.96.0.7");
    assert_eq!(node(&map, "StatefulSet/shop/db").label(None), "shop/StatefulSet/db");
}

#[test]
fn an_address_of_two_pods_is_nobodys() {
    let mut pods = known_pods();
    pods.push(pod("Deployment/other", "other-1", "10.1.0.4"));
    let map = service_map(MapFacts { names: Names::new(&pods, &[]), ..facts() });
    node(&map, "Address//10.1.0.4");
}

#[test]
fn an_address_outside_has_the_names_that_its_callers_looked_up() {
    let mut facts = facts();
    let caller = facts.edges[0].subject.clone();
    let outside = |name: Option<&str>, role: &str, peer: &str| EdgeRow {
        peer_kind: "range".into(),
        class: "external".into(),
        peer_dns_name: name.map(str::to_owned),
        ..quiet(caller.clone(), role, peer)
    };
    facts.edges.extend([
        outside(Some("b.example.com"), "client", "203.0.113.7"),
        outside(Some("a.example.com"), "client", "203.0.113.7"),
        outside(None, "client", "203.0.113.7"),
        outside(None, "client", "203.0.113.8"),
        outside(Some("client.example.com"), "server", "203.0.113.9"),
    ]);
    let map = service_map(facts);
    let label = |id: &str| node(&map, id).label(None);
    assert_eq!(label("Outside//203.0.113.7"), "a.example.com, b.example.com (203.0.113.7)");
    assert_eq!(label("Outside//203.0.113.8"), "203.0.113.8");
    assert_eq!(label("Outside//clients outside"), "clients outside");
}
