use crate::join::fixture::{join, snapshot};

#[test]
fn the_busiest_edges_are_shown_and_all_count_for_their_subject() {
    let mut join = join(1);
    // Those with even numbers are as busy.
    let sent = |peer: u8| if peer.is_multiple_of(2) { 50 } else { u64::from(peer) };
    let rows: Vec<(u64, u8, u64)> = (1..=12).map(|peer| (1, peer, sent(peer))).collect();
    let mut snapshot = snapshot(1, &rows, true);
    for (_, edge) in &mut snapshot.tables.edges.rows {
        edge.segs_out = edge.data_segs_out;
    }
    snapshot.tables.edges.rows[0].1.loss_episodes = 1;
    // The order of the rows is that of a hash map.
    snapshot.tables.edges.rows.reverse();
    let view = join.take(&snapshot);
    let peers: Vec<u8> = view.edges.iter().map(|edge| edge.peer.octets()[15]).collect();
    assert_eq!(peers, [1, 2, 4, 6, 8, 10, 12, 11]);
    let window = &view.subjects[0].window;
    assert_eq!((window.data_segs_out, window.loss_episodes), (336, 1));
}

/// Spurious retransmissions of timers began no loss.
#[test]
fn needless_episodes_count_neither_for_an_edge_nor_for_its_subject() {
    let mut join = join(1);
    let mut snapshot = snapshot(1, &[(1, 1, 100), (1, 2, 100)], true);
    for (_, edge) in &mut snapshot.tables.edges.rows {
        edge.loss_episodes = 3;
        edge.retransmits[netwhy_abi::Retransmit::Timeout as usize] = 2;
        edge.retransmits[netwhy_abi::Retransmit::Spurious as usize] = 2;
    }
    let view = join.take(&snapshot);
    assert_eq!(view.edges.iter().map(|edge| edge.window.loss_episodes).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(view.subjects[0].window.loss_episodes, 2);
}
