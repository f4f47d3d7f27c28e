//! DNS lookups over UDP, made with sockets as resolvers make them, against a server that takes its time.

mod names;
mod resolver;

use self::resolver::{Asker, QUESTION, STYLES, Style};
use crate::stage::{Options, PATIENCE, Stage, Watch, edge_key, id, needs, on_node, stage};
use netwhy_abi::{Counter, DNS_SHARE, DnsCode, memory::Limits};
use netwhy_agent::sample::Lookups;
use netwhy_tests::lab::{Node, Pod};
use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::unix::fs::MetadataExt as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{JoinHandle, scope, sleep, spawn},
    time::{Duration, Instant},
};

const PORT: u16 = 53;

/// Echoes messages after a while, as many at a time as come.
struct Server {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// On all addresses of a Node. `None`: never answers.
    fn start(node: &Node, port: u16, delay: Option<Duration>) -> Self {
        let socket = on_node(node, || UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port))).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = spawn(move || {
            scope(|scope| {
                let mut message = [0; 512];
                while !stopped.load(Ordering::Relaxed) {
                    let Ok((n, from)) = socket.recv_from(&mut message) else { continue };
                    let (answer, socket) = (message[..n].to_vec(), &socket);
                    if let Some(delay) = delay {
                        scope.spawn(move || {
                            // The delay itself is what is measured.
                            sleep(delay);
                            socket.send_to(&answer, from).unwrap();
                        });
                    }
                }
            });
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// How many lookups to make, each of this many types.
struct Lookup {
    types: usize,
    times: usize,
}

impl Lookup {
    /// Makes them in a Pod; returns the time of each, as the resolver waited for it.
    fn run(&self, stage: &Stage, pod: &Pod, style: Style, server: IpAddr) -> Vec<Duration> {
        let once = || {
            let begin = Instant::now();
            assert!(style.look_up(SocketAddr::new(server, PORT), self.types, PATIENCE), "{style:?}");
            begin.elapsed()
        };
        stage.inside(pod, || (0..self.times).map(|_| once()).collect())
    }
}

#[track_caller]
fn close(what: &str, measured: f64, truth: f64) {
    assert!((measured / truth - 1.0).abs() < 0.1, "{what}: {measured} against {truth}");
}

/// Each style in a Pod of its own.
fn pods(stage: &Stage) -> Vec<(Style, Pod)> {
    STYLES.map(|style| (style, stage.pod("a", &format!("{style:?}").to_lowercase()))).into()
}

fn counted(watch: &mut Watch, pod: &Pod, server: IpAddr) -> Lookups {
    watch.read();
    watch.lookups(id(pod), server)
}

/// A resolver in each Pod, such as systemd's or a caching sidecar.
#[test]
fn each_network_namespace_has_a_loopback_resolver_of_its_own() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let _servers = ["a", "b"].map(|node| Server::start(stage.node(node), PORT, Some(Duration::ZERO)));
    for (times, node) in [(3, "a"), (5, "b")] {
        for style in STYLES {
            let pod = stage.pod(node, &format!("{style:?}").to_lowercase());
            for server in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
                Lookup { types: 1, times }.run(&stage, &pod, style, server);
            }
        }
    }
    watch.read();
    for (times, node) in [(3, "a"), (5, "b")] {
        let netns = fs::metadata(format!("/run/netns/{}", stage.node(node).netns)).unwrap().ino();
        let of_node: Vec<_> = watch.sums().dns.iter().filter(|(key, _)| u64::from(key.netns) == netns).collect();
        assert_eq!(of_node.len(), 2 * STYLES.len(), "{of_node:?}");
        assert!(of_node.iter().all(|(_, lookups)| lookups.answered == times as u64), "{of_node:?}");
    }
    // An address of the network is the same for all.
    let pod = stage.pod("a", "glibc");
    Lookup { types: 1, times: 1 }.run(&stage, &pod, Style::Glibc, stage.node("b").ipv4.into());
    watch.read();
    assert!(watch.sums().dns.contains_key(&edge_key(id(&pod), stage.node("b").ipv4.into())));
}

#[test]
fn every_resolver_style_is_counted_exactly_and_timed_as_it_waited() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let delay = Duration::from_millis(40);
    let _server = Server::start(stage.node("b"), PORT, Some(delay));
    let servers: [IpAddr; 2] = [stage.node("b").ipv4.into(), stage.node("b").ipv6.into()];
    for (style, pod) in pods(&stage) {
        for server in servers {
            let took = Lookup { types: 1, times: 20 }.run(&stage, &pod, style, server);
            let lookups = counted(&mut watch, &pod, server);
            assert_eq!((lookups.answered, lookups.unanswered), (20, 0), "{style:?} {server}");
            assert_eq!(lookups.durations.count(), 20, "{style:?} {server}");
            let truth = took.iter().sum::<Duration>().as_micros() as f64 / 20.0;
            close("mean", lookups.durations.sum_us as f64 / 20.0, truth);
            assert!(truth >= delay.as_micros() as f64);
            let mut took: Vec<f64> = took.iter().map(|took| took.as_micros() as f64).collect();
            took.sort_by(f64::total_cmp);
            close("p50", lookups.durations.quantile_us(0.5).unwrap(), f64::midpoint(took[9], took[10]));
        }
    }
    assert_eq!(watch.counter(Counter::DnsFull), 0);
    stage.leave();
}

#[test]
fn two_types_on_one_socket_are_one_lookup_until_the_last_answer() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let server: IpAddr = stage.node("b").ipv4.into();
    let _server = Server::start(stage.node("b"), PORT, Some(Duration::from_millis(15)));
    for (style, pod) in pods(&stage) {
        Lookup { types: 2, times: 10 }.run(&stage, &pod, style, server);
        let lookups = counted(&mut watch, &pod, server);
        assert_eq!((lookups.answered, lookups.unanswered), (10, 0), "{style:?}");
    }
    stage.leave();
}

/// The server echoes the question, and with it the code that stands in it.
#[test]
fn answers_are_counted_by_their_code() {
    needs!(DNS_CODES);
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let server = SocketAddr::new(stage.node("b").ipv4.into(), PORT);
    let answering = on_node(stage.node("b"), || UdpSocket::bind(server)).unwrap();
    answering.set_read_timeout(Some(PATIENCE)).unwrap();
    let question = |code| {
        let mut question = QUESTION;
        question[3] = code;
        question
    };
    let rcodes = [(0, DnsCode::NoError), (2, DnsCode::ServFail), (3, DnsCode::NxDomain), (5, DnsCode::Refused)];
    for (style, pod) in pods(&stage) {
        for (times, (rcode, _)) in (1..).zip(rcodes) {
            for number in 0..times {
                // Two types: the worse answer counts, the first or the second.
                let mut questions = [question(rcode), question(0)];
                questions.rotate_left(number % 2);
                let asker = Asker::default();
                let is_answered = scope(|scope| {
                    scope.spawn(|| asker.answer_asleep(&answering, questions.len()));
                    stage.inside(&pod, || asker.ask(style, server, &questions))
                });
                assert!(is_answered, "{style:?}");
            }
        }
        let lookups = counted(&mut watch, &pod, server.ip());
        assert_eq!((lookups.answered, lookups.coded(), lookups.unanswered), (10, 10, 0), "{style:?}");
        for (times, (_, code)) in (1..).zip(rcodes) {
            assert_eq!(lookups.code(code), times, "{style:?} {code:?}");
        }
        assert_eq!(lookups.errors(), 2 + 4, "{style:?}");
    }
    stage.leave();
}

/// glibc's resolver closes its socket when one of two answers doesn't come in time, musl's asks again on the same.
#[test]
fn a_second_answer_that_is_late_or_missing_is_counted() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let server = SocketAddr::new(stage.node("b").ipv4.into(), PORT);
    let answering = on_node(stage.node("b"), || UdpSocket::bind(server)).unwrap();
    let (gives_up, asks_again) = (stage.pod("a", "glibc"), stage.pod("a", "musl"));
    let any: SocketAddr = ([0; 4], 0).into();
    let answer_first = || {
        let (mut from, mut message) = (Vec::new(), [0; 64]);
        (0..2).for_each(|_| from.push(answering.recv_from(&mut message).unwrap().1));
        answering.send_to(&QUESTION, from[0]).unwrap();
    };
    let pause = || sleep(Duration::from_millis(1_100));
    stage.inside(&gives_up, || {
        let socket = UdpSocket::bind(any).unwrap();
        socket.connect(server).unwrap();
        for _ in 0..2 {
            socket.send(&QUESTION).unwrap();
        }
        answer_first();
        socket.recv_from(&mut [0; 64]).unwrap();
        // A timeout, which is what is measured.
        pause();
    });
    stage.inside(&asks_again, || {
        let socket = UdpSocket::bind(any).unwrap();
        for _ in 0..2 {
            socket.send_to(&QUESTION, server).unwrap();
        }
        answer_first();
        socket.recv_from(&mut [0; 64]).unwrap();
        pause();
        socket.send_to(&QUESTION, server).unwrap();
        let (_, from) = answering.recv_from(&mut [0; 64]).unwrap();
        answering.send_to(&QUESTION, from).unwrap();
        socket.recv_from(&mut [0; 64]).unwrap();
    });
    let [gives_up, asks_again] = [gives_up, asks_again].map(|pod| counted(&mut watch, &pod, server.ip()));
    assert_eq!((gives_up.answered, gives_up.unanswered, gives_up.second_missing), (0, 1, 1));
    assert_eq!((asks_again.answered, asks_again.unanswered, asks_again.second_missing), (1, 0, 1));
    stage.leave();
}

#[test]
fn lookups_without_an_answer_are_counted_as_such() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let server: IpAddr = stage.node("b").ipv4.into();
    let _server = Server::start(stage.node("b"), PORT, None);
    for (style, pod) in pods(&stage) {
        for _ in 0..4 {
            let patience = Duration::from_millis(30);
            assert!(!stage.inside(&pod, || style.look_up(SocketAddr::new(server, PORT), 1, patience)));
        }
        let lookups = counted(&mut watch, &pod, server);
        assert_eq!((lookups.answered, lookups.unanswered), (0, 4), "{style:?}");
        assert!(lookups.durations.is_empty(), "what never came has no time");
    }
    stage.leave();
}

/// A tick a second, as in production, until the agent has seen that lookups are many.
fn observe_a_share(watch: &mut Watch) {
    for _ in 0..4 {
        sleep(Duration::from_secs(1));
        watch.read();
    }
}

#[test]
fn on_a_busy_machine_one_socket_in_sixteen_stands_for_the_others() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch_with(Options { dns_above: 0, ..Options::default() });
    let delay = Duration::from_millis(5);
    let _server = Server::start(stage.node("b"), PORT, Some(delay));
    let server: IpAddr = stage.node("b").ipv4.into();
    observe_a_share(&mut watch);
    for (style, pod) in pods(&stage) {
        const TIMES: usize = 800;
        let took = Lookup { types: 1, times: TIMES }.run(&stage, &pod, style, server);
        let lookups = counted(&mut watch, &pod, server);
        // 50 sockets of 800, give or take 4 standard deviations.
        assert!((352..1_248).contains(&lookups.answered), "{style:?}: {lookups:?}");
        assert_eq!(lookups.answered % u64::from(DNS_SHARE), 0, "{style:?}: each has the weight of its share");
        assert_eq!((lookups.unanswered, lookups.durations.count()), (0, lookups.answered), "{style:?}");
        let mut took: Vec<f64> = took.iter().map(|took| took.as_micros() as f64).collect();
        took.sort_by(f64::total_cmp);
        // The median of some 50 of them, on a machine that may be busy.
        let p50 = lookups.durations.quantile_us(0.5).unwrap();
        let (low, high) = (took[TIMES / 4] * 0.9, took[TIMES * 3 / 4] * 1.1);
        assert!((low..=high).contains(&p50), "{style:?}: p50 {p50}, quartiles {low} … {high}");
    }
    stage.leave();
}

#[test]
fn a_lookup_under_way_when_the_share_shrinks_counts_once() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch_with(Options { dns_above: 0, ..Options::default() });
    let server: IpAddr = stage.node("b").ipv4.into();
    let _server = Server::start(stage.node("b"), PORT, Some(Duration::from_secs(6)));
    let pod = stage.pod("a", "slow");
    const AT_ONCE: usize = 40;
    let patience = Duration::from_secs(20);
    stage.inside(&pod, || {
        scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| assert!(Style::Musl.look_up(SocketAddr::new(server, PORT), 1, patience)));
            }
            observe_a_share(&mut watch);
        });
    });
    let lookups = counted(&mut watch, &pod, server);
    assert_eq!((lookups.answered, lookups.unanswered), (AT_ONCE as u64, 0));
    stage.leave();
}

#[test]
fn what_is_no_lookup_over_udp_leaves_no_trace() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let pod = stage.pod("a", "client");
    let server: IpAddr = stage.node("b").ipv4.into();
    let _other = Server::start(stage.node("b"), 5353, Some(Duration::ZERO));
    let _dns = Server::start(stage.node("b"), PORT, Some(Duration::ZERO));
    let listener = on_node(stage.node("b"), || TcpListener::bind((Ipv6Addr::UNSPECIFIED, PORT))).unwrap();
    stage.inside(&pod, || {
        for style in STYLES {
            assert!(style.look_up(SocketAddr::new(server, 5353), 1, PATIENCE));
        }
        let mut tcp = TcpStream::connect((server, PORT)).unwrap();
        tcp.write_all(&QUESTION).unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        accepted.read_exact(&mut [0; QUESTION.len()]).unwrap();
    });
    // Nor what processes outside the agent's subtree do.
    stage.leave();
    on_node(stage.node("a"), || assert!(Style::Glibc.look_up(SocketAddr::new(server, PORT), 1, PATIENCE)));
    watch.read();
    assert!(watch.sums().dns.is_empty(), "{:?}", watch.sums().dns);
}

#[test]
fn what_does_not_fit_is_counted_and_ended_sockets_make_room() -> io::Result<()> {
    let stage = match Stage::open(crate::stage::name_of(|| ()), &["a", "b"]) {
        Some(stage) => stage,
        None => return Ok(()),
    };
    let limits = Limits { cgroups: 4, edges: 16, drops: 16, prefixes: 8 };
    let mut watch = stage.watch_with(Options { limits, ..Options::default() });
    let pod = stage.pod("a", "client");
    let server: IpAddr = stage.node("b").ipv4.into();
    let _server = Server::start(stage.node("b"), PORT, Some(Duration::ZERO));
    let open: Vec<UdpSocket> = stage.inside(&pod, || {
        (0..7)
            .map(|_| {
                let socket = UdpSocket::bind("0.0.0.0:0")?;
                socket.connect((server, PORT))?;
                Ok(socket)
            })
            .collect::<io::Result<_>>()
    })?;
    watch.read();
    assert_eq!(watch.counter(Counter::DnsFull), 3);
    drop(open);
    Lookup { types: 1, times: 12 }.run(&stage, &pod, Style::Go, server);
    let lookups = counted(&mut watch, &pod, server);
    assert_eq!((lookups.answered, lookups.unanswered), (12, 4));
    assert_eq!(watch.counter(Counter::DnsFull), 3, "room again");
    stage.leave();
    Ok(())
}
