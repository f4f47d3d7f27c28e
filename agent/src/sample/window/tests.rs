use super::*;
use crate::sample::{Histogram, Tally};

fn frame(at: u64, segs: u64, bucket: u8) -> Frame {
    let tally =
        Tally { data_segs_out: segs, rtt: Histogram::from_counts([(bucket, segs)], segs * 10), ..Tally::default() };
    let mut frame = Frame { at: Duration::from_secs(at), elapsed: Duration::from_secs(1), ..Frame::default() };
    frame.growth.edges.push((EdgeKey::new(1, [0; 16]), tally));
    frame
}

#[test]
fn running_sums_equal_the_sum_of_the_frames_inside() {
    let mut window = Window::new(Duration::from_secs(5));
    for at in 1..=10 {
        window.push(frame(at, at, (at % 4) as u8));
    }
    let sum = window.sums().edges.values().next().unwrap();
    assert_eq!(sum.data_segs_out, 6 + 7 + 8 + 9 + 10);
    assert_eq!(sum.rtt.count(), 40);
    assert_eq!(sum.rtt.sum_us, 400);
    assert!(window.is_computed());
    assert_eq!(window.recent_edges().values().next().unwrap().data_segs_out, 8 + 9 + 10);
}

/// Whatever the tick and the window, the sums of the last seconds are those of the slots that end in them.
#[test]
fn running_sums_of_the_last_seconds_equal_those_of_their_slots() {
    for (tick_ms, length_s) in [(100, 10), (700, 10), (1_000, 2), (1_000, 5), (2_500, 10), (5_000, 300)] {
        let mut window = Window::new(Duration::from_secs(length_s));
        for tick in 1..=40 {
            let at = Duration::from_millis(tick * tick_ms);
            let tally = Tally { data_segs_out: tick, ..Tally::default() };
            let times = Responses { network_us: tick, ..Responses::default() };
            let mut frame = Frame { at, elapsed: Duration::from_millis(tick_ms), ..Frame::default() };
            let edge = EdgeKey::new(tick % 3, [0; 16]);
            frame.growth.edges.push((edge, tally));
            frame.growth.responses.push((edge, times));
            window.push(frame);
            let begin = at.saturating_sub(RECENT);
            let slots = || window.slots.iter().filter(|slot| slot.at > begin);
            let (mut edges, mut responses) = (HashMap::new(), HashMap::new());
            slots().for_each(|slot| add::<netwhy_abi::Edges>(&mut edges, &slot.growth.edges));
            slots().for_each(|slot| add::<ResponseTimes>(&mut responses, &slot.growth.responses));
            assert_eq!(*window.recent_edges(), edges, "tick {tick} of {tick_ms} ms");
            assert_eq!(*window.recent_responses(), responses, "tick {tick} of {tick_ms} ms");
        }
    }
}

#[test]
fn only_the_last_frame_says_which_edges_answered() {
    let answer = |at: f64, cgroup: u64| {
        let mut frame = Frame { at: Duration::from_secs_f64(at), ..Frame::default() };
        let tally = Tally { bytes_acked: 1, ..Tally::default() };
        frame.growth.edges.push((EdgeKey::new(cgroup, [0; 16]), tally));
        frame
    };
    let mut window = Window::new(Duration::from_secs(5));
    window.push(answer(1.0, 1));
    // So close that both share a slot.
    window.push(answer(1.1, 2));
    assert_eq!(window.answered(), &HashSet::from([EdgeKey::new(2, [0; 16])]));
}

#[test]
fn an_edge_without_news_leaves_the_window() {
    let mut window = Window::new(Duration::from_secs(2));
    window.push(frame(1, 5, 0));
    for at in 2..5 {
        window.push(Frame { at: Duration::from_secs(at), elapsed: Duration::from_secs(1), ..Frame::default() });
    }
    assert!(window.sums().edges.is_empty());
}

#[test]
fn a_changed_length_applies_from_the_next_frame_on() {
    let mut window = Window::new(Duration::from_secs(5));
    (1..=5).for_each(|at| window.push(frame(at, 1, 0)));
    let segments = |window: &Window| window.sums().edges.values().next().unwrap().data_segs_out;
    assert_eq!(segments(&window), 5);
    window.set_length(Duration::from_secs(2));
    window.push(frame(6, 1, 0));
    assert_eq!((segments(&window), window.covered()), (2, Duration::from_secs(2)));
    window.set_length(Duration::from_secs(4));
    (7..=10).for_each(|at| window.push(frame(at, 1, 0)));
    assert_eq!((segments(&window), window.covered()), (4, Duration::from_secs(4)));
}
