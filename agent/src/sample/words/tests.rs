use super::*;
use netwhy_abi::{CgroupStats, DnsStats, EdgeStats, ResponseStats};
use std::fmt::Debug;

/// A value whose words are all different.
fn counted<T: Words>() -> T {
    T::take(&mut (1..))
}

fn comes_back<T: Words + PartialEq + Debug>() {
    let value: T = counted();
    let mut words = Vec::new();
    value.put(&mut words);
    assert_eq!(words.len(), T::WORDS);
    assert_eq!(T::parts().iter().map(|(_, n)| n).sum::<usize>(), T::WORDS);
    assert_eq!(T::take(&mut words.iter().copied()), value);
}

#[test]
fn rows_and_keys_come_back_from_their_words() {
    comes_back::<EdgeStats>();
    comes_back::<CgroupStats>();
    comes_back::<ResponseStats>();
    comes_back::<DnsStats>();
    comes_back::<EdgeKey>();
    comes_back::<OverflowKey>();
    comes_back::<DropKey>();
    comes_back::<u64>();
}

#[test]
fn missing_words_are_zero_and_too_large_ones_are_cut() {
    assert_eq!(EdgeKey::take(&mut std::iter::empty()), EdgeKey::new(0, [0; 16]));
    let key = EdgeKey::take(&mut std::iter::repeat(u64::MAX));
    assert_eq!((key.port, key.role), (u16::MAX, u8::MAX));
}

#[test]
fn packed_slots_change_by_small_numbers() {
    let mut words = Vec::new();
    RotatingMin([7 << 32 | 250, 0, 0, 0]).put(&mut words);
    assert_eq!(words[..2], [7, 250]);
    words.clear();
    Fill(7 << 32 | 3 << 16 | 5_000).put(&mut words);
    assert_eq!(words, [7, 3, 5_000]);
}
