use crate::{
    api::{BlameKind, Hint},
    hints::testing::{
        Case, Run, candidates, firing,
        requests::{Lcg, Stream, quick},
        rtts, times_of, verdict,
    },
    sample::Responses,
};
use netwhy_abi::{Retransmit, Role};

const PEERS: [&str; 3] = ["10.0.0.7", "10.0.0.8", "10.0.0.9"];
/// Seconds that are learned before the trouble.
const WARM: u64 = 30;

/// A client's requests to one peer.
#[derive(Clone, Copy)]
struct Flow {
    pod: &'static str,
    peer: &'static str,
    per_second: u64,
    /// Each has a connection of its own.
    is_new: bool,
}

const fn new(peer: &'static str, per_second: u64) -> Flow {
    Flow { pod: "cart", peer, per_second, is_new: true }
}

/// 36 ms more in bursts of 0.83 s every 3.1 s, while one asks the far end 9.1 times a second, and others 8.7 and 1.4.
const FLOWS: [Flow; 3] = [new(PEERS[0], 9), new(PEERS[1], 9), new(PEERS[2], 1)];

/// Whether packets are late at a moment, s.
fn is_burst(moment: f64) -> bool {
    moment % 3.1 < 0.83
}

/// Time by which the packets of a flow's request are late, and by which its server is, µs.
type Late = fn(&Flow, f64) -> (u32, u32);

fn in_time(_: &Flow, _: f64) -> (u32, u32) {
    (0, 0)
}

fn first_peer(flow: &Flow, moment: f64) -> (u32, u32) {
    if flow.peer == PEERS[0] && is_burst(moment) { (36_000, 0) } else { (0, 0) }
}

struct Scene {
    run: Run,
    case: Case,
    flows: Vec<Flow>,
    streams: Vec<Stream>,
    random: Lcg,
    second: u64,
}

impl Scene {
    fn new(flows: &[Flow]) -> Self {
        let mut pods: Vec<&str> = flows.iter().map(|flow| flow.pod).collect();
        pods.dedup();
        let mut case = Case::mesh(&pods, &PEERS);
        let is_used = |pod: &str, peer: &str| flows.iter().any(|flow| (flow.pod, flow.peer) == (pod, peer));
        case.edges.retain(|edge| is_used(&edge.subject.name, &edge.peer.to_canonical().to_string()));
        for flow in flows {
            let edge = case.edge(flow.pod, flow.peer);
            (edge.role, edge.port) = (Some(Role::Client), 80);
            edge.peer_node = Some(format!("node-of-{}", flow.peer).into());
            edge.window.connects = [if flow.is_new { 10 * flow.per_second } else { 0 }, 0];
        }
        let streams = flows.iter().map(|_| Stream::default()).collect();
        Self { run: Run::new(), case, flows: flows.to_vec(), streams, random: Lcg(7), second: 0 }
    }

    fn second(&mut self, late: Late) -> Vec<Hint> {
        self.second += 1;
        for (flow, stream) in self.flows.iter().zip(&mut self.streams) {
            let mut sum = Responses::default();
            for at in 0..flow.per_second {
                let (path_us, server_us) = late(flow, self.second as f64 + at as f64 / flow.per_second as f64);
                sum.durations.add(&times_of(&[(quick(&mut self.random) + path_us + server_us, 1)]));
                // The lowest round trip of a kept connection is an old one.
                sum.network_us += 100 + if flow.is_new { u64::from(path_us) } else { 0 };
            }
            stream.push(sum);
            self.case.edge(flow.pod, flow.peer).responses = Some(Box::new(stream.view()));
        }
        self.run.window_ms = 1_000 * self.second.min(10);
        firing(&self.run.tick(&self.case))
    }

    fn warm(self) -> Self {
        self.learn(WARM)
    }

    fn learn(mut self, seconds: u64) -> Self {
        for at in 0..seconds {
            assert_eq!(self.second(in_time), vec![], "second {at}");
        }
        self
    }

    /// A share of the round trips to the first peer is late too; the fastest are not.
    fn with_late_round_trips(mut self) -> Self {
        let flows: Vec<Flow> = self.flows.iter().filter(|flow| flow.peer == PEERS[0]).copied().collect();
        flows.iter().for_each(|flow| self.case.tally(flow.pod, flow.peer).rtt = rtts(&[(100, 73), (36_100, 27)]));
        self
    }

    /// All hints of some seconds.
    fn all(&mut self, seconds: u64, late: Late) -> Vec<Hint> {
        (0..seconds).flat_map(|_| self.second(late)).collect()
    }
}

fn is_longer(hint: &Hint) -> bool {
    hint.cause == "path_latency"
}

#[test]
fn new_connections_that_are_late_in_bursts_prove_a_path_that_is_longer_now_and_then() {
    let mut scene = Scene::new(&FLOWS).warm().with_late_round_trips();
    let first = (1..=12).map(|at| (at, scene.second(first_peer))).find(|(_, hints)| !hints.is_empty());
    let (after, hints) = first.expect("a hint within 12 s");
    assert_eq!(hints.len(), 1, "{after}: {hints:?}");
    assert_eq!(verdict(&hints[0]), ("path_latency", BlameKind::Undecided, ""));
    let mut names = candidates(&hints[0]);
    names.truncate(2);
    names.sort();
    assert_eq!(names, ["node-a↔node-of-10.0.0.7", "node-of-10.0.0.7"], "{:?}", hints[0].blame);
    assert!(hints[0].summary.contains(" is longer now and then: "), "{}", hints[0].summary);
    assert!(hints[0].ruled_out[0].because.contains("90 new connections"), "{:?}", hints[0].ruled_out);
    // It stays one hint while the bursts go on.
    for _ in 0..20 {
        let hints = scene.second(first_peer);
        assert!(hints.len() == 1 && is_longer(&hints[0]), "{hints:?}");
    }
}

#[test]
fn kept_connections_to_the_same_node_share_the_proof_of_new_ones() {
    let kept = Flow { pod: "mail", peer: PEERS[0], per_second: 9, is_new: false };
    let hints = Scene::new(&[&FLOWS[..], &[kept]].concat()).warm().with_late_round_trips().all(15, first_peer);
    assert!(hints.iter().any(|hint| is_longer(hint) && hint.subject.name == "mail"), "{hints:?}");
}

/// Its program may be as slow now and then.
#[test]
fn kept_connections_alone_prove_no_path() {
    let flows = FLOWS.map(|flow| Flow { is_new: flow.peer != PEERS[0], ..flow });
    let hints = Scene::new(&flows).warm().all(20, first_peer);
    assert!(!hints.iter().any(is_longer), "{hints:?}");
}

/// 85 ms more in bursts of 0.78 s every 2.4 s, for one request a second. Half a minute of them knows too little: the slow
/// ones of three windows may be the slowest of all by a chance above 1 in 100.
#[test]
fn few_requests_of_a_kept_connection_need_a_long_baseline_and_leave_the_path_a_suspect() {
    let kept = Flow { per_second: 1, is_new: false, ..FLOWS[0] };
    let late: Late = |flow, moment| if flow.peer == PEERS[0] && moment % 2.4 < 0.78 { (85_000, 0) } else { (0, 0) };
    let hints = |seconds: u64| {
        let mut scene = Scene::new(&[kept, FLOWS[1], FLOWS[2]]).learn(seconds);
        scene.case.tally("cart", PEERS[0]).rtt = rtts(&[(100, 7), (85_100, 3)]);
        scene.all(40, late)
    };
    assert_eq!(hints(22), vec![]);
    let told = hints(200);
    let hint = told.first().expect("a hint within 40 s");
    assert_eq!(hint.cause, "peer_slow");
    assert!(hint.summary.contains("or for packets that are late on the way"), "{}", hint.summary);
    assert!(hint.blame.mentions("node-a↔node-of-10.0.0.7"), "{:?}", hint.blame);
    assert!(hint.ruled_out.iter().all(|one| one.cause != "path_latency"), "{:?}", hint.ruled_out);
}

#[test]
fn a_server_that_is_slow_now_and_then_answers_handshakes_in_time() {
    let hints = Scene::new(&FLOWS).warm().all(20, |flow, moment| {
        let (path_us, server_us) = first_peer(flow, moment);
        (server_us, path_us)
    });
    assert!(hints.iter().any(|hint| hint.cause == "peer_slow"), "{hints:?}");
    assert!(!hints.iter().any(is_longer), "{hints:?}");
}

/// All Pods of a machine that stands still for moments wait at once.
#[test]
fn a_machine_that_stands_still_now_and_then_is_no_path() {
    let stalls: [Late; 2] = [
        |_, moment| if is_burst(moment) { (36_000, 0) } else { (0, 0) },
        // 20 to 200 ms, each second anew.
        |_, moment| if moment.fract() < 0.2 { (20_000 + 36_000 * (moment as u32 % 6), 0) } else { (0, 0) },
    ];
    for stall in stalls {
        let hints = Scene::new(&FLOWS).warm().all(30, stall);
        assert_eq!(hints, vec![]);
    }
}

/// Nothing tells that the machine does not stand still.
#[test]
fn without_requests_elsewhere_nobody_is_blamed() {
    for flows in [&FLOWS[..1], &[FLOWS[0], FLOWS[2]]] {
        assert_eq!(Scene::new(flows).warm().with_late_round_trips().all(20, first_peer), vec![]);
    }
}

#[test]
fn one_stall_is_no_path_that_is_longer_now_and_then() {
    let mut scene = Scene::new(&FLOWS).warm();
    let hints = scene.all(20, |flow, moment| {
        let is_late = flow.peer == PEERS[0] && (32.0..33.0).contains(&moment);
        (if is_late { 200_000 } else { 0 }, 0)
    });
    assert!(!hints.iter().any(is_longer), "{hints:?}");
}

#[test]
fn more_load_and_handshakes_that_are_sent_again_excuse_late_requests() {
    let mut scene = Scene::new(&FLOWS).warm();
    scene.flows[0].per_second = 27;
    scene.case.tally("cart", PEERS[0]).connects = [270, 0];
    scene.all(6, in_time);
    let hints = scene.all(12, first_peer);
    assert!(!hints.iter().any(is_longer), "{hints:?}");
    let mut scene = Scene::new(&FLOWS).warm();
    scene.case.tally("cart", PEERS[0]).retransmits[Retransmit::Syn as usize] = 30;
    let hints = scene.all(20, first_peer);
    assert!(!hints.iter().any(is_longer), "{hints:?}");
}
