use super::*;

/// Half past two at night in a zone two hours east.
const NOW: &str = "2026-01-31T00:30:00Z";

fn moment(text: &str) -> String {
    let zone = TimeZone::fixed(jiff::tz::offset(2));
    When::parse(text).unwrap().moment(NOW.parse().unwrap(), &zone).unwrap().to_string()
}

#[test]
fn a_time_of_day_is_the_newest_one_in_the_local_zone() {
    assert_eq!(moment("02:12"), "2026-01-31T00:12:00Z");
    assert_eq!(moment("02:30"), "2026-01-31T00:30:00Z", "now itself");
    assert_eq!(moment("03:12"), "2026-01-30T01:12:00Z", "not yet today");
    assert_eq!(moment("02:12:34"), "2026-01-31T00:12:34Z");
}

#[test]
fn other_forms_are_local_exact_or_relative() {
    assert_eq!(moment("2026-01-30 03:12"), "2026-01-30T01:12:00Z");
    assert_eq!(moment("2026-01-30T03:12"), "2026-01-30T01:12:00Z");
    assert_eq!(moment("2026-01-30T03:12:00Z"), "2026-01-30T03:12:00Z");
    assert_eq!(moment("2026-01-30T03:12:00+01:00"), "2026-01-30T02:12:00Z");
    for text in ["-40m", "40m", "2400"] {
        assert_eq!(moment(text), "2026-01-30T23:50:00Z", "{text}");
    }
    assert_eq!(moment("1h30m"), "2026-01-30T23:00:00Z");
}

#[test]
fn anything_else_is_refused_with_examples() {
    for text in ["", "noon", "25:00", "-", "0", "2026-01-30T03:12:00X", "99999999999999999999"] {
        let error = When::parse(text).unwrap_err();
        assert!(error.contains("03:12") && error.contains("-40m"), "{text}: {error}");
    }
}
