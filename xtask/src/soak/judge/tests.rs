use super::*;

/// A run of a minute whose resident memory is so.
fn run(resident_mib: impl Fn(f64) -> f64) -> Vec<Sample> {
    let sample = |i: u32| {
        let seconds = f64::from(i) * 2.0;
        Sample {
            seconds,
            resident: resident_mib(seconds) * MIB,
            kernel: 6.0 * MIB,
            charged: None,
            descriptors: 120.0 + f64::from(i % 3),
            series: 900.0,
            tick_p99: if i == 20 { 1.0 } else { 0.004 },
        }
    };
    (1..=30).map(sample).collect()
}

#[test]
fn a_leak_after_the_warm_up_is_named() {
    let (table, leaks) = judge(&run(|seconds| 40.0 + seconds / 5.0), 20.0);
    assert_eq!(leaks, ["RSS"], "{table}");
    assert!(table.contains("| RSS, MiB | 48.2 | +7.60 |") && table.contains("LEAK"), "{table}");
}

#[test]
fn growth_that_ends_with_the_warm_up_is_none() {
    let (table, leaks) = judge(&run(|seconds| 40.0 + seconds.min(20.0)), 20.0);
    assert!(leaks.is_empty(), "{table}");
    assert!(!table.contains("cgroup memory"), "a figure that nobody read is not judged: {table}");
}

#[test]
fn a_row_tells_what_was_not_read() {
    assert_eq!(row(&run(|_| 40.0)[0]), "| 2 | 40.0 | 6.0 | none | 121 | 900 | 4.0 |");
}
