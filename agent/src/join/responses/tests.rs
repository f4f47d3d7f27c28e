use super::super::fixture::{join, snapshot};
use crate::{
    sample::{Losses, Snapshot},
    state::NodeView,
};
use netwhy_abi::{EdgeKey, EdgeStats, ResponseStats, Role, fine_bucket_index};
use std::{net::Ipv4Addr, time::Duration};

const SECOND: u64 = 1_000_000_000;

fn key(cgroup: u64, peer: u8, role: Role) -> EdgeKey {
    let addr = Ipv4Addr::new(10, 0, 0, peer).to_ipv6_mapped().octets();
    EdgeKey { port: 80, role: EdgeKey::role_number(Some(role)), ..EdgeKey::new(cgroup, addr) }
}

/// So many requests of 5 ms so far.
fn answered(n: u32) -> ResponseStats {
    let mut row = ResponseStats {
        unread_us: u64::from(n) * 1_000,
        application_us: u64::from(n) * 4_000,
        ..netwhy_abi::Zero::ZERO
    };
    row.durations.buckets[fine_bucket_index(5_000)] = n;
    row.durations.sum = u64::from(n) * 5_000;
    row
}

/// A snapshot of two containers of one Pod, which are servers. The walk of this second found so many requests that
/// wait.
fn servers(at: u64, requests: u32, waiting: u32) -> Snapshot {
    let mut snapshot = snapshot(at, &[(1, 9, 0), (2, 9, 0)], true);
    for group in &mut snapshot.groups {
        group.path = Some("/pod".into());
    }
    snapshot.walked_at = Some(Duration::from_secs(at));
    snapshot.tables.edges.rows.clear();
    for cgroup in [1, 2] {
        let key = key(cgroup, 9, Role::Server);
        let mut edge = EdgeStats { data_segs_out: u64::from(requests), ..EdgeStats::ZERO };
        edge.unanswered_now.add(at as u32, at * SECOND, waiting);
        snapshot.tables.edges.rows.push((key, edge));
        snapshot.tables.responses.rows.push((key, answered(requests)));
    }
    snapshot
}

fn server(view: &NodeView) -> (u64, Option<(u64, u64)>) {
    let server = view.subjects[0].server.as_ref().unwrap();
    (server.window.durations.count(), server.waiting.map(|w| (w.requests, w.since.as_secs())))
}

#[test]
fn response_times_are_the_edges_and_the_servers() {
    let mut join = join(1);
    let view = join.take(&servers(1, 3, 0));
    assert_eq!(server(&view), (6, None));
    let [edge] = view.edges.as_slice() else { panic!("{:?}", view.edges) };
    let times = edge.responses.as_ref().unwrap();
    assert_eq!((times.window.durations.count(), times.window.unread_us, times.waiting), (6, 6_000, None));
    assert_eq!(edge.role, Some(Role::Server));
    assert!(times.normal.is_none() && view.walked_at.is_some());
}

#[test]
fn what_a_client_waits_for_is_not_its_own_time_as_a_server() {
    let mut join = join(1);
    let mut snapshot = servers(1, 3, 0);
    let asked = key(1, 7, Role::Client);
    let edge = EdgeStats { data_segs_out: 5, ..EdgeStats::ZERO };
    snapshot.tables.edges.rows.push((asked, edge));
    snapshot.tables.responses.rows.push((asked, answered(5)));
    let view = join.take(&snapshot);
    assert_eq!(server(&view).0, 6);
    let client = view.edges.iter().find(|edge| edge.role == Some(Role::Client)).unwrap();
    assert_eq!(client.responses.as_ref().unwrap().window.durations.count(), 5);
}

#[test]
fn a_request_that_waits_keeps_its_edge_after_the_window_and_its_time() {
    let mut join = join(1);
    join.take(&servers(1, 3, 0));
    for at in 2..30 {
        join.take(&servers(at, 3, 2));
    }
    let view = join.take(&servers(30, 3, 2));
    assert_eq!(server(&view), (0, Some((4, 2))));
    let [edge] = view.edges.as_slice() else { panic!("{:?}", view.edges) };
    assert_eq!((edge.window.data_segs_out, edge.responses.as_ref().unwrap().waiting.unwrap().requests), (0, 4));
    assert_eq!(view.subjects[0].unanswered, [0, 4]);
    // Answered: it is as quiet as before.
    let view = join.take(&servers(31, 3, 0));
    assert!(view.edges.is_empty() && view.subjects[0].server.is_none());
    // The next one begins anew.
    let view = join.take(&servers(32, 3, 1));
    assert_eq!(server(&view), (0, Some((2, 32))));
}

/// One container has traffic, and another one only requests that wait. Walks are so rare that losses count from walk to
/// walk.
#[test]
fn a_container_that_only_waits_hides_no_losses_of_another_one() {
    let mut join = join(1);
    let at = |at: u64, sent: u64| {
        let mut snapshot = servers(at, 3, 0);
        let [(_, waits), (_, sends)] = snapshot.tables.edges.rows.as_mut_slice() else { panic!("two containers") };
        waits.unanswered_now.add(at as u32, at * SECOND, 2);
        sends.data_segs_out = sent;
        snapshot
    };
    join.take(&at(1, 3));
    let view = join.take(&at(21, 23));
    let [edge] = view.edges.as_slice() else { panic!("{:?}", view.edges) };
    assert_eq!((edge.window.data_segs_out, edge.walked), (20, Some(Losses { episodes: 0, segments: 20 })));
    assert_eq!(edge.responses.as_ref().unwrap().waiting.unwrap().requests, 2);
    assert_eq!(server(&view), (0, Some((2, 1))));
}
