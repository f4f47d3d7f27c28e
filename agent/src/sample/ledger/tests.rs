use super::*;
use netwhy_abi::EdgeStats;

fn edge(cgroup: u64) -> EdgeKey {
    EdgeKey::new(cgroup, [7; 16])
}

fn snapshot(at: u64, segs: u64) -> Snapshot {
    let row = EdgeStats { data_segs_out: segs, ..EdgeStats::ZERO };
    with(at, row)
}

fn with(at: u64, row: EdgeStats) -> Snapshot {
    let mut snapshot = Snapshot { at: Duration::from_secs(at), ..Snapshot::default() };
    snapshot.tables.edges.rows.push((edge(1), row));
    snapshot
}

#[test]
fn sums_of_frames_equal_the_last_row_even_when_a_read_steps_back() {
    let mut ledger = Ledger::default();
    let mut sum = 0;
    for (at, segs) in [(1, 10), (2, 30), (3, 25), (4, 60)] {
        let frame = ledger.take(&snapshot(at, segs));
        sum += frame.growth.edges.iter().map(|(_, t)| t.data_segs_out).sum::<u64>();
    }
    assert_eq!(sum, 60);
}

#[test]
fn a_row_that_steps_back_from_zero_is_no_giant_count() {
    let mut ledger = Ledger::default();
    let mut sum = 0;
    for (at, segs) in [(1, 3u64.wrapping_neg()), (2, 0), (3, 4)] {
        let frame = ledger.take(&snapshot(at, segs));
        sum += frame.growth.edges.iter().map(|(_, t)| t.data_segs_out).sum::<u64>();
    }
    assert_eq!(sum, 4);
}

#[test]
fn the_time_of_frames_never_falls() {
    let mut ledger = Ledger::default();
    let frames: Vec<Frame> = [5, 9, 3, 9, 10].map(|at| ledger.take(&snapshot(at, 1))).into();
    let times = frames.iter().map(|frame| (frame.at.as_secs(), frame.elapsed.as_secs()));
    assert_eq!(times.collect::<Vec<_>>(), [(5, 0), (9, 4), (9, 0), (9, 0), (10, 1)]);
}

#[test]
fn bucket_counts_survive_wrapping() {
    let mut ledger = Ledger::default();
    let mut row = EdgeStats::ZERO;
    row.rtt.buckets[5] = u32::MAX;
    ledger.take(&with(1, row));
    row.rtt.buckets[5] = 4;
    let frame = ledger.take(&with(2, row));
    assert_eq!(frame.growth.edges[0].1.rtt.counts(), &[(5, 5)]);
}

#[test]
fn a_row_that_was_retired_and_returns_counts_from_zero() {
    let mut ledger = Ledger::default();
    ledger.take(&snapshot(1, 10));
    let mut retired = snapshot(2, 12);
    retired.tables.edges.gone.push(edge(1));
    ledger.take(&retired);
    let frame = ledger.take(&snapshot(3, 5));
    assert_eq!(frame.growth.edges[0].1.data_segs_out, 5);
}

#[test]
fn control_files_older_than_the_agent_count_from_their_first_reading() {
    let mut ledger = Ledger::default();
    let with = |at, id, kills| Snapshot {
        at: Duration::from_secs(at),
        groups: vec![CgroupFacts { id, oom_kills: Some(kills), alive: true, ..CgroupFacts::default() }],
        ..Snapshot::default()
    };
    assert_eq!(ledger.take(&with(1, 1, 40)).facts[0].1.oom_kills, Some(0));
    assert_eq!(ledger.take(&with(2, 1, 41)).facts[0].1.oom_kills, Some(1));
    assert_eq!(ledger.take(&with(3, 2, 2)).facts[0].1.oom_kills, Some(2), "a new cgroup began at zero");
}

/// The cgroup file system may answer late, and control files are read in turn within a budget.
#[test]
fn control_files_that_are_read_late_count_from_their_first_reading() {
    let mut ledger = Ledger::default();
    let with = |at, groups: &[(u64, Option<u64>)]| Snapshot {
        at: Duration::from_secs(at),
        groups: groups
            .iter()
            .map(|(id, kills)| CgroupFacts { id: *id, oom_kills: *kills, ..CgroupFacts::default() })
            .collect(),
        ..Snapshot::default()
    };
    let kills = |frame: Frame, id: u64| frame.facts.iter().find(|(i, _)| *i == id).and_then(|(_, f)| f.oom_kills);
    assert!(ledger.take(&with(1, &[])).facts.is_empty());
    ledger.take(&with(2, &[(1, Some(40)), (2, None)]));
    let frame = ledger.take(&with(3, &[(1, Some(41)), (2, Some(70)), (3, None)]));
    assert_eq!(kills(frame.clone(), 1), Some(1), "its base came with the second snapshot");
    assert_eq!(kills(frame, 2), Some(0), "its base comes with its first reading");
    let frame = ledger.take(&with(4, &[(1, Some(41)), (2, Some(75)), (3, Some(2))]));
    assert_eq!(kills(frame.clone(), 2), Some(5));
    assert_eq!(kills(frame, 3), Some(2), "a new cgroup began at zero");
}

#[test]
fn what_control_files_count_while_nobody_reads_them_is_no_news() {
    let mut ledger = Ledger::default();
    let with = |at, groups: &[(u64, Option<u64>)]| Snapshot {
        at: Duration::from_secs(at),
        groups: groups
            .iter()
            .map(|(id, kills)| CgroupFacts { id: *id, oom_kills: *kills, ..CgroupFacts::default() })
            .collect(),
        ..Snapshot::default()
    };
    let kills = |frame: &Frame, id: u64| frame.facts.iter().find(|(i, _)| *i == id).and_then(|(_, f)| f.oom_kills);
    ledger.take(&with(1, &[(1, Some(40))]));
    // The second one began after the first snapshot.
    assert_eq!(kills(&ledger.take(&with(2, &[(1, Some(40)), (2, Some(3))])), 2), Some(3));
    // Turned off; a third one comes.
    for at in 3..6 {
        assert!(ledger.take(&with(at, &[(1, None), (2, None), (3, None)])).facts.is_empty());
    }
    let frame = ledger.take(&with(6, &[(1, Some(50)), (2, None), (3, Some(9)), (4, Some(2))]));
    assert_eq!([1, 3, 4].map(|id| kills(&frame, id)), [Some(0), Some(0), Some(2)], "the fourth one is new");
    let frame = ledger.take(&with(7, &[(1, Some(51)), (2, Some(30)), (3, Some(9)), (4, Some(2))]));
    assert_eq!([1, 2, 3].map(|id| kills(&frame, id)), [Some(1), Some(0), Some(0)]);
}
