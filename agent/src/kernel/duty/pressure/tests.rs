use super::*;
use crate::sample::Pressure;

/// Updates once a second with a Pod's pressure at this share; returns the last answer.
fn run(state: &mut CpuPressure, clock: &mut (u64, u64), seconds: u64, share: f64) -> bool {
    let mut is_high = false;
    for _ in 0..seconds {
        clock.0 += 1;
        clock.1 += (share * 1e6) as u64;
        // Read every other second.
        let read = clock.1 - if clock.0.is_multiple_of(2) { 0 } else { (share * 1e6) as u64 };
        let pressure = Some(Pressure { cpu_some_us: read, ..Pressure::default() });
        let group = CgroupFacts { id: 7, pressure, ..CgroupFacts::default() };
        is_high = state.update(Duration::from_secs(clock.0), &[group], None);
    }
    is_high
}

#[test]
fn high_after_seconds_of_pressure_and_until_long_after_it() {
    let (mut state, mut clock) = (CpuPressure::default(), (0, 0));
    assert!(!run(&mut state, &mut clock, 60, 0.08), "below the limit");
    assert!(!run(&mut state, &mut clock, 5, 0.5));
    assert!(run(&mut state, &mut clock, 5, 0.5), "pressure lasts");
    assert!(run(&mut state, &mut clock, 60, 0.07), "between the limits nothing changes");
    assert!(run(&mut state, &mut clock, 20, 0.0));
    assert!(!run(&mut state, &mut clock, 20, 0.0));
}

#[test]
fn short_bursts_are_ignored() {
    let (mut state, mut clock) = (CpuPressure::default(), (0, 0));
    for _ in 0..10 {
        assert!(!run(&mut state, &mut clock, 2, 0.5));
        assert!(!run(&mut state, &mut clock, 10, 0.0));
    }
}

#[test]
fn pressure_of_the_node_alone_is_enough() {
    let mut state = CpuPressure::default();
    let at = |state: &mut CpuPressure, second: u64| {
        let counters = vec![(Signal::PressureCpuSome, None, second * 400_000)];
        let host = HostSample { counters, ..HostSample::default() };
        state.update(Duration::from_secs(second), &[], Some(&host))
    };
    assert!((1..8).all(|second| !at(&mut state, second)));
    assert!(at(&mut state, 8));
}
