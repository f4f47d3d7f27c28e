use super::*;
use crate::sh;
use clap::ValueEnum as _;

fn names(choices: &[Choice]) -> Vec<Option<&'static str>> {
    chosen(choices).into_iter().map(|machine| machine.name).collect()
}

#[test]
fn every_choice_is_a_machine_with_tests_of_its_own() {
    let tests = sh::workspace().unwrap().join("tests/tests").join(TESTS);
    for choice in Choice::value_variants().iter().filter(|choice| **choice != Choice::All) {
        let value = choice.to_possible_value().unwrap();
        assert_eq!(names(&[*choice]), [Some(value.get_name())]);
        assert!(tests.join(format!("{}.rs", value.get_name())).is_file(), "{choice:?}");
    }
}

#[test]
fn machines_are_booted_once_each() {
    assert_eq!(names(&[]), [None]);
    assert_eq!(names(&[Choice::V1, Choice::Systemd, Choice::V1]), [Some("systemd"), Some("v1")]);
    assert_eq!(names(&[Choice::All, Choice::Large]).len(), MACHINES.len());
}
