use super::*;
use netwhy_abi::memory::{ADDRESSES, SOCKET_STORAGE, TURN_STORAGE};

const STORAGE: States = States::InStorage;
const BY_ADDRESS: States = States::ByAddress { rows: ADDRESSES, has_turns: true };

#[test]
fn the_room_counts_the_storage_of_response_times_too() {
    let bytes = 1 << 20;
    let (without, with) = (sockets(Some(bytes), STORAGE, false), sockets(Some(bytes), STORAGE, true));
    assert!(without * SOCKET_STORAGE as u64 <= bytes && (without + 1) * SOCKET_STORAGE as u64 > bytes, "{without}");
    let both = (SOCKET_STORAGE + TURN_STORAGE) as u64;
    assert!(with * both <= bytes && (with + 1) * both > bytes, "{with}");
}

#[test]
fn the_room_counts_rows_where_states_are_kept_by_address() {
    let bytes = 1 << 20;
    assert_eq!(sockets(Some(bytes), BY_ADDRESS, false), bytes / 200);
    assert_eq!(sockets(Some(bytes), BY_ADDRESS, true), bytes / 400);
}

#[test]
fn much_room_is_no_bound() {
    for (states, has_responses) in [(STORAGE, false), (STORAGE, true), (BY_ADDRESS, true)] {
        assert_eq!(sockets(None, states, has_responses), UNBOUNDED);
        assert_eq!(sockets(Some(1 << 40), states, has_responses), UNBOUNDED);
        assert_eq!(sockets(Some(0), states, has_responses), 0);
    }
}
