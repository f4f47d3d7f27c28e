//! Dropped packets: by the kernel's reason, for the cgroup whose packets they were.

use crate::{
    socket::Pair,
    stage::{id, needs, stage, wait_until},
};
use netwhy_abi::DropKey;
use std::io::{Read as _, Write as _};

#[test]
fn packets_that_netfilter_drops_on_their_way_out_belong_to_their_sockets_cgroup() {
    needs!(DROPS);
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let names = watch.source.loaded().drop_reasons.clone();
    let Some(reason) = names.iter().position(|name| name == "netfilter_drop") else {
        println!("SKIP {}: machine: this kernel tells no drop reasons", crate::stage::name_of(|| ()));
        return;
    };
    let (client, other, server) = (stage.pod("a", "client"), stage.pod("a", "other"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let mut pair = Pair::open(&stage, &client, &listener, to);
    let mut spared = Pair::open(&stage, &other, &listener, to);
    pair.exchange(100, 100);
    let a = stage.node("a");
    let port = pair.client.local_addr().unwrap().port();
    a.nft(&format!(
        "add table ip out\nadd chain ip out c {{ type filter hook output priority 0; }}\n\
         add rule ip out c tcp sport {port} counter drop\n"
    ))
    .unwrap();
    pair.client.write_all(&[0; 100]).unwrap();
    spared.exchange(1_000, 1_000);
    let dropped = || -> u64 {
        let rules = a.run(&["nft", "list", "table", "ip", "out"]).unwrap();
        let (_, after) = rules.split_once("counter packets ").unwrap();
        after.split(' ').next().unwrap().parse().unwrap()
    };
    wait_until("it is tried again, and dropped again", || dropped() >= 3);
    let dropped = dropped();
    a.nft("delete table ip out").unwrap();
    pair.server.read_exact(&mut [0; 100]).unwrap();
    watch.read();
    let counted =
        |cgroup| watch.sums().drops.get(&DropKey { cgroup, reason: reason as u32, pad: 0 }).copied().unwrap_or(0);
    // Between the listing and the deletion one more may have fallen.
    assert!((dropped..=dropped + 1).contains(&counted(id(&client))), "{dropped} against {:?}", watch.sums().drops);
    assert_eq!((counted(id(&other)), counted(id(&server))), (0, 0));
}

#[test]
fn what_unix_sockets_leave_unread_is_no_packet() {
    needs!(DROPS);
    let stage = stage!("a");
    let mut watch = stage.watch();
    let pod = stage.pod("a", "pod");
    stage.inside(&pod, || {
        for _ in 0..100 {
            let (mut one, other) = std::os::unix::net::UnixStream::pair().unwrap();
            one.write_all(&[0; 10]).unwrap();
            drop(other);
        }
    });
    stage.leave();
    watch.read();
    let dropped: Vec<_> = watch.sums().drops.iter().filter(|(key, _)| key.cgroup == id(&pod)).collect();
    assert!(dropped.is_empty(), "{dropped:?}");
}
