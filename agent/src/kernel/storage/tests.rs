use super::*;

#[test]
fn the_room_counts_the_storage_of_response_times_too() {
    let bytes = 1 << 20;
    let (without, with) = (sockets(Some(bytes), false), sockets(Some(bytes), true));
    assert!(without * SOCKET_STORAGE as u64 <= bytes && (without + 1) * SOCKET_STORAGE as u64 > bytes, "{without}");
    let both = (SOCKET_STORAGE + TURN_STORAGE) as u64;
    assert!(with * both <= bytes && (with + 1) * both > bytes, "{with}");
}

#[test]
fn much_room_is_no_bound() {
    for has_responses in [false, true] {
        assert_eq!(sockets(None, has_responses), UNBOUNDED);
        assert_eq!(sockets(Some(1 << 40), has_responses), UNBOUNDED);
        assert_eq!(sockets(Some(0), has_responses), 0);
    }
}
