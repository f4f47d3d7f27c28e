use super::*;
use crate::sample::{CgroupFacts, Header, Pressure, Recorder, Recording};
use netwhy_abi::{EdgeKey, EdgeStats, Retransmit};
use std::io::Cursor;

#[test]
fn default_thresholds_of_file_and_rules_are_the_same() {
    assert_eq!(thresholds(&Config::default().thresholds), Thresholds::default());
}

/// Seconds between walks, as on a Node with very many sockets.
const WALK: u64 = 60;
/// Segments that one edge sends in a second. Samples bring a tenth at once, and walks the rest.
const SEGMENTS: u64 = 1000;

/// A recording of one edge; `lost` gives the loss episodes until a second.
fn recording(seconds: u64, has_walks: bool, lost: impl Fn(u64) -> u64) -> Recording<Cursor<Vec<u8>>> {
    let header = Header { node: "node-a".into(), ..Header::default() };
    let mut recorder = Recorder::begin(Vec::new(), "test", &header).unwrap();
    for at in 0..=seconds {
        let walked = at / WALK * WALK;
        let segments = SEGMENTS * walked + (at - walked) * SEGMENTS / 10;
        let mut row = EdgeStats { data_segs_out: segments, loss_episodes: lost(at), ..EdgeStats::ZERO };
        (row.bytes_acked, row.bytes_received) = (200 * segments, 200 * segments);
        row.retransmits[Retransmit::Fast as usize] = lost(at);
        let group = CgroupFacts { id: 1, path: Some("/app.service".into()), alive: true, ..CgroupFacts::default() };
        let time = |seconds| Duration::from_secs(1000 + seconds);
        let mut snapshot = Snapshot {
            at: time(at),
            walked_at: has_walks.then(|| time(walked)),
            groups: vec![group],
            ..Snapshot::default()
        };
        let addr = std::net::Ipv4Addr::new(10, 0, 0, 7).to_ipv6_mapped().octets();
        snapshot.tables.edges.rows.push((EdgeKey::new(1, addr), row));
        recorder.push(&snapshot).unwrap();
    }
    let bytes = recorder.finish().unwrap();
    Recording::read(Cursor::new(bytes), "test").unwrap()
}

/// When hints of loss began to fire.
fn fired(recording: Recording<Cursor<Vec<u8>>>) -> Vec<u64> {
    let changes = crate::replay::replay(recording, &Config::default()).unwrap().changes;
    assert!(changes.iter().all(|(_, hint)| hint.cause == "path_loss"), "{changes:?}");
    let firing = changes.iter().filter(|(_, hint)| hint.state == crate::api::HintState::Firing);
    firing.map(|(at, _)| at.as_secs()).collect()
}

#[test]
fn rare_walks_make_no_loss_of_what_is_below_the_ratio() {
    // 0.05 %, a quarter of the limit; a window's own counts read ten times as much.
    let few = |at: u64| at.saturating_sub(305) / 2;
    assert_eq!(fired(recording(600, true, few)), [0u64; 0]);
    assert!(!fired(recording(600, false, few)).is_empty(), "a recording without walk times is judged by its windows");
}

#[test]
fn real_loss_between_rare_walks_is_found_at_the_next_walk() {
    for begin in [301, 310, 330, 350] {
        // 2 %, ten times the limit.
        let found = fired(recording(600, true, |at| at / 20 + 20 * at.saturating_sub(begin)));
        let [first, ..] = found[..] else { panic!("loss since {begin} s is not found") };
        assert!((360..=362).contains(&first), "loss since {begin} s is found at {first} s");
    }
    // It covers too little of the interval to count: the next one shows it.
    let found = fired(recording(600, true, |at| at / 20 + 20 * at.saturating_sub(358)));
    assert!(found.first().is_some_and(|first| (420..=422).contains(first)), "{found:?}");
}

/// CPU time of this thread for so many snapshots of one moment, of 400 cgroups each.
fn take_equal(snapshots: usize) -> Duration {
    let group = |id| CgroupFacts {
        id,
        path: Some(format!("/system.slice/{id}.service")),
        alive: true,
        usage_us: Some(id),
        pressure: Some(Pressure::default()),
        ..CgroupFacts::default()
    };
    let snapshot =
        Snapshot { at: Duration::from_secs(9), groups: (1..=400).map(group).collect(), ..Snapshot::default() };
    let mut pipeline = Pipeline::new("a", &Config::default());
    let cpu = || Duration::try_from(rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime)).unwrap();
    let began = cpu();
    for _ in 0..snapshots {
        pipeline.take(&snapshot);
    }
    cpu() - began
}

#[test]
fn snapshots_of_one_moment_cost_each_the_same() {
    let (few, many) = (take_equal(50), take_equal(800));
    assert!(many < few * 16 * 3, "50 snapshots: {few:?}, 800: {many:?}");
}
