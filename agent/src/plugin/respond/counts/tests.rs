use super::*;

#[test]
fn every_counter_has_one_series() {
    let counts = Counts::default();
    let all: Vec<Count> = FAMILIES.iter().flat_map(|(_, _, series)| series.iter().map(|(count, _)| *count)).collect();
    assert_eq!(all.iter().map(|count| *count as usize).collect::<Vec<_>>(), (0..COUNTERS).collect::<Vec<_>>());
    for (number, count) in all.iter().enumerate() {
        counts.add_many(*count, number as u64 + 1);
    }
    let text = counts.text(3);
    let values: Vec<&str> = text.lines().filter_map(|line| line.split_once("} ").map(|(_, value)| value)).collect();
    assert_eq!(values, (1..=COUNTERS).map(|value| value.to_string()).collect::<Vec<_>>());
    assert!(text.contains("netwhy_respond_deliveries_total{result=\"overload\"} 2\n"), "{text}");
    assert!(text.ends_with("# TYPE netwhy_respond_waiting gauge\nnetwhy_respond_waiting 3\n"), "{text}");
}
