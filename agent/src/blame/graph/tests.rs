use super::*;

#[test]
fn rows_are_found_by_sender_receiver_and_pair() {
    let mut fleet = Fleet::new();
    let ends: Vec<EndId> = (0..4).map(|i| fleet.node(&i.to_string(), None)).collect();
    // Unsorted, twice the same pair, and one without a path.
    for (from, to) in [(2, 1), (0, 3), (0, 1), (2, 1), (1, 0), (3, 3)] {
        fleet.push(Edge::new(ends[from], ends[to], 1, 0));
    }
    let graph = Graph::new(&fleet);
    assert_eq!(graph.outgoing(ends[0]), [2, 1]);
    assert_eq!(graph.incoming(ends[1]), [0, 2, 3]);
    assert_eq!(graph.between(ends[2], ends[1]), [0, 3]);
    assert_eq!(graph.between(ends[1], ends[2]), [] as [u32; 0]);
    assert_eq!(graph.rows().count(), 5);
}
