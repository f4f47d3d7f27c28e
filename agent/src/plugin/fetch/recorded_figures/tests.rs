use super::*;
use crate::plugin::model::testing::{NOW_MS, node_row};

#[test]
fn figures_are_signals_of_the_agents() {
    let row = node_row();
    let known: Vec<(f64, f64)> = FIGURES.iter().filter_map(|figure| point(figure, &row)).collect();
    assert_eq!(known.len(), 3, "{:?}", row.signals);
    let page = rustix::param::page_size() as f64;
    assert!(known[2].0 >= page && known[2].0 % page == 0.0, "bytes, not pages: {known:?}");
}

#[test]
fn a_node_is_measured_by_the_line_through_its_moments() {
    let points: Vec<(f64, f64, f64)> =
        (0..10).map(|n| (NOW_MS as f64 / 1e3 + 60.0 * f64::from(n), 60.0 * f64::from(n), 3600.0)).collect();
    assert_eq!(length(&points), 540);
    let one = measured("a", &points).unwrap();
    assert!((one.line.per_second - 1.0).abs() < 1e-6 && (one.line.value - 540.0).abs() < 1e-6, "{one:?}");
    assert_eq!(measured("a", &points[..1]), None);
    let mut summary = Summary::default();
    summary.take(&FIGURES[0], "a", &points);
    summary.take(&FIGURES[0], "b", &[(0.0, 1.0, 3600.0)]);
    assert_eq!((summary.fullest.as_deref(), summary.fullest_share), (Some("a"), Some(0.15)));
}
