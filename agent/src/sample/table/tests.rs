//! The worked example of docs/adding-a-counter.md: a row and a family of their own, declared as real ones are, on
//! their way from the kernel's map to a window and a recording.

#![expect(unreachable_pub, reason = "the macros declare public items, as the real rows need")]

use super::*;
use crate::sample::{
    ledger::growth,
    stored::{restore, store},
    window,
};
use netwhy_abi::{Durations, declare_families, declare_rows, memory::Limits};

/// The declaration of a row, in the form of `netwhy_abi::rows!`.
macro_rules! echo_rows {
    ($then:ident! {}) => {
        $then! {
            {}
            /// Echoes of one cgroup.
            EchoStats, 424 bytes, summed as Echoes {
                /// Times until the echo came.
                times: Durations,
                /// Echoes by loudness.
                heard: [u64; 2],
                /// Calls without an echo.
                unheard: u64,
            }
        }
    };
}

echo_rows!(declare_rows! {});
echo_rows!(declare_sums! {});
echo_rows!(declare_words! {});

declare_families! {
    {}
    /// Echoes by cgroup: one row per cgroup.
    echoes: EchoFamily = ECHOES in Main, u64 => EchoStats, limits.cgroups;
}

fn row(unheard: u64, heard: [u64; 2], bucket: usize) -> EchoStats {
    let mut row = EchoStats { heard, unheard, ..EchoStats::ZERO };
    row.times.buckets[bucket] = 3;
    row.times.sum = 120;
    row
}

#[test]
fn a_declared_row_is_summed_over_a_window_and_forgotten_with_it() {
    let mut highest = HashMap::new();
    let mut sums = HashMap::new();
    let mut read = |row| growth::<EchoFamily>(&mut highest, &Rows { rows: vec![(7, row)], gone: vec![] });
    let first = read(row(5, [1, 2], 4));
    let second = read(row(9, [1, 4], 4));
    assert!(read(row(9, [1, 4], 4)).is_empty(), "nothing was counted");
    window::add::<EchoFamily>(&mut sums, &first);
    window::add::<EchoFamily>(&mut sums, &second);
    let sum: &Echoes = &sums[&7];
    assert_eq!((sum.unheard, sum.heard, sum.times.counts(), sum.times.sum_us), (9, [1, 4], &[(4, 3)][..], 120));
    window::subtract::<EchoFamily>(&mut sums, &first);
    assert_eq!(sums[&7], Echoes { unheard: 4, heard: [0, 2], ..Echoes::default() });
    window::subtract::<EchoFamily>(&mut sums, &second);
    assert!(sums.is_empty());
}

#[test]
fn a_declared_row_comes_back_from_its_words() {
    let (row, mut words) = (row(5, [1, 2], 4), Vec::new());
    row.put(&mut words);
    assert_eq!((words.len(), EchoStats::take(&mut words.into_iter())), (EchoStats::WORDS, row));
    assert_eq!(EchoStats::parts(), [("times", Durations::<1>::WORDS), ("heard", 2), ("unheard", 1)]);
}

#[test]
fn a_row_that_was_taken_out_counts_from_zero_again() {
    let mut highest = HashMap::new();
    let mut read = |n, gone| growth::<EchoFamily>(&mut highest, &Rows { rows: vec![(7, row(n, [0, 0], 0))], gone });
    read(5, vec![7]);
    assert_eq!(read(2, vec![])[0].1.unheard, 2);
}

#[test]
fn a_declared_row_is_recorded_and_comes_back() {
    let rows = Rows::<EchoFamily> { rows: vec![(7, row(5, [0, 2], 4)), (8, EchoStats::ZERO)], gone: vec![9] };
    let mut line = serde_json::Map::new();
    store(&rows, &mut line);
    let expected = serde_json::json!({
        "echoes": [[7, { "times": { "counts": [[4, 3]], "sum": 120 }, "heard": [0, 2], "unheard": 5 }], [8, 0]],
        "gone_echoes": [9],
    });
    assert_eq!(serde_json::Value::from(line.clone()), expected);
    let back = restore::<EchoFamily>(&mut line, 2).unwrap();
    assert_eq!((back.rows, back.gone), (rows.rows, rows.gone));
    assert!(line.is_empty());
}

#[test]
fn the_capacity_is_the_limit_that_the_declaration_names() {
    let limits = Limits { cgroups: 3, edges: 4, drops: 5, prefixes: 6 };
    assert_eq!((EchoFamily::capacity(&limits), EchoFamily::MAP, EchoFamily::NAME), (3, "ECHOES", "echoes"));
}
