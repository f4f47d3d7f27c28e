use super::*;
use crate::{api::Gap, plugin::model::testing::hint};

fn at(name: &str, first: &str, last: &str, state: HintState) -> Hint {
    let mut one = hint("shop", name, "path_loss");
    one.id = format!("{name}-path_loss");
    (one.first_seen, one.last_seen, one.state) = (first.into(), last.into(), state);
    one
}

fn times() -> (Timestamp, Timestamp) {
    ("2026-01-01T00:00:00Z".parse().unwrap(), "2026-01-01T06:00:00Z".parse().unwrap())
}

#[test]
fn remembered_hints_replace_recorded_ones_and_times_before_are_kept() {
    let (open, over) = (HintState::Firing, HintState::Resolved);
    let remembered = Hints {
        items: vec![
            at("a", "2026-01-01T05:30:00Z", "2026-01-01T05:40:00Z", over),
            at("b", "2025-12-31T20:00:00Z", "2026-01-01T06:00:00Z", open),
        ],
        ..Hints::default()
    };
    let recorded = Hints {
        items: vec![
            at("a", "2026-01-01T05:30:00Z", "2026-01-01T05:35:00Z", open),
            at("a", "2026-01-01T01:00:00Z", "2026-01-01T01:10:00Z", over),
            at("c", "2025-12-31T20:00:00Z", "2025-12-31T23:00:00Z", over),
        ],
        missing: vec![MissingTime { node: "n".into(), gap: Gap { from: "x".into(), to: "y".into(), why: "z".into() } }],
        ..Hints::default()
    };
    let line = merge(times(), remembered, Ok(recorded));
    let shown: Vec<(&str, &str, HintState)> =
        line.items.iter().map(|hint| (hint.subject.name.as_str(), &hint.last_seen[11..16], hint.state)).collect();
    assert_eq!(shown, [("b", "06:00", open), ("a", "05:40", over), ("a", "01:10", over)]);
    assert_eq!((line.missing.len(), line.unrecorded, line.left_off), (1, None, 0));
}

#[test]
fn without_a_history_the_last_hour_is_known_and_the_reason_said() {
    let remembered = Hints {
        items: vec![at("a", "2026-01-01T05:30:00Z", "2026-01-01T05:40:00Z", HintState::Resolved)],
        ..Hints::default()
    };
    let line = merge(times(), remembered, Err(Failure::new("this agent records no history", "set history.folder")));
    assert_eq!((line.items.len(), line.unrecorded.as_deref()), (1, Some("this agent records no history")));
}

#[test]
fn the_newest_of_very_many_are_kept() {
    let item = |i: usize| {
        at(&format!("p{i}"), "2026-01-01T01:00:00Z", &format!("2026-01-01T0{}:00:00Z", 1 + i % 5), HintState::Resolved)
    };
    let recorded = Hints { items: (0..MAX_HINTS + 7).map(item).collect(), ..Hints::default() };
    let line = merge(times(), Hints::default(), Ok(recorded));
    assert_eq!((line.items.len(), line.left_off), (MAX_HINTS, 7));
    assert!(line.items[0].last_seen > line.items[MAX_HINTS - 1].last_seen);
}
