use super::*;

const LIMIT: u64 = 1000;

fn follow(pressure: &mut Pressure, used: u64) -> MemoryLevel {
    pressure.follow(Reading { limit: Some(LIMIT), used: Some(used) }).level
}

#[test]
fn a_level_begins_at_its_share_and_ends_well_below() {
    use MemoryLevel::{Critical, Near, Ok};
    let mut pressure = Pressure::default();
    let course = [(700, Ok), (750, Near), (710, Near), (880, Critical), (840, Critical), (820, Near), (699, Ok)];
    for (used, level) in course {
        assert_eq!(follow(&mut pressure, used), level, "{used} of {LIMIT}");
    }
}

#[test]
fn room_ends_at_the_shares_and_exactness_outlasts_timeliness() {
    let mut pressure = Pressure::default();
    let room = |pressure: &mut Pressure, used| {
        let Headroom { timely, exact, .. } = pressure.follow(Reading { limit: Some(LIMIT), used: Some(used) });
        (timely, exact)
    };
    assert_eq!(room(&mut pressure, 500), (Some(250), Some(380)));
    assert_eq!(room(&mut pressure, 800), (Some(0), Some(80)));
    // Still near: what was freed is not given away again at once.
    assert_eq!(room(&mut pressure, 720), (Some(0), Some(160)));
    assert_eq!(room(&mut pressure, 2000), (Some(0), Some(0)));
}

#[test]
fn without_a_limit_or_a_known_use_there_is_no_bound() {
    for reading in [Reading { limit: None, used: Some(1 << 40) }, Reading { limit: Some(1), used: None }] {
        assert_eq!(Pressure::default().follow(reading), Headroom::default());
    }
}

#[test]
fn the_first_walk_gets_half_of_the_room() {
    let headroom = Pressure::default().start(Reading { limit: Some(LIMIT), used: Some(150) });
    assert_eq!((headroom.timely, headroom.exact), (Some(300), Some(365)));
}
