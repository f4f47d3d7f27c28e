use super::*;
use crate::{
    api::{BlameKind, Hint},
    hints::testing::{
        Case, Run, firing, lose,
        requests::{Lcg, Stream, quick},
        rtts,
    },
    peers::PeerKind,
};
use netwhy_abi::{PeerClass, Retransmit};

/// Clients of this Node, and servers on three Nodes with their ports.
const PODS: [&str; 3] = ["cart", "web", "ads"];
const SERVERS: [(&str, &str, u16); 7] = [
    ("10.1.0.3", "node-b", 8080),
    ("10.1.0.4", "node-b", 5432),
    ("10.1.0.5", "node-b", 6379),
    ("10.2.0.3", "node-c", 9090),
    ("10.2.0.4", "node-c", 7000),
    ("10.3.0.3", "node-d", 50051),
    ("10.3.0.4", "node-d", 4222),
];

/// Clients with a stream of requests to each of their servers.
struct World {
    run: Run,
    case: Case,
    streams: Vec<Stream>,
    random: Lcg,
    role: Role,
}

impl World {
    fn new(pods: &[&str], servers: &[(&str, &str, u16)]) -> Self {
        Self::with_role(pods, servers, Role::Client)
    }

    /// As a server, each Pod has the peers as its clients.
    fn with_role(pods: &[&str], servers: &[(&str, &str, u16)], role: Role) -> Self {
        let peers: Vec<&str> = servers.iter().map(|(peer, ..)| *peer).collect();
        let mut case = Case::mesh(pods, &peers);
        for (edge, (_, node, port)) in case.edges.iter_mut().zip(servers.iter().cycle()) {
            (edge.role, edge.port, edge.peer_node) = (Some(role), *port, Some((*node).into()));
        }
        let streams = case.edges.iter().map(|_| Stream::default()).collect();
        Self { run: Run::new(), case, streams, random: Lcg(2_311), role }
    }

    /// Seconds in which the answers of some edges take `us` longer; `slow` chooses by Pod and server.
    fn seconds(&mut self, n: u64, us: u32, slow: impl Fn(&str, &str) -> bool) -> Vec<Hint> {
        self.seconds_with(n, (us, 1), slow)
    }

    /// The same of one in so many answers.
    fn seconds_with(&mut self, n: u64, (us, one_in): (u32, u32), slow: impl Fn(&str, &str) -> bool) -> Vec<Hint> {
        let mut hints = Vec::new();
        for _ in 0..n {
            for (edge, stream) in self.case.edges.iter_mut().zip(&mut self.streams) {
                let peer = edge.peer.to_canonical().to_string();
                let more = if slow(&edge.subject.name, &peer) { us } else { 0 };
                let more = |at: u32| if at.is_multiple_of(one_in) { more } else { 0 };
                let times: Vec<u32> = (0..23).map(|at| quick(&mut self.random) + more(at)).collect();
                stream.second(self.role, &times, 100);
                edge.responses = Some(Box::new(stream.view()));
            }
            hints = firing(&self.run.tick(&self.case));
        }
        hints
    }

    /// Hints 7 s after answers stop on some edges, while their requests are still acknowledged.
    fn stopped(&mut self, stops: impl Fn(&str, &str) -> bool) -> Vec<Hint> {
        assert_eq!(self.seconds(40, 0, |_, _| false), vec![]);
        let mut hints = Vec::new();
        for _ in 0..7 {
            let at = self.run.next_at();
            for (edge, stream) in self.case.edges.iter_mut().zip(&mut self.streams) {
                let peer = edge.peer.to_canonical().to_string();
                if stops(&edge.subject.name, &peer) {
                    let window = &mut edge.window;
                    (window.bytes_acked, window.bytes_received, window.data_segs_out) = (700, 700, 3);
                    stream.second(self.role, &[], 0);
                    stream.wait(3, at);
                } else {
                    let times: Vec<u32> = (0..23).map(|_| quick(&mut self.random)).collect();
                    stream.second(self.role, &times, 100);
                }
                edge.responses = Some(Box::new(stream.view()));
            }
            hints = firing(&self.run.tick(&self.case));
        }
        assert!(!hints.is_empty());
        hints
    }

    /// Hints about slow peers, 9 s after the given edges became slow.
    fn slow(&mut self, us: u32, slow: impl Fn(&str, &str) -> bool) -> Vec<Hint> {
        assert_eq!(self.seconds(40, 0, |_, _| false), vec![]);
        let hints = self.seconds(9, us, slow);
        assert!(hints.iter().all(|hint| hint.cause == "peer_slow"), "{hints:?}");
        assert!(!hints.is_empty());
        hints
    }
}

fn culprit(hint: &Hint) -> (BlameKind, &str) {
    (hint.blame.kind, &hint.blame.name)
}

#[test]
fn a_server_that_is_slow_towards_all_its_clients_is_named() {
    for hint in World::new(&PODS, &SERVERS).slow(37_000, |_, peer| peer == "10.2.0.4") {
        assert_eq!(culprit(&hint), (BlameKind::PeerPod, "10.2.0.4"), "{:?}", hint.blame);
        assert!(hint.summary.contains("not for the network"), "{}", hint.summary);
    }
}

#[test]
fn all_servers_of_one_node_that_are_slow_together_name_the_node() {
    for hint in World::new(&PODS[..2], &SERVERS).slow(23_000, |_, peer| peer.starts_with("10.1.")) {
        assert_eq!(culprit(&hint), (BlameKind::PeerNode, "node-b"), "{:?}", hint.blame);
    }
    // Two of them may share what they wait for.
    for hint in World::new(&PODS[..2], &SERVERS[1..]).slow(23_000, |_, peer| peer.starts_with("10.1.")) {
        assert_eq!(hint.blame.kind, BlameKind::Undecided, "{:?}", hint.blame);
        let server = ["10.1.0.4", "10.1.0.5"].iter().any(|peer| hint.blame.mentions(peer));
        assert!(hint.blame.mentions("node-b") && server, "{:?}", hint.blame);
    }
}

/// Two replicas on one Node may wait for the same database.
#[test]
fn replicas_on_one_node_do_not_name_the_node() {
    let mut servers = SERVERS;
    (servers[0].2, servers[1].2) = (8080, 8080);
    for hint in World::new(&PODS, &servers).slow(41_000, |_, peer| ["10.1.0.3", "10.1.0.4"].contains(&peer)) {
        assert!(!matches!(hint.blame.kind, BlameKind::Node | BlameKind::PeerNode), "{:?}", hint.blame);
    }
}

#[test]
fn servers_on_all_nodes_that_are_slow_together_name_no_node() {
    for pods in [&PODS[..1], &PODS[..]] {
        for hint in World::new(pods, &SERVERS).slow(61_000, |_, _| true) {
            assert!(!matches!(hint.blame.kind, BlameKind::Node | BlameKind::PeerNode), "{:?}", hint.blame);
        }
    }
}

#[test]
fn a_client_that_waits_alone_is_a_suspect_itself() {
    let pods = ["cart", "web", "ads", "mail", "feed", "auth"];
    let hints = World::new(&pods, &SERVERS[3..4]).slow(53_000, |pod, _| pod == "cart");
    assert_eq!(hints.len(), 1, "{hints:?}");
    let first = hints[0].blame.candidates().next();
    assert_eq!(
        first.map(|one| (one.kind, one.name)),
        Some((BlameKind::Pod, "cart".to_owned())),
        "{:?}",
        hints[0].blame
    );
}

/// A hundredth of lost packets explains a tenth of late answers, and not most of them.
#[test]
fn losses_explain_as_many_late_answers_as_requests_have_packets() {
    let nats = late_by_losses(&share_nats((10.0, 1_000.0), 1e-4));
    let is_explained: Vec<bool> = nats.iter().map(|nats| *nats > 0.0).collect();
    assert_eq!(is_explained, [true, true, true, false, false], "{nats:?}");
}

/// A server that usually takes longer than the others' delay acquits nobody.
#[test]
fn servers_that_would_not_show_the_delay_say_nothing() {
    let above = Above { slow: 3.0, requests: 120.0, normal: 0.01 };
    assert!(!shows(&nats(Above { slow: 1.0, ..above })) && shows(&nats(above)));
    // The shares that a fault makes slow are averaged out: a weak one shows too.
    assert!(shows(&share_nats((31.0, 1900.0), 0.005)));
}

/// Acknowledgements wait for no program as long as these requests do: some packets are late.
#[test]
fn a_path_that_delays_a_share_of_the_packets_is_not_acquitted() {
    let mut world = World::new(&PODS[..1], &SERVERS);
    assert_eq!(world.seconds(40, 0, |_, _| false), vec![]);
    let tally = world.case.tally("cart", "10.3.0.3");
    (tally.rtt, tally.connects) = (rtts(&[(100, 30), (190_000, 70)]), [0, 0]);
    let hints = world.seconds(9, 190_000, |_, peer| peer == "10.3.0.3");
    let hint = hints.iter().find(|hint| hint.cause == "peer_slow").unwrap_or_else(|| panic!("{hints:?}"));
    assert!(!hint.summary.contains("not for the network"), "{}", hint.summary);
    assert!(hint.ruled_out.iter().all(|ruled| ruled.cause != "path_latency"), "{:?}", hint.ruled_out);
    assert!(!matches!(hint.blame.kind, BlameKind::Node | BlameKind::PeerNode), "{:?}", hint.blame);
}

/// A client does not see that answers are lost. A server on its Node sees that its own segments to that Node are, or
/// their acknowledgements, and must send them again.
#[test]
fn losses_of_another_edge_to_the_same_node_speak_for_the_path_of_late_answers() {
    let hint = |us: u32, lost: u64| {
        let mut world = World::new(&["cart", "api"], &SERVERS[..6]);
        for edge in world.case.edges.iter_mut().filter(|edge| edge.subject.name == "api") {
            edge.role = Some(Role::Server);
        }
        assert_eq!(world.seconds(40, 0, |_, _| false), vec![]);
        world.case.tally("cart", "10.3.0.3").retransmits[Retransmit::TailLossProbe as usize] = 5;
        lose(world.case.tally("api", "10.3.0.3"), lost);
        let hints = world.seconds_with(12, (us, 6), |pod, peer| pod == "cart" && peer == "10.3.0.3");
        let late = hints.iter().find(|hint| hint.cause == "peer_slow");
        late.unwrap_or_else(|| panic!("{hints:?}")).clone()
    };
    let lossy = hint(207_000, 40);
    let of_path: f64 =
        lossy.blame.candidates().filter(|one| one.name.contains("node-d")).map(|one| one.probability).sum();
    assert!(of_path > 0.6 && lossy.blame.kind != BlameKind::PeerPod, "{:?}", lossy.blame);
    // Nothing is lost, or no timer takes so short a time.
    for (us, lost) in [(207_000, 0), (37_000, 40)] {
        assert_eq!(culprit(&hint(us, lost)), (BlameKind::PeerPod, "10.3.0.3"), "{us} {lost}");
    }
}

#[test]
fn an_address_of_a_service_is_not_outside() {
    let mut world = World::new(&PODS[..1], &SERVERS);
    for edge in &mut world.case.edges {
        if edge.port == 4222 {
            (edge.class, edge.kind, edge.peer_node) = (PeerClass::External, PeerKind::Service, None);
        }
    }
    for hint in world.slow(29_000, |_, peer| peer == "10.3.0.4") {
        assert_eq!(culprit(&hint), (BlameKind::Service, "10.3.0.4"), "{:?}", hint.blame);
    }
}

#[test]
fn a_server_that_answers_none_of_its_clients_is_named() {
    for hint in World::new(&PODS, &SERVERS).stopped(|_, peer| peer == "10.3.0.3") {
        assert_eq!(hint.cause, "peer_not_answering");
        assert_eq!(culprit(&hint), (BlameKind::PeerPod, "10.3.0.3"), "{:?}", hint.blame);
    }
}

#[test]
fn servers_of_one_node_that_stop_together_make_it_the_first_suspect() {
    for hint in World::new(&PODS[..2], &SERVERS).stopped(|_, peer| peer.starts_with("10.1.")) {
        let first = hint.blame.candidates().next().map(|one| (one.kind, one.name));
        assert_eq!(first, Some((BlameKind::PeerNode, "node-b".to_owned())), "{:?}", hint.blame);
        assert!(hint.blame.best() > 0.7, "{:?}", hint.blame);
    }
    // All servers at once: they may wait for one that nobody here sees.
    for hint in World::new(&PODS[..2], &SERVERS).stopped(|_, _| true) {
        assert!(!matches!(hint.blame.kind, BlameKind::Node | BlameKind::PeerNode), "{:?}", hint.blame);
    }
}

#[test]
fn a_server_is_named_when_all_its_clients_wait_and_not_when_one_does() {
    let server = || World::with_role(&["api"], &SERVERS, Role::Server);
    for hint in server().stopped(|_, _| true) {
        assert_eq!((hint.cause.as_str(), culprit(&hint)), ("pod_not_reading", (BlameKind::Pod, "api")));
    }
    for hint in server().stopped(|_, peer| peer == "10.2.0.3") {
        assert_eq!((hint.cause.as_str(), hint.blame.kind), ("pod_not_reading", BlameKind::Undecided));
        assert!(hint.blame.mentions("api") && hint.blame.mentions("10.2.0.3"), "{:?}", hint.blame);
    }
}
