use super::*;

/// Half an hour of windows, each second a new one of ten seconds.
fn known(calls: u64, errors: u64) -> FailureMemory {
    let mut memory = FailureMemory::default();
    (0..1_800).for_each(|_| memory.learn(CallCounts { calls, errors, grpc: 0 }, 0.9998, 0.1));
    memory
}

fn fails(memory: &FailureMemory, calls: u64, errors: u64) -> bool {
    memory.judge(CallCounts { calls, errors, grpc: 0 }).is_some()
}

#[test]
fn a_rise_of_the_share_of_errors_is_found_and_chance_is_not() {
    let clean = known(50, 0);
    assert!(fails(&clean, 50, 6) && !fails(&clean, 50, 4));
    assert!(fails(&clean, 1_000, 40) && !fails(&clean, 1_000, 8));
    let noisy = known(50, 5);
    assert!(!fails(&noisy, 50, 9), "twice the usual share, by chance");
    assert!(fails(&noisy, 50, 25));
    assert!(!fails(&noisy, 10_000, 1_500), "certain, and of no importance");
}

#[test]
fn too_few_known_calls_say_nothing() {
    let mut new = FailureMemory::default();
    assert_eq!(new.usual(), None);
    assert!(!fails(&new, 50, 50));
    (0..20).for_each(|_| new.learn(CallCounts { calls: 40, errors: 0, grpc: 0 }, 0.9998, 0.1));
    assert!(!fails(&new, 50, 50), "80 calls");
    (0..20).for_each(|_| new.learn(CallCounts { calls: 40, errors: 0, grpc: 0 }, 0.9998, 0.1));
    assert!(fails(&new, 50, 50) && !fails(&new, 0, 0));
}

#[test]
fn a_usual_share_is_learnt_from_calls() {
    assert!((known(40, 4).usual().unwrap() - 0.1).abs() < 1e-9);
}
