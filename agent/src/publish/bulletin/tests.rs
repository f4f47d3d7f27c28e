use super::*;
use crate::{api::Blame, metrics::fixture, pods::PodInfo};
use std::sync::Arc;

const ALL: Publish = Publish { events: true, conditions: true };
const EVENTS: Publish = Publish { events: true, conditions: false };
const CONDITIONS: Publish = Publish { events: false, conditions: true };

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A view with these hints: (id, Pod, blame).
fn view(hints: &[(&str, &str, BlameKind, &str)]) -> NodeView {
    let mut pod = fixture::busy_pod("shop", "cart-1");
    pod.id.kind = SubjectKind::Pod;
    pod.pod = Some(Arc::new(PodInfo { uid: "uid-cart".into(), ..PodInfo::default() }));
    let mut view = fixture::view(vec![pod]);
    let template = fixture::hint("shop", "cart-1", "node_packet_loss");
    view.hints = hints
        .iter()
        .map(|(id, pod, kind, name)| {
            let mut hint = template.clone();
            hint.id = (*id).to_owned();
            (hint.subject.namespace, hint.subject.name) = ("shop".to_owned(), (*pod).to_owned());
            hint.blame = Blame { kind: *kind, name: (*name).to_owned(), alternatives: Vec::new() };
            hint
        })
        .collect();
    view
}

/// Everything that is said within a time, one request a second, all of which succeed.
fn say(bulletin: &mut Bulletin, view: &NodeView, seconds: std::ops::Range<u64>) -> Vec<(u64, Act)> {
    let mut said = Vec::new();
    for second in seconds {
        if let Some(act) = bulletin.next(view, at(second)) {
            bulletin.done(&act, at(second));
            said.push((second, act));
        }
    }
    said
}

#[test]
fn a_hint_is_one_event_that_is_renewed_every_ten_minutes() {
    let mut bulletin = Bulletin::new(EVENTS);
    let said = say(&mut bulletin, &view(&[("1", "cart-1", BlameKind::PeerNode, "node-b")]), 100..1400);
    let events: Vec<(u64, String, u32)> = said
        .into_iter()
        .map(|(second, act)| match act {
            Act::Event(event) => (second, event.name(), event.count),
            Act::Condition(_) => panic!("{act:?}"),
        })
        .collect();
    let name = || "cart-1.netwhy-1".to_owned();
    assert_eq!(events, [(100, name(), 1), (700, name(), 2), (1300, name(), 3)]);
}

#[test]
fn many_hints_are_told_one_at_a_time_and_those_of_unknown_pods_not_at_all() {
    let ids: Vec<String> = (0..5).map(|n| n.to_string()).collect();
    let mut hints: Vec<_> = ids.iter().map(|id| (id.as_str(), "cart-1", BlameKind::PeerNode, "node-b")).collect();
    hints.push(("9", "stranger", BlameKind::PeerNode, "node-b"));
    let said = say(&mut Bulletin::new(EVENTS), &view(&hints), 100..160);
    assert_eq!(said.iter().map(|(second, _)| *second).collect::<Vec<_>>(), [100, 101, 102, 103, 104]);
}

#[test]
fn resolved_hints_and_an_unfinished_window_are_no_news() {
    let mut resolved = view(&[("1", "cart-1", BlameKind::Node, "node-a")]);
    resolved.hints[0].state = HintState::Resolved;
    assert_eq!(say(&mut Bulletin::new(EVENTS), &resolved, 100..160), []);
    let mut young = view(&[("1", "cart-1", BlameKind::Node, "node-a")]);
    young.window_complete = false;
    assert_eq!(say(&mut Bulletin::new(ALL), &young, 100..160), []);
}

#[test]
fn the_condition_is_true_while_a_hint_blames_this_node() {
    let mut bulletin = Bulletin::new(CONDITIONS);
    let status = |said: Vec<(u64, Act)>| -> Vec<(u64, Option<String>)> {
        said.into_iter()
            .map(|(second, act)| match act {
                Act::Condition(condition) => (second, condition.trouble.map(|(cause, _)| cause)),
                Act::Event(_) => panic!("{act:?}"),
            })
            .collect()
    };
    let well = view(&[("1", "cart-1", BlameKind::PeerNode, "node-b"), ("2", "cart-1", BlameKind::Node, "node-z")]);
    let ill = view(&[("3", "cart-1", BlameKind::Node, "node-a")]);
    assert_eq!(status(say(&mut bulletin, &well, 100..500)), [(100, None), (400, None)]);
    let cause = Some("node_packet_loss".to_owned());
    assert_eq!(status(say(&mut bulletin, &ill, 500..520)), [(500, cause)]);
    // It changes at most every ten seconds.
    assert_eq!(status(say(&mut bulletin, &well, 503..520)), [(510, None)]);
}

#[test]
fn what_is_refused_waits_and_holds_up_nothing_else() {
    let both = view(&[("1", "cart-1", BlameKind::Node, "node-a")]);
    let mut bulletin = Bulletin::new(ALL);
    let condition = bulletin.next(&both, at(100)).unwrap();
    assert!(matches!(condition, Act::Condition(_)));
    bulletin.failed(&condition, true, at(100));
    let event = bulletin.next(&both, at(101)).unwrap();
    assert!(matches!(event, Act::Event(_)));
    bulletin.failed(&event, false, at(101));
    assert_eq!(bulletin.next(&both, at(130)), None);
    assert_eq!(bulletin.next(&both, at(131)), Some(event.clone()));
    bulletin.done(&event, at(131));
    assert_eq!(bulletin.next(&both, at(699)), None);
    assert_eq!(bulletin.next(&both, at(700)), Some(condition));
}

#[test]
fn nothing_is_said_unless_asked_for() {
    let both = view(&[("1", "cart-1", BlameKind::Node, "node-a")]);
    assert_eq!(say(&mut Bulletin::new(Publish::default()), &both, 100..2000), []);
}
