use super::*;
use crate::hints::testing::healthy;

/// A tick at each of these seconds. `timeouts`: in the window that ends then.
fn after(ticks: &[(u64, u64)]) -> Moments {
    let mut memory = MomentMemory::default();
    for (second, timeouts) in ticks {
        let mut edge = healthy("cart", "10.0.0.7");
        edge.window.retransmits[Retransmit::Timeout as usize] = *timeouts;
        edge.answered = *timeouts == 0;
        memory.observe(&edge, Duration::from_millis(second * 1_000 + 300));
    }
    memory.get()
}

#[test]
fn seconds_with_new_timeouts_and_with_answers_have_their_bits() {
    let moments = after(&[(1, 0), (2, 3), (3, 3), (4, 5)]);
    // Its two connections were made at the begin.
    assert_eq!(moments, Moments { lost: 0b101, timed_out: 0b101, answered: 0b1000, opened: 0b1000 });
}

#[test]
fn seconds_without_a_tick_pass_too() {
    assert_eq!(after(&[(1, 2), (9, 2)]).timed_out, 1 << 8);
    // Two ticks of one second.
    assert_eq!(after(&[(5, 2), (5, 2)]).timed_out, 1);
}

#[test]
fn a_minute_is_remembered() {
    assert_eq!(after(&[(1, 2), (60, 2)]).timed_out, 1 << 59);
    assert_eq!(after(&[(1, 2), (61, 2)]).timed_out, 0);
    assert_eq!(after(&[(1, 2), (9_000, 2)]).timed_out, 0);
}
