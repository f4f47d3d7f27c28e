use super::{
    super::{
        testing::{NOW_MS, hint},
        why::{TargetPod, explain, tests as cases},
    },
    *,
};
use crate::api::{Blame, BlameKind, Hint, Suspect};

fn seen(minutes: i64, near: Near, object: &str, what: &str) -> Seen {
    let kind = if what.contains("rolled out") { ChangeKind::Rollout } else { ChangeKind::Restart };
    let namespace = if object.starts_with("Node/") { "" } else { "shop" };
    let (namespace, object, what) = (namespace.to_owned(), object.to_owned(), what.to_owned());
    Seen { at_ms: NOW_MS - minutes * 60_000, near, kind, namespace, object, what }
}

fn window() -> Window {
    Window::before(NOW_MS, BEFORE_MS)
}

/// Changes of every nearness, and what could not be read.
pub(crate) fn report() -> Changes {
    let seen = vec![
        seen(9, Near::TargetNode, "Node/node-a", "was cordoned by kubectl-cordon"),
        seen(2, Near::Nearby, "Node/node-c", "netwhy's agent started: it learns anew what is usual"),
        seen(
            4,
            Near::Culprit,
            "Deployment/cart",
            "was rolled out by helm, revision 7: image of app: cart:1.4 → cart:1.5",
        ),
        seen(
            12,
            Near::Culprit,
            "Pod/cart-1",
            "container app started again after OOMKilled, exit code 137 (3 restarts)",
        ),
        seen(3, Near::CulpritNode, "Node/node-b", "condition Ready became Unknown: NodeStatusUnknown"),
        seen(14, Near::Target, "Pod/payment-1", "started on node-a"),
        Seen { at_ms: NOW_MS + 40_000, ..seen(0, Near::CulpritNode, "Node/node-b", "rebooted") },
    ];
    let unknown = vec![Fact::new("ConfigMaps", "ConfigMap shop/cart: forbidden: no; ask for that right")];
    let found = Found { seen, unknown, ..Found::default() };
    changes(&Focus::new("Pod", "shop", "payment-1"), window(), found)
}

#[test]
fn the_nearest_to_the_culprit_comes_first_then_the_nearest_in_time() {
    let order: Vec<(Near, i64)> = report().items.iter().map(|item| (item.near, item.seconds_before)).collect();
    assert_eq!(
        order,
        [
            (Near::Culprit, 240),
            (Near::Culprit, 720),
            (Near::CulpritNode, -40),
            (Near::CulpritNode, 180),
            (Near::Target, 840),
            (Near::TargetNode, 540),
            (Near::Nearby, 120)
        ]
    );
}

#[test]
fn changes_out_of_the_time_are_none() {
    let seen = vec![
        seen(16, Near::Culprit, "Pod/a", "x"),
        Seen { at_ms: NOW_MS + 61_000, ..seen(0, Near::Culprit, "Pod/b", "x") },
        seen(15, Near::Culprit, "Pod/c", "x"),
    ];
    let report = changes(&Focus::default(), window(), Found { seen, ..Found::default() });
    assert_eq!(report.items.iter().map(|item| item.object.as_str()).collect::<Vec<_>>(), ["Pod/c"]);
}

#[test]
fn a_change_that_two_sources_have_is_shown_once_and_a_reason_too() {
    let forbidden = |place: &str| Fact::new("Events", format!("{place}: forbidden"));
    let found = Found {
        seen: vec![seen(4, Near::TargetNode, "Pod/a", "x"), seen(4, Near::Culprit, "Pod/a", "x")],
        unknown: vec![forbidden("shop"), forbidden("default")],
        ..Found::default()
    };
    let report = changes(&Focus::default(), window(), found);
    assert_eq!((report.items.len(), report.items[0].near), (1, Near::Culprit));
    assert_eq!(report.unknown, [forbidden("shop")]);
}

#[test]
fn many_changes_are_bounded_and_counted() {
    let seen = (0..250).map(|n| seen(3, Near::Nearby, &format!("Pod/p{n}"), "x")).collect();
    let report = changes(&Focus::default(), window(), Found { seen, ..Found::default() });
    assert_eq!((report.items.len(), report.left_off), (MAX_ITEMS, 150));
}

#[test]
fn the_inquiry_of_a_verdict_begins_at_the_first_finding_of_its_path() {
    let case = explain(cases::waits_for_throttled_peer(), &cases::filter());
    let inquiry = case.inquiry.unwrap();
    let first = |hint: &Hint| crate::plugin::model::unix_ms(&hint.first_seen).unwrap();
    let oldest = cases::waits_for_throttled_peer().hints.iter().map(first).min().unwrap();
    assert_eq!(inquiry.onset_ms, oldest);
    assert!(inquiry.focus.pods.values().any(|near| *near == Near::Culprit), "{:?}", inquiry.focus);
    assert!(inquiry.focus.pods.values().any(|near| *near == Near::Target), "{:?}", inquiry.focus);
    assert_eq!(explain(cases::healthy(), &cases::filter()).inquiry, None);
}

#[test]
fn culprits_of_every_kind_are_found() {
    let subject = hint("shop", "payment-1", "path_loss").subject;
    let near = |blame: &Blame| {
        let mut focus = Focus::new("Pod", "shop", "payment-1");
        focus.add_blame(blame, &subject);
        (focus.pods.into_keys().map(|pod| pod.name).collect::<Vec<_>>(), focus.nodes.into_keys().collect::<Vec<_>>())
    };
    let named = |kind, name: &str| Blame::named(kind, name, 0.95);
    let list = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    assert_eq!(near(&named(BlameKind::PeerNode, "node-b")), (list(&[]), list(&["node-b"])));
    assert_eq!(near(&named(BlameKind::NodePair, "node-a↔node-b")), (list(&[]), list(&["node-a", "node-b"])));
    assert_eq!(near(&named(BlameKind::PeerPod, "shop/cart-1")), (list(&["cart-1"]), list(&[])));
    assert_eq!(near(&named(BlameKind::Pod, "payment-1")), (list(&["payment-1"]), list(&[&subject.node])));
    assert_eq!(near(&named(BlameKind::External, "8.8.8.8")), (list(&[]), list(&[])));
    let candidates = Blame::among(vec![
        Suspect::new(BlameKind::PeerNode, "node-b", 0.5),
        Suspect::new(BlameKind::PeerPod, "shop/cart-1", 0.4),
    ]);
    assert_eq!(near(&candidates), (list(&["cart-1"]), list(&["node-b"])));
}

#[test]
fn names_that_are_no_names_are_not_asked_for() {
    let mut focus = Focus::default();
    focus.add_pod("shop", "../../nodes", Near::Culprit);
    focus.add_pod("shop,x=y", "a", Near::Culprit);
    focus.add_node("a/b", Near::Culprit);
    focus.add_node("a,metadata.name=b", Near::Culprit);
    focus.add_workload("shop", "Deployment/a?b", Near::Culprit);
    focus.add_workload("shop", "Pod/a", Near::Culprit);
    assert_eq!((focus.pods.len(), focus.nodes.len(), focus.workloads.len()), (0, 0, 0));
}

#[test]
fn a_large_target_leaves_room_for_the_culprit() {
    let mut facts = cases::loses();
    facts.hints[0].blame = Blame::named(BlameKind::PeerNode, "node-b", 0.95);
    let pod = |number: usize| TargetPod {
        namespace: "shop".into(),
        name: format!("payment-{number}"),
        node: format!("node-{number}"),
        ..TargetPod::default()
    };
    facts.pods.extend((2..100).map(pod));
    let inquiry = explain(facts, &cases::filter()).inquiry.unwrap();
    assert!(inquiry.focus.pods.len() <= 8 && inquiry.focus.nodes.len() <= 9, "{:?}", inquiry.focus);
    assert!(inquiry.focus.nodes.values().any(|near| *near == Near::CulpritNode), "{:?}", inquiry.focus);
}
