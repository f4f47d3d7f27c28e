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
