use super::*;

#[test]
fn spurious_retransmissions_are_not_counted_twice() {
    let pod = json!({ "totals": { "retransmitted_segments": { "fast": 5, "timeout": 2, "spurious": 1 } } });
    assert_eq!(retransmits(&pod), 7);
    assert_eq!(retransmits(&json!({})), 0);
}
