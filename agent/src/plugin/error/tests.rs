use super::*;

#[test]
fn a_failure_is_one_line_with_its_remedy() {
    let failure = Failure::new("no\n  answer", "raise --request-timeout").at("agent netwhy/x");
    assert_eq!(failure.to_string(), "agent netwhy/x: no answer; raise --request-timeout");
    assert_eq!(Failure::new("gone", "").to_string(), "gone");
}
