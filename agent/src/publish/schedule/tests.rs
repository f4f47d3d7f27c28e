use super::*;
use crate::{
    api::{Blame, PodInfo},
    metrics::fixture,
};
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
            hint.blame = Blame::named(*kind, (*name).to_owned(), 0.99);
            hint
        })
        .collect();
    view
}

/// All actions within a time, one a second. Each succeeds.
fn publish(schedule: &mut Schedule, view: &NodeView, seconds: std::ops::Range<u64>) -> Vec<(u64, Action)> {
    let mut published = Vec::new();
    for second in seconds {
        if let Some(action) = schedule.next(view, at(second)) {
            schedule.succeeded(&action, at(second));
            published.push((second, action));
        }
    }
    published
}

#[test]
fn a_hint_is_one_event_that_is_renewed_every_ten_minutes() {
    let mut schedule = Schedule::new(EVENTS);
    let published = publish(&mut schedule, &view(&[("1", "cart-1", BlameKind::PeerNode, "node-b")]), 100..1400);
    let events: Vec<(u64, String, u32)> = published
        .into_iter()
        .map(|(second, action)| match action {
            Action::Event(event) => (second, event.name(), event.count),
            Action::Condition(_) => panic!("{action:?}"),
        })
        .collect();
    let name = || "cart-1.netwhy-1".to_owned();
    assert_eq!(events, [(100, name(), 1), (700, name(), 2), (1300, name(), 3)]);
}

#[test]
fn hints_are_published_one_at_a_time_and_those_of_unknown_pods_never() {
    let ids: Vec<String> = (0..5).map(|n| n.to_string()).collect();
    let mut hints: Vec<_> = ids.iter().map(|id| (id.as_str(), "cart-1", BlameKind::PeerNode, "node-b")).collect();
    hints.push(("9", "unknown", BlameKind::PeerNode, "node-b"));
    let published = publish(&mut Schedule::new(EVENTS), &view(&hints), 100..160);
    assert_eq!(published.iter().map(|(second, _)| *second).collect::<Vec<_>>(), [100, 101, 102, 103, 104]);
}

#[test]
fn resolved_hints_and_an_incomplete_window_publish_nothing() {
    let mut resolved = view(&[("1", "cart-1", BlameKind::Node, "node-a")]);
    resolved.hints[0].state = HintState::Resolved;
    assert_eq!(publish(&mut Schedule::new(EVENTS), &resolved, 100..160), []);
    let mut young = view(&[("1", "cart-1", BlameKind::Node, "node-a")]);
    young.window_complete = false;
    assert_eq!(publish(&mut Schedule::new(ALL), &young, 100..160), []);
}

#[test]
fn the_condition_is_true_while_a_hint_blames_this_node() {
    let mut schedule = Schedule::new(CONDITIONS);
    let status = |published: Vec<(u64, Action)>| -> Vec<(u64, Option<String>)> {
        published
            .into_iter()
            .map(|(second, action)| match action {
                Action::Condition(condition) => (second, condition.problem.map(|(cause, _)| cause)),
                Action::Event(_) => panic!("{action:?}"),
            })
            .collect()
    };
    let healthy = view(&[("1", "cart-1", BlameKind::PeerNode, "node-b"), ("2", "cart-1", BlameKind::Node, "node-z")]);
    let blamed = view(&[("3", "cart-1", BlameKind::Node, "node-a")]);
    assert_eq!(status(publish(&mut schedule, &healthy, 100..500)), [(100, None), (400, None)]);
    let cause = Some("node_packet_loss".to_owned());
    assert_eq!(status(publish(&mut schedule, &blamed, 500..520)), [(500, cause)]);
    // It changes at most every ten seconds.
    assert_eq!(status(publish(&mut schedule, &healthy, 503..520)), [(510, None)]);
}

#[test]
fn a_refused_action_waits_and_delays_no_other() {
    let both = view(&[("1", "cart-1", BlameKind::Node, "node-a")]);
    let mut schedule = Schedule::new(ALL);
    let condition = schedule.next(&both, at(100)).unwrap();
    assert!(matches!(condition, Action::Condition(_)));
    schedule.failed(&condition, true, at(100));
    let event = schedule.next(&both, at(101)).unwrap();
    assert!(matches!(event, Action::Event(_)));
    schedule.failed(&event, false, at(101));
    assert_eq!(schedule.next(&both, at(130)), None);
    assert_eq!(schedule.next(&both, at(131)), Some(event.clone()));
    schedule.succeeded(&event, at(131));
    assert_eq!(schedule.next(&both, at(699)), None);
    assert_eq!(schedule.next(&both, at(700)), Some(condition));
}

#[test]
fn nothing_is_published_by_default() {
    let both = view(&[("1", "cart-1", BlameKind::Node, "node-a")]);
    assert_eq!(publish(&mut Schedule::new(Publish::default()), &both, 100..2000), []);
}
