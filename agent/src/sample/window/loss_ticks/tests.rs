use super::*;
use crate::sample::Tally;

const LENGTH: Duration = Duration::from_secs(10);

fn key() -> EdgeKey {
    EdgeKey::new(1, [0; 16])
}

/// The ticks of these seconds. `episodes`: of each.
fn after(episodes: impl IntoIterator<Item = u64>) -> LossTicks {
    let mut ticks = AllLossTicks::default();
    for (at, loss_episodes) in (1..).zip(episodes) {
        let mut frame = Frame { at: Duration::from_secs(at), elapsed: Duration::from_secs(1), ..Frame::default() };
        frame.growth.edges.push((key(), Tally { loss_episodes, ..Tally::default() }));
        ticks.push(&frame, LENGTH);
    }
    ticks.of(&key())
}

#[test]
fn each_tick_of_the_window_with_a_loss_has_its_bit() {
    assert_eq!(after([]), LossTicks::default());
    assert_eq!(after([0, 3, 0, 1]), LossTicks { lossy: 0b101, all: 4 });
    // The first two are older than the window.
    assert_eq!(after([5, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0, 7]), LossTicks { lossy: 0b10_0000_0001, all: 10 });
}

#[test]
fn a_burst_is_no_loss_that_goes_on() {
    assert_eq!(after([0, 0, 0, 0, 0, 0, 0, 90, 90, 0]).are_most(), Some(false));
    assert_eq!(after([1, 0, 1, 0, 1, 0, 1, 0, 1, 0]).are_most(), Some(true));
    assert_eq!(LossTicks::default().are_most(), None);
}

#[test]
fn edges_of_one_time_share_their_ticks() {
    let mut sum = LossTicks { lossy: 0b0011, all: 4 };
    sum.add(LossTicks { lossy: 0b1010, all: 4 });
    assert_eq!(sum, LossTicks { lossy: 0b1011, all: 4 });
}

#[test]
fn a_frame_of_no_time_is_no_tick() {
    let mut ticks = AllLossTicks::default();
    let mut frame = Frame { at: Duration::from_secs(1), ..Frame::default() };
    frame.growth.edges.push((key(), Tally { loss_episodes: 9, ..Tally::default() }));
    ticks.push(&frame, LENGTH);
    assert_eq!(ticks.of(&key()), LossTicks::default());
}

/// Ticks of a tenth of a second in a window of minutes.
#[test]
fn the_newest_ticks_are_known_where_there_are_many() {
    let mut ticks = AllLossTicks::default();
    for at in 1..=200 {
        let tick = Duration::from_millis(100);
        let mut frame = Frame { at: tick * at, elapsed: tick, ..Frame::default() };
        frame.growth.edges.push((key(), Tally { loss_episodes: 1, ..Tally::default() }));
        ticks.push(&frame, Duration::from_secs(300));
    }
    assert_eq!(ticks.of(&key()), LossTicks { lossy: u64::MAX, all: 64 });
}
