use super::*;
use crate::metrics::fixture;
use std::net::Ipv4Addr;

#[test]
fn edges_to_one_node_are_one_row_that_sums_them() {
    let mut view = fixture::view(vec![fixture::busy_pod("shop", "a-1"), fixture::busy_pod("shop", "a-2")]);
    let mut stranger = view.edges[0].clone();
    stranger.peer_node = None;
    view.edges.push(stranger);
    let rows = peers(&view, &BTreeSet::new(), |_| true);
    let of = |peer: Option<&str>| rows.iter().find(|r| r.peer_node.as_deref() == peer).unwrap();
    assert_eq!(rows.len(), 2);
    let (b, unknown) = (of(Some("node-b")), of(None));
    assert_eq!((b.edges, b.subjects, unknown.edges), (2, 2, 1));
    assert_eq!((b.sending_edges, b.lossy_edges), (2, 2));
    assert_eq!(b.segments_sent, 2 * unknown.segments_sent);
    assert_eq!(b.loss_episodes, 2 * unknown.loss_episodes);
    assert_eq!(b.min_rtt_seconds, unknown.min_rtt_seconds, "the lowest is no sum");
    assert_eq!((b.loss_baseline, b.min_rtt_baseline), (None, None), "nothing was learnt");
    let of_one: u64 = peers(&view, &BTreeSet::new(), |s| s.name == "a-2").iter().map(|r| r.edges).sum();
    assert_eq!(of_one, 1);
}

#[test]
fn what_is_normal_is_weighted_by_traffic_and_the_lowest_of_paths() {
    let mut view = fixture::view(vec![fixture::busy_pod("shop", "a-1"), fixture::busy_pod("shop", "a-2")]);
    for (edge, (segments, ratio, usual_us)) in view.edges.iter_mut().zip([(100, 0.01, 300.0), (300, 0.05, 200.0)]) {
        edge.window.data_segs_out = segments;
        edge.usual.loss_ratio = Some(ratio);
        edge.usual.path = Some(PathRtt { now_us: 2_000.0 + usual_us, usual_us });
    }
    let row = peers(&view, &BTreeSet::new(), |_| true).remove(0);
    assert!((row.loss_baseline.unwrap() - 0.04).abs() < 1e-12);
    assert_eq!(row.min_rtt_baseline, Some(RttBaseline { now_seconds: 2.2e-3, usual_seconds: 2e-4 }));
    assert_eq!(row.excused, Excused::default());
    view.edges[1].usual.is_excused = true;
    let excused = peers(&view, &BTreeSet::new(), |_| true).remove(0).excused;
    let lossy_edges = u64::from(view.edges[1].window.loss_episodes > 0);
    assert_eq!((excused.sending_edges, excused.lossy_edges, excused.segments_sent), (1, lossy_edges, 300));
    assert_eq!(excused.loss_episodes, view.edges[1].window.loss_episodes);
    // One that sent without a baseline leaves the sum unknown; one that sent nothing does not.
    view.edges[0].usual.loss_ratio = None;
    assert_eq!(peers(&view, &BTreeSet::new(), |_| true).remove(0).loss_baseline, None);
    view.edges[0].window.data_segs_out = 0;
    assert_eq!(peers(&view, &BTreeSet::new(), |_| true).remove(0).loss_baseline, Some(0.05));
}

#[test]
fn addresses_that_are_asked_for_have_rows_of_their_own() {
    let mut view = fixture::view(vec![fixture::busy_pod("shop", "a-1"), fixture::busy_pod("shop", "a-2")]);
    let wanted = IpAddr::from([10, 9, 9, 9]);
    view.edges[1].peer = Ipv4Addr::new(10, 9, 9, 9).to_ipv6_mapped();
    let rows = peers(&view, &[wanted].into(), |_| true);
    let of = |peer: Option<&str>| rows.iter().find(|row| row.peer.as_deref() == peer).unwrap();
    assert_eq!((rows.len(), of(Some("10.9.9.9")).edges, of(None).edges), (2, 1, 1));
    assert_eq!(of(Some("10.9.9.9")).peer_node, of(None).peer_node);
    // Behind a redirect is somebody else.
    view.edges[1].redirected = true;
    assert_eq!(peers(&view, &[wanted].into(), |_| true).len(), 1);
}
