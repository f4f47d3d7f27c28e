use super::*;

const SIZE: u64 = 16 << 20;

/// The most that a new agent can hold.
fn most(room: &Arc<Room>) -> (Held, u64) {
    let mut held = room.account().hold();
    let step = 4096;
    let mut bytes = 0;
    while held.resize(bytes + step) {
        bytes += step;
    }
    (held, bytes)
}

#[test]
fn an_agent_leaves_as_much_as_it_takes() {
    let room = Room::new(SIZE);
    let (first, half) = most(&room);
    let (_second, quarter) = most(&room);
    assert_eq!((half, quarter), (OWN + SIZE / 2, OWN + SIZE / 4));
    // However many take all they can, an ordinary answer finds its place.
    let others: Vec<_> = (0..100).map(|_| most(&room)).collect();
    assert!(others.iter().all(|(_, bytes)| *bytes >= OWN));
    let all = half + quarter + others.iter().map(|(_, bytes)| bytes).sum::<u64>();
    assert!(all <= SIZE + 102 * OWN, "{all}");
    drop((first, others));
    assert_eq!(*lock(&room.free), SIZE - SIZE / 4);
}

#[test]
fn what_is_kept_stays_counted_until_a_summary_replaces_it() {
    let room = Room::new(SIZE);
    let account = room.account();
    for _ in 0..2 {
        let mut held = account.hold();
        assert!(held.resize(1 << 20));
        held.keep();
    }
    assert_eq!(*lock(&room.free), SIZE - (2 << 20) + OWN);
    account.keep_only(OWN / 2);
    assert_eq!((*lock(&room.free), *lock(&account.used)), (SIZE, OWN / 2));
    account.keep_only(OWN);
    assert_eq!(*lock(&account.used), OWN / 2, "it can only fall");
    assert_eq!(*lock(&room.again().room().free), SIZE);
}
