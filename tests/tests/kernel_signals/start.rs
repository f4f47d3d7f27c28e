//! The time between attaching the programs and the first walk.

use crate::{
    loss::{drop_at, heal},
    mib,
    socket::{Flow, Pair, TcpInfo},
    stage::{Options, Watch, id, needs, since, stage, wait_until},
};
use netwhy_agent::api::{ProbeState, ProbeStatus, Refusal};
use std::io::{Read as _, Write as _};

/// An old connection that is busy, one that loses data, and one that ends; and one that lives between the two.
#[test]
fn sockets_older_than_the_agent_bring_nothing_of_their_past() {
    needs!(LIVING);
    let stage = stage!("a", "b");
    let (client, server, new) = (stage.pod("a", "client"), stage.pod("b", "server"), stage.pod("a", "new"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let [mut busy, mut ends, mut lossy] = [(); 3].map(|()| Pair::open(&stage, &client, &listener, to));
    rustix::net::sockopt::set_tcp_congestion(&lossy.client, "cubic").unwrap();
    for pair in [&mut busy, &mut ends, &mut lossy] {
        (0..100).for_each(|_| pair.exchange(1_000, 1_000));
    }
    let b = stage.node("b");
    // The past of the third: a loss.
    drop_at(b, "meta l4proto tcp");
    lossy.client.write_all(&[0; 1_000]).unwrap();
    wait_until("a retransmission", || TcpInfo::of(&lossy.client).total_retrans >= 1);
    heal(b);
    lossy.server.read_exact(&mut [0; 1_000]).unwrap();
    let past = mib::read(stage.node("a"), "Tcp", "RetransSegs");
    let before = Flow::of(&busy.client);
    let (mut at_new, mut left) = (Flow::default(), None);
    // All segments give a sample, so that every socket is seen.
    let options = Options { rtt_every: 1, ..Options::default() };
    let mut watch = Watch::begin(stage.lab.cgroups().root(), options, || {
        (0..100).for_each(|_| busy.exchange(1_000, 1_000));
        drop_at(b, "meta l4proto tcp");
        lossy.client.write_all(&[0; 1_000]).unwrap();
        wait_until("one more", || mib::read(stage.node("a"), "Tcp", "RetransSegs") > past);
        heal(b);
        lossy.server.read_exact(&mut [0; 1_000]).unwrap();
        ends.finish();
        let mut short = Pair::open(&stage, &new, &listener, to);
        short.exchange(3_000, 100);
        at_new += short.finish().0;
        let mut long = Pair::open(&stage, &new, &listener, to);
        (0..100).for_each(|_| long.exchange(1_000, 1_000));
        left = Some(long);
    });
    watch.read();
    let counted = watch.of(id(&client));
    let news = Flow::of(&busy.client) - before;
    let kernel = mib::read(stage.node("a"), "Tcp", "RetransSegs") - past;
    // The third sent one segment, and on a slow machine more than once.
    assert!(counted.data_segs_out <= news.data_segs_out + 1 + kernel, "{} of {news:?}", counted.data_segs_out);
    assert!(counted.bytes_received <= news.bytes_received, "{} of {news:?}", counted.bytes_received);
    assert_eq!(counted.retransmitted_data(), kernel, "{:?}", counted.retransmits);
    at_new += left.unwrap().finish().0;
    watch.read();
    assert_eq!(Flow::from(watch.of(id(&new))), at_new, "connections that began meanwhile count whole");
}

/// A program that the verifier refuses costs its signal, silently for whoever reads counts alone.
#[test]
fn all_probes_load_whole() {
    since!(6, 12);
    let stage = stage!("a");
    let watch = stage.watch();
    // Some kernels refuse one of the iterators to everybody, or what HTTP needs; their tests assert what is said then.
    let is_policy = |probe: &ProbeStatus| {
        let is_said = ["mptcp", "http"].contains(&probe.name.as_str());
        is_said && probe.state == ProbeState::Unsupported && probe.refusal != Some(Refusal::Other)
    };
    let refused =
        watch.source.loaded().probes.iter().filter(|probe| probe.state != ProbeState::Ok && !is_policy(probe));
    assert_eq!(refused.collect::<Vec<_>>(), Vec::<&ProbeStatus>::new());
    assert_eq!(watch.source.loaded().lacks, Vec::<&str>::new());
}
