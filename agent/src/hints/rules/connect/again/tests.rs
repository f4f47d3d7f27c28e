use crate::{
    api::{BlameKind, Hint},
    hints::testing::{Case, Run, firing, times_of, verdict},
    peers::PeerKind,
    sample::{Responses, Tally},
    state::{EdgeView, ResponseView},
};
use netwhy_abi::{Cut, Failure, Role};

const PEER: &str = "10.0.0.7";
const OTHER: &str = "10.0.0.8";
/// Seconds of a window, and of the last seconds.
const WINDOW: usize = 10;
const RECENT: usize = 3;
/// Answered requests of a second beside the one that is cut off.
const BESIDE: u64 = 9;

/// A client's requests to one port, second by second: `o` is answered, `x` cut off by a reset, `i` the same after its
/// answer, `r` refused, `m` one cut off beside others that are answered, and `.` no request.
struct Client {
    run: Run,
    case: Case,
    seconds: Vec<char>,
    /// Each request has a connection of its own.
    is_fresh: bool,
    /// Duration of a request, µs.
    took_us: u32,
    /// Further data segments per second.
    segments: u64,
}

impl Client {
    /// One request a second, each with a connection of its own, to a Pod.
    fn new() -> Self {
        let mut case = Case::mesh(&["cart"], &[PEER, OTHER]);
        let edge = case.edge("cart", PEER);
        (edge.role, edge.port, edge.kind) = (Some(Role::Client), 8080, PeerKind::Pod);
        Self { run: Run::new(), case, seconds: Vec::new(), is_fresh: true, took_us: 2_000, segments: 0 }
    }

    fn kept() -> Self {
        Self { is_fresh: false, ..Self::new() }
    }

    fn to(mut self, kind: PeerKind) -> Self {
        self.case.edge("cart", PEER).kind = kind;
        self
    }

    /// The newest seconds.
    fn newest(&self, seconds: usize) -> &[char] {
        &self.seconds[self.seconds.len().saturating_sub(seconds)..]
    }

    /// Handshakes of the newest seconds. A kept connection ends with a reset, and the next request makes another.
    fn connects(&self, seconds: usize) -> u64 {
        let (mut is_open, mut connects) = (!self.is_fresh, Vec::new());
        for second in &self.seconds {
            connects.push(match second {
                'm' => BESIDE + 1,
                _ => u64::from(!is_open && "oxi".contains(*second)),
            });
            is_open = match second {
                '.' => is_open,
                'o' => !self.is_fresh,
                _ => false,
            };
        }
        connects.iter().rev().take(seconds).sum()
    }

    fn tally(&self, seconds: usize) -> Tally {
        let count = |what: char| self.newest(seconds).iter().filter(|second| **second == what).count() as u64;
        let (ok, cut, idle) = (count('o') + BESIDE * count('m'), count('x') + count('m'), count('i'));
        let sent = ok + cut + idle + self.segments * self.newest(seconds).len() as u64;
        let mut tally = Tally {
            data_segs_out: sent,
            // A view without any counts would be taken for one whose last seconds are not known.
            segs_out: 2 * sent + 1,
            bytes_acked: 100 * (ok + idle),
            bytes_received: 1_000 * (ok + idle),
            connects: [self.connects(seconds), 0],
            ..Tally::default()
        };
        tally.cuts[Cut::Busy as usize] = cut;
        tally.cuts[Cut::Idle as usize] = idle;
        tally.connect_failures[Failure::Refused as usize] = count('r');
        tally
    }

    fn times(&self, seconds: usize) -> Responses {
        let answers = |second: &char| match second {
            'm' => BESIDE,
            _ => u64::from("oi".contains(*second)),
        };
        let answered: u64 = self.newest(seconds).iter().map(answers).sum();
        let durations = if answered > 0 { times_of(&[(self.took_us, answered)]) } else { Default::default() };
        Responses { durations, ..Responses::default() }
    }

    fn edge(&self, edge: EdgeView) -> EdgeView {
        let of = |seconds| self.times(seconds);
        let times = ResponseView { window: of(WINDOW), recent: of(RECENT), newest: of(1), ..ResponseView::default() };
        EdgeView {
            window: self.tally(WINDOW),
            recent: self.tally(RECENT),
            answered: self.newest(1).iter().any(|second| "oim".contains(*second)),
            responses: (times.window.durations.count() > 0).then(|| Box::new(times)),
            ..edge
        }
    }

    /// The hints that fire after one more second.
    fn second(&mut self, second: char) -> Vec<Hint> {
        self.seconds.push(second);
        let mut case = self.case.clone();
        let edge = case.edge("cart", PEER);
        *edge = self.edge(edge.clone());
        firing(&self.run.tick(&case))
    }

    /// Goes through the pattern again and again for so many seconds, and expects no hint.
    fn expect_silence(&mut self, seconds: usize, pattern: &str) {
        for (at, second) in pattern.chars().cycle().take(seconds).enumerate() {
            let hints = self.second(second);
            assert!(hints.is_empty(), "second {at}: {:?}", hints.iter().map(|h| &h.summary).collect::<Vec<_>>());
        }
    }

    /// After 30 good seconds.
    fn warm(mut self) -> Self {
        self.expect_silence(30, "o");
        self
    }

    /// Goes through the pattern until a hint fires. Returns the seconds until then, at most 120, and the hint.
    fn first_hint(&mut self, pattern: &str) -> (usize, Hint) {
        let mut seconds = pattern.chars().cycle().take(120).enumerate();
        seconds.find_map(|(at, second)| Some((at + 1, self.second(second).pop()?))).expect("a hint")
    }
}

/// The third moment is the last that restarts don't explain, and a hint takes two ticks.
#[test]
fn resets_that_come_and_go_are_named_at_one_request_a_second() {
    for (pattern, at_most) in [("xxxooooo", 18), ("xooooo", 14), ("x.x.o.o.", 18)] {
        let mut client = Client::new().warm();
        let (after, hint) = client.first_hint(pattern);
        assert_eq!(after, at_most, "{pattern}");
        assert_eq!(hint.cause, "connections_reset", "{pattern}");
        assert_eq!(hint.blame.other_names(), [PEER, "node-a↔10.0.0.7"], "{pattern}");
        assert!(hint.summary.contains("3 times in the last "), "{}", hint.summary);
    }
}

#[test]
fn they_stay_named_between_two_moments_and_end() {
    let mut client = Client::new().warm();
    client.first_hint("xxxooooo");
    // It fired in the second second of a moment.
    for second in "xooooo".chars().chain("xxxooooo".chars().cycle().take(80)) {
        assert_eq!(client.second(second).len(), 1);
    }
    (0..15).for_each(|_| drop(client.second('o')));
    client.expect_silence(60, "o");
}

/// Dead connections of a pool would make the first moments, too.
#[test]
fn resets_of_kept_connections_are_named_once_no_pool_explains_them() {
    let (after, hint) = Client::kept().warm().first_hint("xooooo");
    assert_eq!(hint.cause, "connections_reset");
    assert!((30..45).contains(&after), "{after} s");
    // Requests that overlap often reach the bottom of a pool, too.
    let mut client = Client { took_us: 400_000, ..Client::kept() }.warm();
    let (after, _) = client.first_hint("xooooo");
    assert!((43..46).contains(&after), "{after} s");
}

#[test]
fn refusals_that_come_and_go_are_the_peers() {
    for (pattern, at_most) in [("rrrooooo", 18), ("rooooo", 14)] {
        let (after, hint) = Client::new().warm().first_hint(pattern);
        assert_eq!(verdict(&hint), ("peer_refusing", BlameKind::PeerPod, PEER), "{pattern}");
        assert_eq!(after, at_most, "{pattern}");
    }
}

/// The kept connection is reset, and each attempt after it is refused.
#[test]
fn resets_and_refusals_of_one_trouble_have_one_cause() {
    let mut client = Client::kept().warm();
    let (after, hint) = client.first_hint("xrrooooo");
    assert_eq!(hint.cause, "peer_refusing");
    assert!(after <= 19, "{after} s");
    for second in "xrrooooo".chars().cycle().skip(after).take(80) {
        let hints = client.second(second);
        assert_eq!(hints.iter().map(|hint| hint.cause.as_str()).collect::<Vec<_>>(), ["peer_refusing"]);
    }
}

#[test]
fn restarts_of_a_pod_are_silent() {
    let mut client = Client::new().warm();
    client.expect_silence(5, "xxrrr");
    client.expect_silence(20, "o");
    client.expect_silence(3, "xrr");
    client.expect_silence(120, "o");
}

/// Nobody knows how many programs are behind the address.
#[test]
fn a_rollout_behind_a_service_is_silent_and_what_goes_on_is_not() {
    for kind in [PeerKind::Service, PeerKind::Node, PeerKind::Range] {
        let mut client = Client::new().to(kind).warm();
        client.expect_silence(7 * 6, "xooooo");
        client.expect_silence(150, "o");
        let (after, hint) = Client::new().to(kind).warm().first_hint("xooooo");
        assert_eq!(hint.cause, "connections_reset");
        assert_eq!(after, 44);
    }
}

/// Of ten requests in a second, one meets the replica that ends.
#[test]
fn a_rollout_of_many_replicas_behind_one_address_is_silent_and_as_few_resets_of_one_program_are_not() {
    for kind in [PeerKind::Service, PeerKind::Node, PeerKind::Range] {
        Client::new().to(kind).warm().expect_silence(150, "mooooo");
    }
    assert_eq!(Client::new().warm().first_hint("mooooo").1.cause, "connections_reset");
}

/// The server closes connections that idle, and the client finds out when it uses one. Then it asks again.
#[test]
fn connections_that_a_server_closed_because_they_idled_are_silent() {
    Client::kept().warm().expect_silence(150, "xo.....");
    Client::new().warm().expect_silence(150, "xo.....");
}

/// Of a server that ends each connection with a reset, the answers have arrived. Clients that abort send theirs.
#[test]
fn resets_of_connections_that_are_done_and_those_that_a_server_receives_are_silent() {
    Client::new().warm().expect_silence(120, "iiiooooo");
    let mut client = Client::new();
    client.case.edge("cart", PEER).role = Some(Role::Server);
    client.warm().expect_silence(120, "xxxooooo");
}

/// 2000 segments a second make three resets in 80 s at the lowest usual rate, and eight with a chance of 1 %.
#[test]
fn as_few_as_chance_makes_of_much_traffic_are_silent() {
    Client { segments: 2_000, ..Client::new() }.warm().expect_silence(150, "xooooooooo");
}

#[test]
fn refusals_that_are_usual_on_an_edge_become_its_baseline() {
    let mut client = Client::new().warm();
    client.expect_silence(600, "roo");
    client.expect_silence(120, "rooooo");
}
