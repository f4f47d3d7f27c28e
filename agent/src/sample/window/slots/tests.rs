use super::*;
use crate::sample::{FactsDelta, Signal, Tally};
use netwhy_abi::EdgeKey;

/// Most slots. Two neighbours together always cover more than one slot may.
const MOST: usize = (2 * (FINE + COARSE) + 4) as usize;

fn seconds(s: f64) -> Duration {
    Duration::from_secs_f64(s)
}

/// A frame that ends at this time, in which one edge and one cgroup counted 1.
fn frame(at: Duration, elapsed: Duration) -> Frame {
    let mut frame = Frame { at, elapsed, ..Frame::default() };
    frame.growth.edges.push((EdgeKey::new(1, [0; 16]), Tally { data_segs_out: 1, ..Tally::default() }));
    frame.facts.push((1, FactsDelta { usage_us: Some(1), ..FactsDelta::default() }));
    frame.host.push(((Signal::ListenDrops, None), 1));
    frame
}

fn segments(slots: &Slots) -> u64 {
    slots.iter().flat_map(|slot| &slot.growth.edges).map(|(_, tally)| tally.data_segs_out).sum()
}

/// Pushes frames at these times, takes out what is over, and returns the most slots that there were.
fn fill(slots: &mut Slots, times: impl IntoIterator<Item = Duration>, length: Duration) -> usize {
    let mut last = None;
    let mut most = 0;
    for at in times {
        slots.push(frame(at, at.saturating_sub(last.replace(at).unwrap_or(at))), length);
        while slots.pop(at.saturating_sub(length)).is_some() {}
        most = most.max(slots.iter().count());
    }
    most
}

#[test]
fn no_tick_and_no_window_fill_more_slots_than_the_bound() {
    for tick in [0.1, 0.24, 0.26, 0.4, 0.51, 0.63, 1.0, 2.0, 5.0, 10.0] {
        for length in [2.0, 3.0, 10.0, 60.0, 300.0] {
            let times = (0..6_000).map(|i| seconds(5.0) + seconds(tick) * i);
            let most = fill(&mut Slots::default(), times, seconds(length));
            let told = of_ticks(seconds(length), seconds(tick)) as usize;
            let case = format!("{most} slots, told {told}, with a tick of {tick} s and a window of {length} s");
            assert!(most <= MOST && most <= told + 2 && told <= most + 2, "{case}");
        }
    }
    // Now a long pause, now a short one: neighbours just don't fit into one slot.
    let times = (0..3_000).map(|i| seconds(5.0 + 38.0 * f64::from(i / 2) + f64::from(i % 2)));
    assert!(fill(&mut Slots::default(), times, seconds(300.0)) <= MOST);
}

#[test]
fn frames_of_one_moment_share_a_slot_and_lose_nothing() {
    let mut slots = Slots::default();
    let most = fill(&mut slots, std::iter::repeat_n(seconds(50.0), 1_000), seconds(10.0));
    assert_eq!((most, segments(&slots)), (1, 1_000));
    let slot = slots.iter().next_back().unwrap();
    assert_eq!(slot.facts, [(1, FactsDelta { usage_us: Some(1_000), ..FactsDelta::default() })]);
    assert_eq!(slot.host, [((Signal::ListenDrops, None), 1_000)]);
}

#[test]
fn the_default_tick_and_window_keep_each_frame() {
    let mut slots = Slots::default();
    fill(&mut slots, (1..=40).map(|i| seconds(f64::from(i))), seconds(10.0));
    let ends: Vec<u64> = slots.iter().map(|slot| slot.at.as_secs()).collect();
    assert_eq!(ends, (31..=40).collect::<Vec<_>>());
}

#[test]
fn a_window_of_many_ticks_covers_its_length_and_an_eighth_more_at_most() {
    let (mut slots, length, tick) = (Slots::default(), seconds(300.0), seconds(0.1));
    for i in 1..9_000 {
        slots.push(frame(tick * i, tick), length);
        while slots.pop((tick * i).saturating_sub(length)).is_some() {}
        let covered: Duration = slots.iter().map(|slot| slot.elapsed).sum();
        let bounds = length..=length + length / COARSE;
        assert!(i < 4_000 || bounds.contains(&covered), "{covered:?}");
    }
}

#[test]
fn what_is_added_and_taken_away_is_the_same() {
    let (mut slots, mut added, mut taken) = (Slots::default(), 0, 0);
    for i in 1..2_000_u32 {
        let at = seconds(0.13 * f64::from(i));
        slots.push(frame(at, seconds(0.13)), seconds(20.0));
        added += 1;
        while let Some(old) = slots.pop(at.saturating_sub(seconds(20.0))) {
            taken += old.growth.edges.iter().map(|(_, tally)| tally.data_segs_out).sum::<u64>();
        }
        assert_eq!(added - taken, segments(&slots), "frame {i}");
    }
    assert!(taken > 1_000, "{taken}");
}
