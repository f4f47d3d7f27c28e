use super::*;

#[test]
fn default_thresholds_of_file_and_rules_are_the_same() {
    assert_eq!(thresholds(&Config::default().thresholds), Thresholds::default());
}
