use super::*;

#[test]
fn ports_lose_their_room_at_three_quarters_and_addresses_when_nothing_is_freed() {
    let left = |rows, is_freed| Room::left_by(rows, 100, is_freed);
    assert_eq!((left(0, false), left(74, false)), (Room::Enough, Room::Enough));
    assert_eq!((left(75, false), left(99, false)), (Room::Scarce, Room::Scarce));
    assert_eq!((left(100, false), left(100, true)), (Room::None, Room::Scarce));
}

#[test]
fn near_the_memory_limit_no_new_port_and_then_no_new_address_gets_an_edge() {
    let at = |level| [Room::Enough, Room::Scarce, Room::None].map(|room| room.at(level));
    assert_eq!(at(MemoryLevel::Ok), [Room::Enough, Room::Scarce, Room::None]);
    assert_eq!(at(MemoryLevel::Near), [Room::Scarce, Room::Scarce, Room::None]);
    assert_eq!(at(MemoryLevel::Critical), [Room::None; 3]);
}
