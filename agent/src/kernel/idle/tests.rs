use super::*;

#[test]
fn a_row_is_idle_from_its_last_change_on() {
    let mut idle = Idle::default();
    let at = Duration::from_secs;
    assert_eq!(idle.changed(at(0), &[(1, 5u64), (2, 5)]), [(1, 5), (2, 5)]);
    assert_eq!(idle.changed(at(9), &[(1, 5u64), (2, 6)]), [(2, 6)]);
    assert_eq!(idle.take_older(at(10), |_| at(9)), [1]);
    assert_eq!(idle.take_older(at(10), |_| at(9)), [] as [i32; 0], "reported once");
    assert_eq!(idle.changed(at(11), &[(1, 5u64)]), [(1, 5)], "a row that comes back is new");
}

#[test]
fn each_row_has_its_own_limit() {
    let mut idle = Idle::default();
    let at = Duration::from_secs;
    idle.changed(at(0), &[(1, 5u64), (2, 5)]);
    assert_eq!(idle.take_older(at(4), |key| at(if *key == 1 { 3 } else { 9 })), [1]);
}
