use super::*;
use crate::sample::Tally;

fn key() -> EdgeKey {
    EdgeKey::new(1, [0; 16])
}

/// A tick that ends then, with SYN-ACKs that were sent again and handshakes that completed.
fn push(seconds: &mut Unfinished, at_ms: u64, (again, completed): (u64, u64)) {
    let (at, elapsed) = (Duration::from_millis(at_ms), Duration::from_millis(1));
    let mut frame = Frame { at, elapsed, ..Frame::default() };
    let mut tally = Tally { connects: [0, completed], ..Tally::default() };
    tally.retransmits[Retransmit::SynAck as usize] = again;
    frame.growth.edges.push((key(), tally));
    seconds.push(&frame);
}

/// Ticks of these times (ms), each with one SYN-ACK that was sent again.
fn after(ticks: impl IntoIterator<Item = u64>) -> u16 {
    let mut seconds = Unfinished::default();
    ticks.into_iter().for_each(|at_ms| push(&mut seconds, at_ms, (1, 0)));
    seconds.of(&key())
}

#[test]
fn each_second_with_a_synack_sent_again_has_its_bit() {
    let mut seconds = Unfinished::default();
    for (at, again) in (1..).zip([2, 0, 1, 0]) {
        push(&mut seconds, at * 1_000, (again, 0));
    }
    assert_eq!(seconds.of(&key()), 0b1010);
    // They are forgotten, with their edge.
    (5..21).for_each(|at| push(&mut seconds, at * 1_000, (0, 0)));
    assert!(seconds.edges.is_empty(), "{seconds:?}");
}

#[test]
fn a_handshake_that_completes_ends_all_before_it() {
    let mut seconds = Unfinished::default();
    (1..6).for_each(|at| push(&mut seconds, at * 1_000, (3, 0)));
    push(&mut seconds, 6_000, (3, 1));
    assert_eq!(seconds.of(&key()), 0);
    push(&mut seconds, 7_000, (1, 0));
    assert_eq!(seconds.of(&key()), 1);
}

#[test]
fn ticks_make_seconds_whatever_their_length() {
    // They come a little early or late.
    assert_eq!(after([1_000, 1_995, 3_004, 3_999, 5_001]), 0b1_1111);
    assert_eq!(after((1..=20).map(|tick| 1_000 + tick * 100)), 0b111);
    assert_eq!(after([2_000, 4_000, 6_000]), 0b1_0101);
}

#[test]
fn a_frame_of_no_time_is_no_tick() {
    let mut seconds = Unfinished::default();
    let mut frame = Frame { at: Duration::from_secs(1), ..Frame::default() };
    let mut tally = Tally::default();
    tally.retransmits[Retransmit::SynAck as usize] = 9;
    frame.growth.edges.push((key(), tally));
    seconds.push(&frame);
    assert_eq!(seconds.of(&key()), 0);
}
