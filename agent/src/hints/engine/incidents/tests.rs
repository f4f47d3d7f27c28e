use super::*;
use crate::hints::{RULES, finding::blame, testing::id};

fn incidents(members: &[(&'static str, Blame, &str)]) -> Vec<Place> {
    let subjects: Vec<SubjectId> = members.iter().map(|(_, _, subject)| id(subject)).collect();
    let members: Vec<Member<'_>> = members
        .iter()
        .zip(&subjects)
        .map(|((cause, blame, _), subject)| Member { rule: rule(cause), blame, subject })
        .collect();
    places(&members)
}

fn rule(id: &str) -> &'static Rule {
    RULES.iter().find(|rule| rule.id == id).unwrap()
}

fn numbers(members: &[(&'static str, Blame, &str)]) -> Vec<usize> {
    incidents(members).iter().map(|place| place.incident).collect()
}

#[test]
fn victims_of_one_node_are_one_incident() {
    let node = || blame(BlameKind::Node, "node-a");
    let all = [
        ("node_packet_loss", node(), "cart"),
        ("node_packet_loss", node(), "payment"),
        ("node_nic_drops", node(), "search"),
        ("node_memory_pressure", node(), "cart"),
    ];
    assert_eq!(numbers(&all), [0, 0, 0, 1]);
}

#[test]
fn callers_of_a_throttled_pod_belong_to_its_incident() {
    let all = [
        ("peer_slow", blame(BlameKind::PeerPod, "shop/db"), "cart"),
        ("pod_cpu_throttled", blame(BlameKind::Pod, "db"), "db"),
        ("peer_slow", blame(BlameKind::PeerPod, "shop/cache"), "cart"),
    ];
    assert_eq!(numbers(&all), [0, 0, 1]);
    let roots: Vec<_> = incidents(&all).iter().map(|place| place.root).collect();
    assert_eq!(roots, [Some("pod_cpu_throttled"), None, None]);
}

#[test]
fn callers_of_a_pod_that_waits_itself_belong_to_the_incident_of_its_callee() {
    let db = || blame(BlameKind::PeerPod, "shop/db");
    let mut all = vec![
        ("peer_slow", blame(BlameKind::PeerPod, "shop/api"), "cart"),
        // Another caller comes first.
        ("peer_unreachable", db(), "mail"),
        ("peer_unreachable", db(), "api"),
    ];
    assert_eq!(numbers(&all), [0, 0, 0]);
    assert_eq!(incidents(&all)[0].root, Some("peer_unreachable"));
    // It takes the time itself, and may not need that callee.
    all.push(("pod_cpu_throttled", blame(BlameKind::Pod, "api"), "api"));
    assert_eq!(numbers(&all), [0, 1, 1, 0]);
    assert_eq!(incidents(&all)[0].root, Some("pod_cpu_throttled"));
    // A path of it that others are at fault for leads to them.
    let path = ("path_loss", blame(BlameKind::PeerNode, "node-z"), "api");
    assert_eq!(numbers(&[all[0].clone(), path]), [0, 1]);
}

#[test]
fn pods_that_blame_each_other_are_one_incident_without_a_root() {
    let all = [
        ("peer_slow", blame(BlameKind::PeerPod, "shop/api"), "cart"),
        ("peer_slow", blame(BlameKind::PeerPod, "shop/cart"), "api"),
    ];
    assert_eq!(numbers(&all), [0, 0]);
    assert!(incidents(&all).iter().all(|place| place.root.is_none()));
}

#[test]
fn the_same_cause_in_two_pods_is_two_incidents() {
    let all = [
        ("pod_cpu_throttled", blame(BlameKind::Pod, "cart"), "cart"),
        ("pod_cpu_throttled", blame(BlameKind::Pod, "payment"), "payment"),
        ("path_loss", blame(BlameKind::None, ""), "cart"),
        ("path_loss", blame(BlameKind::None, ""), "payment"),
    ];
    assert_eq!(numbers(&all), [0, 1, 2, 3]);
}
