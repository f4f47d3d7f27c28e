use super::super::testing::hint;
use super::*;
use crate::api::{Blame, Suspect};

fn blames(mut hint: Hint, kind: BlameKind, name: &str) -> Hint {
    hint.blame = Blame::named(kind, name, 0.99);
    hint
}

#[test]
fn a_slow_peer_is_followed_to_its_own_cause() {
    let symptom = blames(hint("shop", "cart-1", "peer_slow"), BlameKind::PeerPod, "shop/db-0");
    let cause = blames(hint("shop", "db-0", "pod_cpu_throttled"), BlameKind::Pod, "db-0");
    let other = blames(hint("shop", "web-1", "pod_cpu_throttled"), BlameKind::Pod, "web-1");
    let all = [other, cause];
    let causes: Vec<&str> = follow(&symptom, &all).iter().map(|h| h.cause.as_str()).collect();
    assert_eq!(causes, ["peer_slow", "pod_cpu_throttled"]);
}

#[test]
fn two_hints_that_blame_each_other_end_the_path() {
    let a = blames(hint("shop", "a", "peer_slow"), BlameKind::PeerPod, "shop/b");
    let b = blames(hint("shop", "b", "peer_slow"), BlameKind::PeerPod, "shop/a");
    assert_eq!(follow(&a, &[b, a.clone()]).len(), 2);
}

#[test]
fn a_blamed_node_is_explained_only_by_a_hint_that_blames_it_itself() {
    let symptom = blames(hint("shop", "a", "path_loss"), BlameKind::PeerNode, "node-b");
    let root = blames(hint("shop", "z", "node_packet_loss"), BlameKind::Node, "node-b");
    let mut resolved = root.clone();
    resolved.state = HintState::Resolved;
    assert_eq!(follow(&symptom, &[root]).len(), 2);
    assert_eq!(follow(&symptom, &[resolved]).len(), 1);
}

/// A Pod between waits for a peer that answers nothing, unless it takes the time itself.
#[test]
fn a_slow_peer_is_followed_to_what_it_waits_for_if_it_has_no_reason_of_its_own() {
    let slow = blames(hint("shop", "web-1", "peer_slow"), BlameKind::PeerPod, "shop/api-1");
    let waits = blames(hint("shop", "api-1", "peer_unreachable"), BlameKind::PeerPod, "shop/db-0");
    let own = blames(hint("shop", "api-1", "pod_application_slow"), BlameKind::Pod, "api-1");
    let last = |all: &[Hint]| follow(&slow, all).last().unwrap().cause.clone();
    assert_eq!(last(std::slice::from_ref(&waits)), "peer_unreachable");
    assert_eq!(last(&[waits, own]), "pod_application_slow");
}

/// The Pod that refuses connections may get no answers itself: that is no reason to refuse.
#[test]
fn another_trouble_of_the_blamed_pod_explains_nothing() {
    let refused = blames(hint("shop", "web-1", "peer_refusing"), BlameKind::PeerPod, "shop/db-0");
    let other = blames(hint("shop", "db-0", "peer_unreachable"), BlameKind::PeerNode, "node-b");
    let reason = blames(hint("shop", "db-0", "pod_restarting"), BlameKind::Pod, "db-0");
    let causes = |all: &[Hint]| -> Vec<String> { follow(&refused, all).iter().map(|h| h.cause.clone()).collect() };
    assert_eq!(causes(std::slice::from_ref(&other)), ["peer_refusing"]);
    assert_eq!(causes(&[other, reason]), ["peer_refusing", "pod_restarting"]);
}

/// A longer path of the blamed Pod slows its callers if the Pod's own end is at fault, not another peer's.
#[test]
fn a_longer_path_explains_a_slow_peer_at_whose_end_it_is() {
    let slow = blames(hint("shop", "web-1", "peer_slow"), BlameKind::PeerPod, "shop/db-0");
    let mut path = blames(hint("shop", "db-0", "path_latency"), BlameKind::Pod, "db-0");
    path.symptom = "rtt_inflation".to_owned();
    let other = blames(path.clone(), BlameKind::PeerNode, "node-z");
    assert_eq!(follow(&slow, &[path]).len(), 2);
    assert_eq!(follow(&slow, &[other]).len(), 1);
}

/// Lookups lose an answer where all packets do: which Node that is, only all agents together know.
#[test]
fn lost_dns_answers_are_an_effect_of_losses_at_the_same_node() {
    let mut lookups = hint("shop", "web-1", "dns_answer_lost");
    lookups.symptom = "slow_name_resolution".into();
    lookups.blame = Blame::among(vec![
        Suspect::new(BlameKind::PeerPod, "shop/dns-0", 0.7),
        Suspect::new(BlameKind::Node, "node-a", 0.1),
    ]);
    let losses = |kind, name: &str| blames(hint("shop", "api-1", "path_loss"), kind, name);
    let causes = |lookups: &Hint, other: Hint| -> Vec<String> {
        follow(lookups, &[other]).iter().map(|hint| hint.cause.clone()).collect()
    };
    let here = || losses(BlameKind::Node, "node-a");
    assert_eq!(causes(&lookups, here()), ["dns_answer_lost", "path_loss"]);
    // At another Node, or on another path, they explain nothing; nor do they where the server is known to be at fault.
    assert_eq!(causes(&lookups, losses(BlameKind::PeerNode, "node-b")), ["dns_answer_lost"]);
    assert_eq!(causes(&lookups, losses(BlameKind::NodePair, "node-a↔node-b")), ["dns_answer_lost"]);
    let decided = blames(lookups, BlameKind::PeerPod, "shop/dns-0");
    assert_eq!(causes(&decided, here()), ["dns_answer_lost"]);
}
