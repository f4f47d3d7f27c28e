use super::*;

#[test]
fn offsets_are_those_of_the_monotonic_clock() {
    assert_eq!(offset_ns("monotonic           0         0\nboottime            0         0\n"), 0);
    assert_eq!(offset_ns("boottime 5 0\nmonotonic 86400 5\n"), 86_400_000_000_005);
    assert_eq!(offset_ns("monotonic -2 0\n"), -2_000_000_000);
    assert_eq!(offset_ns("nothing\n"), 0);
}

#[test]
fn without_a_namespace_of_its_own_it_is_the_systems_clock() {
    let before = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let now = monotonic();
    let after = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = now.as_secs() as i64;
    let offsets = fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
    if offset_ns(&offsets) == 0 {
        assert!((before.tv_sec..=after.tv_sec).contains(&seconds), "{now:?}");
    }
}
