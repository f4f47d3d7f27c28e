use super::*;

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

const DAY: Duration = Duration::from_secs(86_400);

fn measured(value: f64, per_second: f64, limit: f64) -> Measured {
    let line = Line { value, per_second, samples: 60 };
    Measured { which: String::new(), node: "node-a".into(), line, limit }
}

/// Tracked connections of node-a are full in five hours, an accept queue on node-b in two, and a map of the agent
/// there at once.
pub(crate) fn filling() -> Forecast {
    let map = Measured { which: "EDGES".into(), node: "node-b".into(), ..measured(65_600.0, 3.0, 65_536.0) };
    // A slope without rounding: a quarter is left, at 2⁻¹⁵ a second.
    let queue = Measured { which: "shop/cart-1".into(), node: "node-b".into(), ..measured(0.75, 1.0 / 32_768.0, 1.0) };
    let items = [
        Filling::of(&FIGURES[0], &measured(180_000.0, 4.0, 252_000.0), now(), DAY),
        Filling::of(&FIGURES[3], &map, now(), DAY),
        Filling::of(&FIGURES[5], &queue, now(), DAY),
    ];
    let summary = |resource: &str, filling, fullest: Option<(&str, f64)>| Summary {
        resource: resource.into(),
        known: 3,
        filling,
        fullest: fullest.map(|(name, _)| name.to_owned()),
        fullest_share: fullest.map(|(_, share)| share),
    };
    Forecast {
        at: now().to_string(),
        within_seconds: 86_400,
        range_seconds: 6 * 3600,
        source: "Prometheus monitoring/prometheus-operated".into(),
        items: items.into_iter().flatten().collect(),
        figures: vec![
            summary("tracked connections", 1, Some(("node-a", 0.714))),
            summary("local ports", 0, Some(("node-c", 0.031))),
            Summary { known: 0, ..summary("TCP memory", 0, None) },
            Summary { known: 40, ..summary("accept queue", 1, Some(("accept queue shop/cart-1 on node-b", 0.74))) },
        ],
        accept_queues: Some(super::accept_queues::tests::two_of_forty()),
        unknown: vec![Fact::new("agent's memory", "no samples of that time")],
        not_answered: vec![],
    }
    .sorted()
}

#[test]
fn what_is_full_first_comes_first() {
    let report = filling();
    let [map, queue, table] = report.items.as_slice() else { panic!("{report:#?}") };
    assert_eq!((map.resource.as_str(), map.full_in_seconds), ("agent's kernel map EDGES", 0.0));
    assert_eq!((queue.resource.as_str(), queue.full_at.as_str()), ("accept queue shop/cart-1", "2026-01-01T14:16:32Z"));
    assert_eq!((table.full_at.as_str(), table.per_hour), ("2026-01-01T17:00:00Z", 14_400.0));
}

#[test]
fn what_does_not_fill_in_time_is_not_listed() {
    let of = |measured: &Measured| Filling::of(&FIGURES[0], measured, now(), DAY);
    assert!(of(&measured(100.0, 0.0, 1000.0)).is_none(), "level");
    assert!(of(&measured(990.0, -1.0, 1000.0)).is_none(), "falling");
    assert!(of(&measured(0.0, 1.0, 86_401.0)).is_none(), "a second too late");
    assert!(of(&measured(0.0, 1.0, 86_400.0)).is_some());
    assert!(of(&measured(f64::NAN, f64::NAN, f64::NAN)).is_none());
    let few = Measured { line: Line { samples: 9, ..measured(0.0, 1.0, 10.0).line }, ..measured(0.0, 1.0, 10.0) };
    assert!(of(&few).is_none(), "nine samples are noise");
    assert!(Filling::of(&FIGURES[3], &measured(60.0, 1.0, 63.0), now(), DAY).is_none(), "a small map");
}

#[test]
fn of_too_many_those_that_are_full_later_are_left_out() {
    let one = filling().items.remove(2);
    let items = (0..MAX_ITEMS + 3).map(|n| Filling { full_in_seconds: n as f64, ..one.clone() }).rev().collect();
    let report = Forecast { items, ..Forecast::default() }.sorted();
    assert_eq!((report.items.len(), report.items[0].full_in_seconds), (MAX_ITEMS, 0.0));
    assert!(report.unknown[0].figures.starts_with("3 that"), "{:?}", report.unknown);
}

#[test]
fn a_line_is_that_of_least_squares() {
    let points: Vec<(f64, f64)> =
        (0..10).map(|n| (1_767_225_600.0 + 60.0 * f64::from(n), 100.0 + f64::from(n))).collect();
    let line = Line::through(&points, 1_767_225_600.0 + 600.0).unwrap();
    assert!((line.value - 110.0).abs() < 1e-6 && (line.per_second - 1.0 / 60.0).abs() < 1e-9, "{line:?}");
    assert_eq!(line.samples, 10);
    // Of (0, 0), (1, 2), (2, 1): slope 1/2, mean 1 at 1.
    let line = Line::through(&[(0.0, 0.0), (1.0, 2.0), (2.0, 1.0)], 2.0).unwrap();
    assert!((line.value - 1.5).abs() < 1e-9 && (line.per_second - 0.5).abs() < 1e-9, "{line:?}");
    assert_eq!((Line::through(&[], 0.0), Line::through(&[(5.0, 1.0), (5.0, 2.0)], 5.0)), (None, None));
}
