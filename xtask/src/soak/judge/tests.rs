use super::*;
use crate::soak::charge::Charge;

/// A run of a minute whose resident memory is so, MiB.
fn run(resident_mib: impl Fn(f64) -> f64) -> Vec<Sample> {
    let sample = |i: u32| {
        let seconds = f64::from(i) * 2.0;
        Sample {
            seconds,
            resident: resident_mib(seconds) * MIB,
            kernel: 6.0 * MIB,
            charge: None,
            descriptors: 120.0 + f64::from(i % 3),
            series: 900.0,
            tick_p99: if i == 20 { 1.0 } else { 0.004 },
        }
    };
    (1..=30).map(sample).collect()
}

/// A run whose cgroup holds a MiB per second more, in this part.
fn run_with_part(grows: &'static str) -> Vec<Sample> {
    let mut samples = run(|_| 40.0);
    for sample in &mut samples {
        let grown = sample.seconds * MIB;
        let bytes = |part: &'static str| (part, if part == grows { grown } else { 3.0 * MIB });
        let parts = ["anon", "percpu", "slab_unreclaimable", "memory.kmem.usage_in_bytes"].map(bytes).to_vec();
        // A sum of others, and page cache: neither is a cause.
        let sums = [("kernel", grown), ("inactive_file", 2.0 * grown)];
        sample.charge = Some(Charge { held: 50.0 * MIB + grown, parts: [&parts[..], &sums].concat() });
    }
    samples
}

#[test]
fn a_leak_after_the_warm_up_is_named() {
    let judgement = judge(&run(|seconds| 40.0 + seconds / 5.0), 20.0, 0.0);
    assert_eq!(judgement.leaks(), ["RSS"]);
}

#[test]
fn growth_that_ends_with_the_warm_up_is_none() {
    let judgement = judge(&run(|seconds| 40.0 + seconds.min(20.0)), 20.0, 0.0);
    assert!(judgement.leaks().is_empty());
    assert!(judgement.parts.is_empty());
    let is_cgroup = |judged: &Judged| judged.figure.name == CGROUP;
    assert!(!judgement.figures.iter().any(is_cgroup), "a figure that nobody read is not judged");
}

#[test]
fn growth_that_levels_off_is_no_leak_and_one_that_begins_late_is() {
    let levels_off = |seconds: f64| 60.0 - 20.0 * (-seconds / 10.0).exp();
    let judgement = judge(&run(levels_off), 0.0, 0.0);
    let resident = &judgement.figures[0];
    assert!(resident.growth.over_run > resident.limit, "else this shows nothing");
    assert!(judgement.leaks().is_empty());
    assert_eq!(judge(&run(|seconds| 40.0 + (seconds - 30.0).max(0.0)), 0.0, 0.0).leaks(), ["RSS"]);
}

#[test]
fn the_growth_of_a_cgroup_names_the_part_that_grows() {
    for part in ["percpu", "slab_unreclaimable"] {
        let judgement = judge(&run_with_part(part), 20.0, 0.0);
        assert_eq!(judgement.leaks(), [format!("cgroup memory (most of it {part}, +38.0 MiB)")]);
        assert_eq!(judgement.parts[0].0, "inactive_file", "the largest first, whatever it is");
    }
}

#[test]
fn kernel_memory_that_the_kernel_took_back_is_no_leak() {
    let samples = run_with_part("memory.kmem.usage_in_bytes");
    assert_eq!(judge(&samples, 20.0, 10.0 * MIB).leaks().len(), 1, "less than what it grew by");
    assert!(judge(&samples, 20.0, 30.0 * MIB).leaks().is_empty());
    assert_eq!(judge(&run(|seconds| 40.0 + seconds), 20.0, 30.0 * MIB).leaks(), ["RSS"], "not the kernel's");
}
