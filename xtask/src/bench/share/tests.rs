use super::*;
use serde_json::json;

fn counted(edges: &Value) -> Counted {
    Counted::of(&json!({ "edges": edges })).unwrap()
}

#[test]
fn a_request_that_stands_for_sixteen_is_one_that_was_timed() {
    let before = counted(&json!({ "client": [100, 100] }));
    // 50 at one end, of weight 16; 20 at the other, all of them timed.
    let after = counted(&json!({ "client": [100 + 50 * 16, 100 + 50 * 256], "server": [20, 20] }));
    assert_eq!(after.timed_since(&before), 70.0);
    assert_eq!(after.timed_since(&after), 0.0);
}

#[test]
fn edges_of_different_weights_are_not_mixed() {
    let after = counted(&json!({ "a": [10 * 16, 10 * 256], "b": [10 * 4, 10 * 16] }));
    assert_eq!(after.timed_since(&Counted::default()), 20.0);
}

#[test]
fn a_row_that_began_anew_counts_nothing() {
    let before = counted(&json!({ "a": [1_000, 1_000] }));
    assert_eq!(counted(&json!({ "a": [10, 10] })).timed_since(&before), 0.0);
}

#[test]
fn an_answer_that_is_not_understood_is_none() {
    assert_eq!(Counted::of(&json!({ "seconds": 1 })), None);
    assert_eq!(Counted::of(&json!({ "edges": { "a": ["x", 1] } })), None);
}

#[test]
fn the_share_is_that_of_both_ends() {
    assert_eq!(of(125.0, 1_000.0), Some(0.0625));
    assert_eq!((of(0.0, 1_000.0), of(1.0, 0.0)), (None, None));
    assert_eq!(text(Some(0.064)), "; 6.4 % of both ends' requests timed");
    assert_eq!(text(None), "");
}
