use crate::{
    api::MemoryLevel,
    join::{
        Join,
        fixture::{join, snapshot},
    },
};

#[test]
fn of_too_many_gone_subjects_those_gone_for_longest_leave_their_counts_behind() {
    let mut join = join(2);
    let mut sent = 0;
    for second in 1..=50 {
        // A cgroup that lives for less than a second, each second.
        join.take(&snapshot(second * 2, &[(second, 1, second)], true));
        let view = join.take(&snapshot(second * 2 + 1, &[(second, 1, second)], false));
        sent += second;
        assert!(view.subjects.len() <= 3, "{}", view.subjects.len());
        let folded = view.folded.as_ref().map_or(0, |folded| folded.sums.total().data_segs_out);
        let own: u64 = view.subjects.iter().map(|subject| subject.total().data_segs_out).sum();
        assert_eq!(folded + own, sent, "no sample vanishes");
        let newest = format!("cgroup-{second}");
        assert!(view.subjects.iter().any(|subject| subject.id.name == newest));
        let Some(folded) = view.folded else { continue };
        assert_eq!(folded.subjects, second - 3);
        assert!(folded.contains("/", &format!("cgroup-{}", second - 3)) && !folded.contains("/", &newest));
    }
}

#[test]
fn subjects_that_leave_at_their_time_are_not_folded() {
    let mut join = join(2);
    join.take(&snapshot(1, &[(1, 1, 5)], true));
    join.take(&snapshot(2, &[(1, 1, 5)], false));
    let view = join.take(&snapshot(200, &[], false));
    assert!(view.subjects.is_empty() && view.folded.is_none());
}

#[test]
fn near_the_memory_limit_fewer_are_kept_and_no_count_is_lost() {
    let mut join = join(2);
    join.limits.gone_subjects = 16;
    let rows: Vec<(u64, u8, u64)> = (1..=40).map(|cgroup| (cgroup, 1, cgroup)).collect();
    join.take(&snapshot(1, &rows, true));
    let kept = |join: &mut Join, at, level| {
        join.set_memory_level(level);
        let view = join.take(&snapshot(at, &rows, false));
        let own: u64 = view.subjects.iter().map(|subject| subject.total().data_segs_out).sum();
        let folded = view.folded.as_ref().map_or(0, |folded| folded.sums.total().data_segs_out);
        assert_eq!(own + folded, (1..=40).sum::<u64>());
        view.subjects.len()
    };
    assert_eq!(kept(&mut join, 2, MemoryLevel::Ok), 16);
    assert_eq!(kept(&mut join, 3, MemoryLevel::Near), 4);
    assert_eq!(kept(&mut join, 4, MemoryLevel::Critical), 1);
}

/// A storm makes a thousand cgroups within one tick: the view has no more of them than may be kept.
#[test]
fn subjects_that_are_gone_when_they_are_first_seen_are_bounded_at_once() {
    let mut join = join(2);
    let rows: Vec<(u64, u8, u64)> = (1..=1000).map(|cgroup| (cgroup, 1, 1)).collect();
    let view = join.take(&snapshot(1, &rows, false));
    assert_eq!((view.subjects.len(), view.folded.map(|folded| folded.subjects)), (3, Some(997)));
}
