use super::*;

fn truth() -> BTreeMap<String, Known> {
    let known = |culprits: &[&str]| Known {
        culprits: culprits.iter().map(ToString::to_string).collect(),
        causes: vec!["path_loss".into()],
    };
    [("1-0".to_owned(), known(&["pair a↔b"])), ("1-1".to_owned(), known(&[]))].into()
}

fn judged(lines: &str) -> Figures {
    judge(&truth(), &read_answers(lines).unwrap())
}

#[test]
fn answers_count_at_their_time_and_silence_names_nobody() {
    let lines = r#"
{"case": "1-0", "seconds": 5, "blame": {"kind": "node", "name": "a"}, "cause": "path_loss", "confidence": 0.5}
{"case": "1-0", "seconds": 10.0, "blame": {"kind": "node_pair", "name": "b↔a"}, "cause": "path_latency"}
{"case": "1-0", "seconds": 20, "blame": {"kind": "node_pair", "name": "a↔b"}, "cause": "path_loss", "confidence": 1}
"#;
    let result = judged(lines);
    let counts = result.at.map(|tally| (tally.right, tally.culprit, tally.abstained, tally.wrong));
    assert_eq!(counts, [(0, 0, 0, 1), (0, 1, 0, 0), (1, 0, 0, 0), (0, 0, 1, 0)]);
    assert_eq!((result.controls, result.controls_answered), (1, 0));
    assert_eq!(result.brier.count, 3);
}

#[test]
fn whoever_is_named_in_a_control_is_named_for_nothing() {
    let line = r#"{"case": "1-1", "seconds": 5, "blame": {"kind": "pod", "name": "x"}, "cause": "peer_slow"}"#;
    assert_eq!(judged(line).controls_answered, 1);
    let nobody = r#"{"case": "1-1", "seconds": 5, "blame": {"kind": "none", "name": ""}, "cause": "peer_slow"}"#;
    assert_eq!(judged(nobody).controls_answered, 0);
}

#[test]
fn a_line_that_is_no_answer_is_refused() {
    assert!(read_answers("nonsense").is_err());
    assert!(read_answers(r#"{"seconds": 5}"#).is_err());
}
