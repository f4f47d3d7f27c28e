use super::super::testing::{NOW_MS, hint};
use super::*;

fn resolved(name: &str, seen: &str) -> Hint {
    let mut hint = hint("shop", name, "path_loss");
    hint.state = HintState::Resolved;
    hint.last_seen = seen.to_owned();
    hint
}

#[test]
fn resolved_hints_are_shown_for_the_requested_time() {
    let all =
        [hint("shop", "a", "path_loss"), resolved("b", "2025-12-31T23:58:00Z"), resolved("c", "2025-12-31T23:00:00Z")];
    let names = |since: Option<u64>| -> Vec<String> {
        let wanted = HintFilter { since: since.map(Duration::from_secs), now_ms: NOW_MS, ..HintFilter::default() };
        Hints::new(all.clone(), &wanted, 1, vec![]).items.into_iter().map(|h| h.subject.name).collect()
    };
    assert_eq!(names(None), ["a"]);
    assert_eq!(names(Some(300)), ["a", "b"]);
    assert_eq!(names(Some(7200)), ["a", "b", "c"]);
}

#[test]
fn a_namespace_hides_the_others() {
    let wanted = HintFilter { namespace: Some("shop".to_owned()), now_ms: NOW_MS, ..HintFilter::default() };
    let all = [hint("shop", "a", "path_loss"), hint("other", "b", "path_loss")];
    assert_eq!(Hints::new(all, &wanted, 1, vec![]).items.len(), 1);
}

#[test]
fn a_watch_sees_new_and_resolved_hints() {
    let (a, b) = (hint("shop", "a", "path_loss"), hint("shop", "b", "path_loss"));
    let mut ended = a.clone();
    ended.state = HintState::Resolved;
    let now = [ended, b.clone()];
    let seen: Vec<&str> = changes(&[a, b], &now).iter().map(|h| h.subject.name.as_str()).collect();
    assert_eq!(seen, ["a"]);
    assert_eq!(changes(&[], &now).len(), 2);
}
