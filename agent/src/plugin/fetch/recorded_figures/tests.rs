use super::*;
use crate::plugin::model::testing::{NOW_MS, node_row};

#[test]
fn figures_are_signals_of_the_agents() {
    let row = node_row();
    let known: Vec<(f64, f64)> = FIGURES.iter().filter_map(|figure| point(figure, &row)).collect();
    assert_eq!(known.len(), 3, "{:?}", row.signals);
    assert_eq!(known[2], (40_960.0, 49_152.0), "bytes, not pages");
}

#[test]
fn memory_counts_in_the_nodes_own_pages_and_a_guess_is_stated() {
    let tcp_memory = FIGURES.iter().find(|figure| figure.name == "TCP memory").unwrap();
    let mut row = node_row();
    let at = row.signals.iter().position(|signal| signal.signal == PAGE).unwrap();
    row.signals[at].value = Some(65_536);
    assert_eq!(point(tcp_memory, &row), Some((655_360.0, 786_432.0)));
    assert!(!guesses_page(&row));
    row.signals.remove(at);
    assert_eq!(point(tcp_memory, &row), Some((40_960.0, 49_152.0)));
    assert!(guesses_page(&row));
    row.signals.retain(|signal| signal.unit != PAGES);
    assert!(!guesses_page(&row), "nothing was counted");
    let recorded = |node: &str, guesses_page| Recorded { node: node.to_owned(), points: Vec::new(), guesses_page };
    assert_eq!(guessed_pages(&[recorded("a", false)]), None);
    let fact = guessed_pages(&[recorded("a", false), recorded("b", true), recorded("c", true)]).unwrap();
    assert_eq!(fact.figures, "not recorded on b, c: TCP memory is counted in pages of 4096 bytes");
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
