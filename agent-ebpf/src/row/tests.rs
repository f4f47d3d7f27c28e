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
