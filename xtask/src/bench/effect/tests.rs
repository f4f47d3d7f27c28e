use super::*;

#[test]
fn stolen_time_is_the_eighth_figure_and_guests_are_not_counted_twice() {
    let text = "cpu  10 1 20 60 2 3 4 50 7 8\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
    let cpu = CpuTime::of(text).unwrap();
    assert_eq!((cpu.all, cpu.stolen), (150, 50));
    assert!(CpuTime::of("cpu0 1 2 3\n").is_none() && CpuTime::of("cpu  1 2 3\n").is_none());
}
