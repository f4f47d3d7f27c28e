use super::{
    super::definition::{BaseUnit, Kind},
    *,
};
use std::collections::BTreeSet;

fn all() -> impl Iterator<Item = &'static MetricDef> {
    exported(true)
}

#[test]
fn names_are_unique_and_follow_the_conventions() {
    let mut families = BTreeSet::new();
    for m in all() {
        assert!(families.insert(m.family()), "{} clashes", m.name);
        assert_eq!(m.kind == Kind::Counter, m.name.ends_with("_total"), "{}", m.name);
        assert!(m.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{}", m.name);
        // Names of OpenTelemetry's are those of its conventions, which another test compares.
        let is_theirs = CONVENTIONS.iter().any(|theirs| theirs.name == m.name);
        assert!(is_theirs || m.name.starts_with("netwhy_") || m.name.starts_with("process_"), "{}", m.name);
        for reserved in ["_bucket", "_sum", "_count", "_created"] {
            assert!(!m.family().ends_with(reserved), "{}", m.name);
        }
    }
}

#[test]
fn declared_unit_is_the_suffix_and_a_unit_suffix_is_declared() {
    for m in all() {
        for unit in [BaseUnit::Seconds, BaseUnit::Bytes] {
            assert_eq!(m.family().ends_with(unit.suffix()), m.unit == Some(unit), "{}", m.name);
        }
    }
}

#[test]
fn help_is_one_sentence_of_at_most_15_words() {
    for m in all() {
        let words = m.help.split_whitespace().count();
        assert!((1..=15).contains(&words), "{}: {words} words", m.name);
        assert!(m.help.ends_with('.') && !m.help.contains(". "), "{}: one sentence", m.name);
        assert!(!m.help.contains(['\n', '\\', '|', '"']), "{}: needs escaping", m.name);
    }
}

#[test]
fn details_are_sentences_that_fit_into_a_table_cell() {
    for m in all().filter(|m| !m.details.is_empty()) {
        assert!(m.details.ends_with('.') && !m.details.contains(['\n', '|']), "{}", m.name);
    }
}

#[test]
fn labels_are_bounded_in_words() {
    for m in all() {
        for l in m.labels {
            assert!(!l.bound.is_empty() && l.name != "le", "{} {}", m.name, l.name);
            assert!(!m.per_subject() || !["namespace", "pod", "workload"].contains(&l.name), "{}", m.name);
        }
    }
}
