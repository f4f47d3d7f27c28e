use super::*;
use crate::{
    api::{Blame, Suspect},
    plugin::model::testing::hint,
};

fn of(blame: Blame) -> Vec<String> {
    let hint = Hint { blame, ..hint("shop", "cart-1", "path_loss") };
    culprits(&hint).iter().map(ToString::to_string).collect()
}

#[test]
fn only_pods_with_a_name_are_culprits() {
    assert_eq!(of(Blame::named(BlameKind::Pod, "cart-1", 0.9)), ["shop/cart-1"]);
    assert_eq!(of(Blame::named(BlameKind::PeerPod, "db/db-0", 0.9)), ["db/db-0"]);
    for (kind, name) in [
        (BlameKind::PeerPod, "10.0.0.7"),
        (BlameKind::PeerPod, "db/../secrets"),
        (BlameKind::PeerPod, "/db-0"),
        (BlameKind::PeerPod, "db/db-0?x"),
        (BlameKind::Node, "node-a"),
        (BlameKind::PeerNode, "node-b"),
        (BlameKind::External, "1.1.1.1"),
    ] {
        assert_eq!(of(Blame::named(kind, name, 0.9)), [""; 0], "{name}");
    }
    assert_eq!(of(Blame::nobody()), [""; 0]);
}

#[test]
fn while_undecided_the_pods_among_the_candidates_are() {
    let suspect = |kind, name: &str| Suspect::new(kind, name, 0.2);
    let mut alternatives = vec![suspect(BlameKind::PeerNode, "node-b"), suspect(BlameKind::Pod, "cart-1")];
    alternatives.extend((0..5).map(|n| suspect(BlameKind::PeerPod, &format!("db/db-{n}"))));
    let blame = Blame { alternatives, ..Blame::named(BlameKind::Undecided, "", 0.0) };
    assert_eq!(of(blame), ["shop/cart-1", "db/db-0", "db/db-1"]);
}
