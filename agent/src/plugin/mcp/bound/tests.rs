use super::*;
use serde_json::json;

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_short_answer_stays_as_it_is() {
    let answer = json!({"verdict": "all is well", "hints": ["a", "b"], "confidence": 0.9});
    assert_eq!(read(&text(answer.clone())), answer);
}

#[test]
fn a_long_answer_loses_the_ends_of_its_longest_lists_and_counts_them() {
    let hints: Vec<String> = (0..1000).map(|n| format!("shop/app-{n} loses packets")).collect();
    let bounded = text(json!({"verdict": "v", "hints": hints, "not_answered": ["node-a: late"]}));
    assert!(bounded.len() <= MAX_BYTES && bounded.len() > MAX_BYTES - 200, "{}", bounded.len());
    let answer = read(&bounded);
    let kept = answer["hints"].as_array().unwrap().len();
    assert_eq!(answer["left_off"]["hints"], 1000 - kept);
    assert_eq!(answer["hints"][0], "shop/app-0 loses packets");
    assert_eq!(answer["not_answered"][0], "node-a: late", "who did not answer stays");
    assert_eq!(answer["left_off"].as_object().unwrap().len(), 1);
}

#[test]
fn long_texts_are_cut_and_hidden_characters_are_escaped() {
    let long = "é".repeat(100_000);
    let many: Map<String, Value> = (0..30).map(|n| (format!("k{n}"), Value::from(long.as_str()))).collect();
    let bounded = text(Value::Object(many));
    assert!(bounded.len() <= MAX_BYTES, "{}", bounded.len());
    assert!(read(&bounded)["k29"].as_str().unwrap().ends_with('…'));
    let hostile = text(json!({"verdict": "a\u{202e}b\u{1b}[31m"}));
    assert!(text::is_printable(&hostile), "{hostile}");
    assert_eq!(read(&hostile)["verdict"], "a\u{202e}b\u{1b}[31m", "its meaning stays");
    assert!(line(&"\u{1b}é".repeat(9_000)).len() <= MAX_BYTES);
}

#[test]
fn an_answer_that_can_not_be_cut_is_replaced() {
    let many: Map<String, Value> = (0..2000).map(|n| (format!("key {n}"), Value::from(n))).collect();
    assert_eq!(text(Value::Object(many)), "the answer is too long; ask about less");
}
