use super::*;

#[test]
fn slot_words_round_trip() {
    assert_eq!(min_slot_unpack(min_slot_pack(7, 123)), (7, 123));
    assert_eq!(min_slot_epoch(3 << 32), 3);
}

#[test]
fn the_lowest_value_comes_from_recent_slots_only() {
    let slots = RotatingMin([min_slot_pack(8, 50), min_slot_pack(9, 90), min_slot_pack(10, 70), min_slot_pack(7, 10)]);
    assert_eq!(slots.lowest(10, 2), Some(50));
    assert_eq!(slots.lowest(11, 2), Some(70));
    assert_eq!(slots.lowest(20, 2), None);
    assert_eq!(RotatingMin::ZERO.lowest(0, 2), None);
}

#[test]
fn a_walks_findings_are_its_own_and_get_old() {
    let mut found = Found::ZERO;
    found.add(7, 10_000_000_000, 2);
    found.add(7, 10_300_000_000, 3);
    assert_eq!(found.since(9_900_000_000), Some(5));
    assert_eq!(found.since(11_000_000_000), None);
    found.add(8, 11_000_000_000, 1);
    assert_eq!(found.since(10_900_000_000), Some(1));
}

#[test]
fn the_fullest_of_one_walk_counts_until_the_next_one() {
    let mut fill = Fill::ZERO;
    assert_eq!(fill.since(1_000_000_000), None);
    for parts in [3, 9_000, 20] {
        fill.raise(7, 10_000_000_000, parts);
    }
    assert_eq!(fill.since(9_900_000_000), Some(9_000));
    assert_eq!(fill.since(11_000_000_000), None, "a walk that found nothing");
    fill.raise(8, 11_000_000_000, 20);
    assert_eq!(fill.since(10_900_000_000), Some(20), "another walk begins anew");
}

#[test]
fn a_queue_is_full_when_the_next_one_is_turned_away() {
    // `sk_acceptq_is_full`: more wait than `sk_max_ack_backlog`.
    assert_eq!([0, 1, 64, 128, 129].map(|waiting| fill_parts(waiting, 128)), [0, 77, 4_961, 9_922, FILL_PARTS]);
    assert_eq!(fill_parts(1, 0), FILL_PARTS);
    assert_eq!((fill_parts(500, 1), fill_parts(u32::MAX, 0)), (FILL_PARTS, FILL_PARTS), "a backlog that was lowered");
    assert_eq!((fill_parts(1, u32::MAX), fill_parts(u32::MAX, u32::MAX)), (1, 9_999));
}
