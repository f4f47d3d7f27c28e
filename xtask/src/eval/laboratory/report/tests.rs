use super::{super::score::Expected, *};

#[test]
fn a_time_that_falls_on_a_fault_that_was_never_answered_is_never_and_null() {
    let fault = |answer_seconds| Case { expected: vec![Expected::default()], answer_seconds, ..Case::default() };
    let cases = [fault(Some(3.0)), Case { seconds: Some(2.0), ..fault(None) }];
    let table = table(&cases, &[]);
    let line = |of: &str| {
        let line = table.lines().find(|line| line.contains(of)).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("first answer, median"), "time to the right first answer, median (over all) 3.0 s (to reach: ≤ 5)");
    let never = "time to the right first answer, 95th percentile (over all) – never (to reach: ≤ 15, short)";
    assert_eq!(line("first answer, 95th"), never);
    assert!(line("hint, median").starts_with("time to the right hint, median (over 1 of 2) 2.0 s"));
    assert_eq!(json(&cases, &[])["time_to_answer_seconds"], json!({ "p50": 3.0, "p95": null }));
}
