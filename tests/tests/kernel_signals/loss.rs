//! Retransmitted segments: in sum what the kernel counted, and each of the right kind.

use crate::{
    mib,
    socket::{Flow, Pair, TcpInfo},
    stage::{LIVING, Options, PATIENCE, Stage, Watch, id, stage, wait_until},
};
use netwhy_abi::{Retransmit, Role};
use netwhy_agent::sample::Tally;
use netwhy_tests::lab::{Node, Pod};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

const TABLE: &str = "loss";

/// Drops what a Node receives by a rule, until healed.
pub(crate) fn drop_at(node: &Node, rule: &str) {
    node.nft(&format!(
        "add table netdev {TABLE}\n\
         add chain netdev {TABLE} c {{ type filter hook ingress device {} priority 0; }}\n\
         add rule netdev {TABLE} c {rule} counter drop\n",
        node.device
    ))
    .unwrap();
}

/// Packets that the rule has dropped.
pub(crate) fn dropped(node: &Node) -> u64 {
    let rules = node.run(&["nft", "list", "table", "netdev", TABLE]).unwrap();
    let (_, after) = rules.split_once("counter packets ").unwrap();
    after.split(' ').next().unwrap().parse().unwrap()
}

/// Takes the rule away.
pub(crate) fn heal(node: &Node) {
    node.nft(&format!("delete table netdev {TABLE}")).unwrap();
}

/// Connects with a pinned congestion control, because the machine's default would decide what is retransmitted.
fn connect_cubic(stage: &Stage, client: &Pod, listener: &std::net::TcpListener, to: std::net::SocketAddr) -> Pair {
    let pair = Pair::open(stage, client, listener, to);
    rustix::net::sockopt::set_tcp_congestion(&pair.client, "cubic").unwrap();
    pair
}

fn retransmitted(stage: &Stage) -> u64 {
    stage.lab.net().nodes().iter().map(|node| mib::read(node, "Tcp", "RetransSegs")).sum()
}

pub(crate) fn out_segments(stage: &Stage) -> u64 {
    stage.lab.net().nodes().iter().map(|node| mib::read(node, "Tcp", "OutSegs")).sum()
}

fn kind(tally: &Tally, kind: Retransmit) -> u64 {
    tally.retransmits[kind as usize]
}

/// Bulk data through loss, several connections one after the other; returns what was counted.
fn bulk_through_loss(stage: &Stage, watch: &mut Watch, percent: f64) -> Tally {
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let b = stage.node("b");
    drop_at(b, &format!("meta l4proto tcp numgen random mod 10000 < {}", (percent * 100.0) as u64));
    for _ in 0..3 {
        let mut pair = connect_cubic(stage, &client, &listener, to);
        pair.bulk(6 << 20);
        watch.read();
        pair.bulk(6 << 20);
        pair.finish();
    }
    heal(b);
    watch.read();
    watch.all()
}

fn is_exact_under_loss(stage: &Stage, percent: f64) -> Tally {
    let mut watch = stage.watch();
    let counted = bulk_through_loss(stage, &mut watch, percent);
    assert_eq!(counted.retransmitted(), retransmitted(stage), "{:?}", counted.retransmits);
    // The kernel skips a program that interrupts itself on a CPU: such a retransmission is found by the next harvest.
    let late = kind(&counted, Retransmit::Unclassified);
    assert!(
        late * 20 <= counted.retransmitted(),
        "all but a few were seen as they happened: {:?}",
        counted.retransmits
    );
    assert!(counted.loss_episodes >= 1);
    assert!(counted.loss_episodes <= counted.retransmitted_data(), "{counted:?}");
    counted
}

#[test]
fn retransmitted_segments_equal_the_kernels_count_when_offloaded_bursts_are_lost() {
    let stage = stage!("a", "b");
    let counted = is_exact_under_loss(&stage, 1.0);
    // One lost packet is many lost segments, and one episode.
    assert!(counted.loss_episodes * 2 < counted.retransmitted_data(), "{counted:?}");
}

#[test]
fn retransmitted_segments_equal_the_kernels_count_when_single_packets_are_lost() {
    let stage = stage!("a", "b");
    for node in stage.lab.net().nodes() {
        node.run(&["ip", "link", "set", "dev", node.device, "gso_max_segs", "1"]).unwrap();
    }
    let counted = is_exact_under_loss(&stage, 1.0);
    assert!(kind(&counted, Retransmit::Fast) * 2 > counted.retransmitted(), "mostly fast: {:?}", counted.retransmits);
    // 36 MB are 26,000 segments; 1 % is 260.
    let ratio = counted.retransmit_ratio().unwrap();
    assert!((0.005..0.03).contains(&ratio), "{ratio}");
}

/// OutSegs counts SYN-ACKs, which no socket sends, and leaves retransmissions out. Without a retransmission the counts
/// are equal.
#[track_caller]
pub(crate) fn agrees_with_out_segs(stage: &Stage, counted: &Tally) {
    let synacks = counted.connects(Role::Server) + kind(counted, Retransmit::SynAck);
    let by_sockets = counted.segs_out - (counted.retransmitted() - kind(counted, Retransmit::SynAck));
    let (out, expected) = (out_segments(stage), by_sockets + synacks);
    // A socket in TIME_WAIT acknowledges a repeated FIN: at most once for each retransmission.
    assert!((expected..=expected + counted.retransmitted()).contains(&out), "{out} against {expected}");
    assert!(out - expected <= 8, "{out} against {expected}");
}

#[test]
fn segments_sent_agree_with_the_kernels_out_segs() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    for n in 0..10 {
        let mut pair = Pair::open(&stage, &client, &listener, to);
        pair.bulk(100_000 * n + 1);
        pair.finish();
    }
    watch.read();
    let counted = watch.all();
    // A busy machine may delay an ACK until a tail loss probe is sent.
    assert_eq!(counted.retransmitted(), retransmitted(&stage));
    agrees_with_out_segs(&stage, &counted);
}

#[test]
fn segments_sent_agree_with_the_kernels_out_segs_under_loss() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let counted = bulk_through_loss(&stage, &mut watch, 0.5);
    agrees_with_out_segs(&stage, &counted);
}

#[test]
fn a_blackhole_makes_a_probe_and_timeouts_and_one_episode_each() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let mut pair = connect_cubic(&stage, &client, &listener, to);
    (0..10).for_each(|_| pair.exchange(1_000, 1_000));
    let b = stage.node("b");
    drop_at(b, "meta l4proto tcp");
    pair.client.write_all(&[0; 1_000]).unwrap();
    wait_until("three retransmissions", || TcpInfo::of(&pair.client).total_retrans >= 3);
    watch.read();
    let info = TcpInfo::of(&pair.client);
    let counted = watch.of(id(&client));
    assert_eq!(counted.retransmitted(), u64::from(info.total_retrans));
    assert_eq!(kind(&counted, Retransmit::TailLossProbe), 1, "{:?}", counted.retransmits);
    assert!(kind(&counted, Retransmit::Timeout) >= 2, "{:?}", counted.retransmits);
    assert_eq!(kind(&counted, Retransmit::Fast), 0, "{:?}", counted.retransmits);
    // Timeouts are further apart than a round trip: each is news.
    assert_eq!(counted.loss_episodes, counted.retransmitted());
    heal(b);
    pair.server.read_exact(&mut [0; 1_000]).unwrap();
    let (at_client, _) = pair.finish();
    watch.read();
    assert_eq!(Flow::from(watch.of(id(&client))), at_client);
    assert_eq!(watch.all().retransmitted(), retransmitted(&stage));
}

#[test]
fn what_was_sent_again_for_nothing_is_spurious() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let mut pair = connect_cubic(&stage, &client, &listener, stage.address(&server, &listener));
    (0..10).for_each(|_| pair.exchange(1_000, 1_000));
    send_twice(&stage, &mut pair);
    if LIVING.is_lacking() {
        // Known when the socket ends.
        wait_until("the duplicate arrives", || mib::read(stage.node("a"), "TcpExt", "TCPDSACKRecv") >= 1);
        pair.finish();
    }
    wait_until("the duplicate is reported", || {
        watch.read();
        kind(&watch.of(id(&client)), Retransmit::Spurious) >= 1
    });
    agree(&stage, &mut watch);
    let counted = watch.of(id(&client));
    assert!(kind(&counted, Retransmit::Spurious) <= counted.retransmitted(), "a subset: {:?}", counted.retransmits);
}

/// Compares retransmissions with the kernel's count, in a moment without any.
#[track_caller]
fn agree(stage: &Stage, watch: &mut Watch) {
    let end = Instant::now() + PATIENCE;
    loop {
        let kernel = retransmitted(stage);
        watch.read();
        let counted = watch.all();
        if kernel == retransmitted(stage) {
            assert_eq!(counted.retransmitted(), kernel, "{:?}, skipped runs {:?}", counted.retransmits, watch.missed());
            return;
        }
        assert!(Instant::now() < end, "retransmissions without end: {kernel}");
    }
}

/// The data arrives, its acknowledgement is lost: what the client sends again the server has, and says so.
fn send_twice(stage: &Stage, pair: &mut Pair) {
    let a = stage.node("a");
    drop_at(a, "meta l4proto tcp");
    pair.client.write_all(&[0; 1_000]).unwrap();
    pair.server.read_exact(&mut [0; 1_000]).unwrap();
    // A busy machine may take longer to deliver it than to heal the path.
    wait_until("the acknowledgement is lost", || dropped(a) > 0);
    heal(a);
}

/// Packets that overtake each other cause bursts of both, and look like loss until the peer reports that it had all.
#[test]
fn what_was_sent_for_nothing_is_known_when_the_next_is_sent_again() {
    let stage = stage!("a", "b");
    let never = Duration::from_secs(3600);
    let mut watch = stage.watch_with(Options { rtt_every: 1 << 30, walk_min_interval: never, ..Options::default() });
    watch.read();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let mut pair = connect_cubic(&stage, &client, &listener, stage.address(&server, &listener));
    (0..10).for_each(|_| pair.exchange(1_000, 1_000));
    let reported = || mib::read(stage.node("a"), "TcpExt", "TCPDSACKRecv");
    for n in 1..=2 {
        send_twice(&stage, &mut pair);
        wait_until("the duplicate is reported", || reported() >= n);
    }
    agree(&stage, &mut watch);
    let counted = watch.of(id(&client));
    let spurious = kind(&counted, Retransmit::Spurious);
    if LIVING.is_lacking() {
        assert_eq!(spurious, 0, "known when the socket ends");
        pair.finish();
        watch.read();
        assert_eq!(kind(&watch.of(id(&client)), Retransmit::Spurious), reported());
        return;
    }
    assert!(spurious >= 1 && spurious < reported(), "those of before the last: {:?}", counted.retransmits);
}

/// Later packets overtake one that still waits in the Node's own queue: TCP takes it for lost, finds it in the queue,
/// and sends nothing. Since 6.18 the tracepoint fires for that too.
#[test]
fn what_still_waits_to_be_sent_is_no_loss() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let mut pair = connect_cubic(&stage, &client, &listener, stage.address(&server, &listener));
    pair.client.set_nodelay(true).unwrap();
    (0..10).for_each(|_| pair.exchange(1_000, 1_000));
    let a = stage.node("a");
    let tc = |line: &str| a.run(&line.split(' ').collect::<Vec<_>>()).unwrap();
    tc(&format!("tc qdisc add dev {} root handle 1: htb default 0", a.device));
    tc(&format!("tc class add dev {} parent 1: classid 1:3 htb rate 10gbit quantum 60000", a.device));
    tc(&format!("tc qdisc add dev {} parent 1:3 tbf rate 8kbit burst 1600 limit 100k", a.device));
    // The first of the two uses up the burst, the second waits for half a second.
    a.nft(
        "add table inet slow\n\
         add chain inet slow c { type filter hook output priority 0; }\n\
         add rule inet slow c meta length > 900 limit rate 1/hour burst 2 packets meta priority set 1:3\n",
    )
    .unwrap();
    let waiting = || mib::read(a, "TcpExt", "TCPSpuriousRtxHostQueues");
    wait_until("one that waits is taken for lost", || {
        (0..10).for_each(|_| pair.client.write_all(&[0; 1_000]).unwrap());
        pair.server.read_exact(&mut [0; 10_000]).unwrap();
        waiting() > 0
    });
    watch.read();
    let counted = watch.of(id(&client));
    assert_eq!(counted.retransmitted(), retransmitted(&stage), "{:?}", counted.retransmits);
    assert!(counted.loss_episodes <= counted.retransmitted(), "{} in {:?}", counted.loss_episodes, counted.retransmits);
}

/// A connection attempt whose packets by `rule` are lost at a Node until `enough`.
fn handshake_through_loss(stage: &Stage, node: &str, rule: &str, enough: impl Fn(&Stage) -> bool) -> (TcpStream, Pair) {
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let node = stage.node(node);
    drop_at(node, rule);
    let pair = std::thread::scope(|scope| {
        let connecting = scope.spawn(|| stage.connect(&client, to).unwrap());
        wait_until("enough is lost", || enough(stage));
        heal(node);
        Pair::of(connecting.join().unwrap(), &listener)
    });
    (pair.client.try_clone().unwrap(), pair)
}

#[test]
fn lost_syns_are_retransmissions_of_the_client() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let lost = |stage: &Stage| mib::read(stage.node("a"), "Tcp", "RetransSegs") >= 1;
    let (_, mut pair) = handshake_through_loss(&stage, "b", "meta l4proto tcp", lost);
    pair.exchange(10, 10);
    watch.read();
    let counted = watch.all();
    let kernel = retransmitted(&stage);
    assert!(kernel >= 1);
    assert_eq!(
        (counted.retransmitted(), kind(&counted, Retransmit::Syn)),
        (kernel, kernel),
        "{:?}",
        counted.retransmits
    );
    assert_eq!(counted.loss_episodes, 0, "episodes are of data");
    pair.finish();
    watch.read();
    assert_eq!(watch.all().retransmitted(), kernel, "nor again when it closes");
}

#[test]
fn lost_synacks_are_retransmissions_of_the_server() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let lost = |stage: &Stage| mib::read(stage.node("b"), "Tcp", "RetransSegs") >= 1;
    let (_, mut pair) = handshake_through_loss(&stage, "a", "meta l4proto tcp", lost);
    pair.exchange(10, 10);
    watch.read();
    let of = |watch: &Watch, pod: &str, kind: Retransmit| {
        watch.of(id(&stage.pod(if pod == "client" { "a" } else { "b" }, pod))).retransmits[kind as usize]
    };
    let by_server = mib::read(stage.node("b"), "Tcp", "RetransSegs");
    let by_client = mib::read(stage.node("a"), "Tcp", "RetransSegs");
    assert_eq!(
        (of(&watch, "client", Retransmit::Syn), of(&watch, "server", Retransmit::SynAck)),
        (by_client, by_server),
        "{:?}, the programs' counters {:?}",
        watch.all().retransmits,
        watch.last.counters
    );
    assert_eq!(watch.all().retransmitted(), by_client + by_server, "not again by the accepted socket");
    pair.finish();
    watch.read();
    assert_eq!(watch.all().retransmitted(), by_client + by_server, "nor when it closes");
}
