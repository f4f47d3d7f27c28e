use crate::{
    api::BlameKind,
    hints::testing::{Case, Run, verdict},
};
use netwhy_abi::{Retransmit, Role};

const PEERS: [&str; 4] = ["10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10"];

/// Timers of open connections back off, so that one stays silent when others have recovered. Of those, a server had
/// nothing to lose meanwhile: no request came.
#[test]
fn a_server_that_answers_does_not_acquit_the_node_of_a_silent_peer() {
    let mut normal = Case::mesh(&["cart", "api"], &PEERS);
    for edge in &mut normal.edges {
        let is_there = edge.peer.octets()[15] < 9;
        (edge.peer_node, edge.role) = (is_there.then(|| "node-b".into()), Some(Role::Client));
    }
    normal.edges.retain(|edge| edge.peer.octets()[15] != if edge.subject.name == "cart" { 8 } else { 7 });
    let silent = |role: Role| {
        let mut normal = normal.clone();
        normal.edge("api", PEERS[1]).role = Some(role);
        let dead = normal.with("cart", PEERS[0], |t| {
            (t.bytes_acked, t.bytes_received, t.connects) = (0, 0, [0, 0]);
            t.retransmits[Retransmit::Timeout as usize] = 4;
        });
        Run::warm(&normal).expect_one(&dead)
    };
    let hint = silent(Role::Server);
    assert_eq!(verdict(&hint), ("peer_unreachable", BlameKind::Undecided, ""));
    assert!(hint.blame.mentions("node-b"), "{:?}", hint.blame);
    assert_eq!(verdict(&silent(Role::Client)), ("peer_unreachable", BlameKind::PeerPod, "10.0.0.7"));
}
