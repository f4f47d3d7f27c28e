use super::*;

/// The sum of what readings of one figure bring.
fn sum(readings: &[u32], may_restart: bool) -> u64 {
    readings.windows(2).fold(0, |sum: u64, pair| sum.wrapping_add(growth(pair[0], pair[1], may_restart)))
}

#[test]
fn a_figure_that_wraps_goes_on_counting() {
    for may_restart in [false, true] {
        assert_eq!(growth(u32::MAX, 0, may_restart), 1);
        assert_eq!(growth(u32::MAX - 9, 20, may_restart), 30);
        // Three times around in steps of an hour at 1 Gbit/s.
        let step = 310_000_000u32;
        let readings: Vec<u32> = (0..42u32).map(|hour| hour.wrapping_mul(step)).collect();
        assert_eq!(sum(&readings, may_restart), 41 * u64::from(step), "{may_restart}");
    }
}

#[test]
fn readings_that_overtake_each_other_add_up() {
    let last = 1_000_000u32.wrapping_sub(u32::MAX - 100) as u64;
    for readings in [
        [u32::MAX - 100, u32::MAX - 10, u32::MAX - 50, 1_000_000],
        [u32::MAX - 100, 500, u32::MAX - 3, 1_000_000],
        [u32::MAX - 100, 2_000_000, 999_999, 1_000_000],
    ] {
        assert_eq!(sum(&readings, false), last, "{readings:?}");
    }
    assert_eq!(growth(10, 7, false), 3u64.wrapping_neg());
}

#[test]
fn a_socket_that_connected_anew_unseen_counts_from_zero() {
    assert_eq!(growth(10_000, 12, true), 12);
    assert_eq!(growth(HALF - 1, 12, true), 12);
    assert_eq!(growth(10_000, 9_999, true), 1u64.wrapping_neg(), "no more than a race");
    assert_eq!(growth(HALF + 5, 4, true), u64::from(HALF - 1), "above half it is a wrap");
}
