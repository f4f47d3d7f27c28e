use super::*;
use crate::{
    api::{Blame, BlameKind, HintState},
    plugin::model::{
        SilentAgent,
        testing::hint,
        waterfall::tests::{callee, row},
        why::tests::healthy,
    },
};

fn names(wanted: &[Wanted]) -> Vec<&str> {
    wanted.iter().map(|pod| pod.name.as_str()).collect()
}

#[test]
fn callees_are_asked_for_once_and_those_waited_for_longest_first() {
    let rows = [
        row("web", "node-a", None, vec![callee("fast", 1.0), callee("slow", 50.0)]),
        row("cart", "node-a", None, vec![callee("slow", 5.0), callee("web", 9.0)]),
    ];
    let mut seen: BTreeSet<String> = ["shop/web".to_owned(), "shop/cart".to_owned()].into();
    let first = wanted(rows.iter(), &mut seen);
    assert_eq!(names(&first), ["slow", "fast"]);
    assert_eq!((first[0].namespace.as_str(), first[0].node.as_str()), ("shop", "node-b"));
    assert_eq!(wanted(rows.iter(), &mut seen), []);
}

#[test]
fn names_that_would_change_a_query_are_not_asked_for() {
    let mut hostile = callee("x&pod=other", 1.0);
    let other_node = Callee { peer_node: Some("node-b,metadata.name=x".into()), ..callee("y", 1.0) };
    hostile.times.unanswered = Some(9);
    let rows = [row("web", "node-a", None, vec![hostile, other_node, callee("z", 1.0)])];
    assert_eq!(names(&wanted(rows.iter(), &mut BTreeSet::new())), ["z"]);
}

#[test]
fn an_address_names_its_callees_but_not_a_sidecars() {
    let by_address = |redirected| Callee { peer_pod: None, peer_node: None, redirected, ..callee("", 1.0) };
    let mut web = row("web", "node-a", None, vec![by_address(false), by_address(true)]);
    name(&mut web, "10.1.0.9", "shop/db", "node-c");
    let callees = &web.window.responses.as_ref().unwrap().callees;
    assert_eq!((callees[0].peer_pod.as_deref(), callees[0].peer_node.as_deref()), (Some("shop/db"), Some("node-c")));
    assert_eq!(callees[1].peer_pod, None);
}

#[test]
fn callers_that_wait_for_the_target_are_asked_for_once() {
    let blaming = |name: &str, cause: &str| {
        let mut hint = hint("shop", name, cause);
        hint.blame = Blame::named(BlameKind::PeerPod, "shop/payment-1", 0.97);
        hint
    };
    let mut over = blaming("over", "peer_slow");
    over.state = HintState::Resolved;
    let mut silent = blaming("silent", "peer_slow");
    silent.subject.node = "node-c".into();
    let mut facts = healthy();
    facts.hints = ["web", "web", "known", "x&pod=other"].map(|name| blaming(name, "peer_slow")).into();
    facts.hints.extend([over, silent, blaming("lossy", "path_loss"), hint("shop", "payment-1", "peer_slow")]);
    facts.callees = vec![row("known", "node-a", None, vec![])];
    facts.not_answered =
        vec![SilentAgent { node: "node-c".into(), agent: "netwhy/netwhy-x7k".into(), why: "no answer".into() }];
    assert_eq!(names(&callers(&facts)), ["web"]);
}
