use super::{super::draw::draw, *};

fn said(culprit: Culprit, cause: &str, confidence: f64) -> Answer {
    Answer { culprit, cause: cause.into(), confidence, ..Answer::nothing() }
}

fn node(name: &str) -> Culprit {
    Culprit::Node(name.into())
}

fn case(truth: Option<Truth>, answers: &[(f64, Answer)]) -> Case {
    Case {
        plan: draw(1, 0),
        truth,
        bite: None,
        victims: vec!["web-a".into()],
        severities: Vec::new(),
        answers: answers.to_vec(),
        spoken: Vec::new(),
        cpu_wait: None,
        rivals: None,
    }
}

fn lossy(name: &str) -> Option<Truth> {
    Some(Truth { culprits: vec![node(name)], causes: vec!["path_loss"], effects: vec!["path_latency"] })
}

fn spoken(said: Answer) -> Spoken {
    Spoken { agent: "a".into(), subject: "web-a".into(), first: 3.0, last: 9.0, said }
}

#[test]
fn the_newest_answer_counts_at_each_checkpoint() {
    let answers = [
        (3.0, Answer::nothing()),
        (8.0, said(Culprit::pair("a", "b"), "path_loss", 0.8)),
        (15.0, said(node("a"), "path_latency", 0.8)),
        (25.0, said(node("a"), "path_loss", 0.9)),
    ];
    let case = case(lossy("a"), &answers);
    let verdicts = CHECKPOINTS.map(|at| case.verdict_at(at));
    assert_eq!(verdicts, [Verdict::Abstained, Verdict::Wrong, Verdict::Culprit, Verdict::Right]);
    assert_eq!((case.first_right(), case.last_change()), (Some(25.0), Some(25.0)));
}

#[test]
fn shares_and_times_are_over_faults_that_clients_notice() {
    let right = case(lossy("a"), &[(4.0, said(node("a"), "path_loss", 0.9))]);
    let wrong = case(lossy("a"), &[(4.0, said(node("b"), "path_loss", 0.9))]);
    let silent = case(lossy("a"), &[(4.0, Answer::nothing())]);
    let control = case(None, &[(4.0, Answer::nothing())]);
    let all = score(&[right, wrong, silent, control]);
    assert_eq!((all.cases, all.controls, all.wrong_node), (3, 1, 1));
    let last = all.at[3];
    assert_eq!((last.right, last.wrong, last.abstained), (1, 1, 1));
    assert_eq!((last.top1(), last.right_or_abstained()), (Some(1.0 / 3.0), Some(2.0 / 3.0)));
    assert_eq!(quantile(&all.first_right, 0.5), Some(f64::INFINITY), "most never were right");
}

#[test]
fn brier_score_punishes_sure_errors_also_in_controls() {
    let sure = |culprit: Culprit| [(4.0, said(culprit, "path_loss", 0.9))];
    let right = score(&[case(lossy("a"), &sure(node("a")))]);
    let wrong = score(&[case(None, &sure(node("a")))]);
    let mean = |score: &Score| score.brier.mean().unwrap();
    assert!((mean(&right) - 0.01).abs() < 1e-9 && (mean(&wrong) - 0.81).abs() < 1e-9);
    assert_eq!((wrong.controls_answered, wrong.wrong_node), (1, 1));
    assert_eq!((right.reliability[9].count, right.reliability[9].right), (4, 4));
}

#[test]
fn candidates_of_answers_that_name_nobody_have_probabilities_too() {
    let among = |candidates: &[(&str, f64)]| {
        let alternatives = candidates.iter().map(|(name, probability)| (node(name), Some(*probability))).collect();
        [(4.0, Answer { alternatives, probability: Some(0.0), ..said(Culprit::Nobody, "path_loss", 0.4) })]
    };
    let all = score(&[case(lossy("a"), &among(&[("a", 0.7), ("b", 0.2)]))]);
    assert_eq!((all.brier.count, all.brier_blame.count), (0, 8), "two at each checkpoint");
    assert!((all.brier_blame.mean().unwrap() - (0.09 + 0.04) / 2.0).abs() < 1e-9);
    let wrong = score(&[case(None, &among(&[("a", 0.7)]))]);
    assert!((wrong.brier_blame.mean().unwrap() - 0.49).abs() < 1e-9, "controls have no culprit");
}

#[test]
fn hints_that_abstain_are_neither_true_nor_false() {
    let mut fault = case(lossy("a"), &[]);
    let open = Answer { alternatives: vec![(node("a"), None)], ..said(Culprit::pair("a", "b"), "path_loss", 0.5) };
    let hints = [
        said(node("a"), "path_loss", 0.9),
        said(node("a"), "path_latency", 0.9),
        said(node("b"), "path_loss", 0.9),
        said(Culprit::Nobody, "path_loss", 0.9),
        open,
    ];
    fault.spoken = hints.into_iter().map(spoken).collect();
    let verdicts: Vec<Option<bool>> = fault.spoken.iter().map(|spoken| fault.is_true(spoken)).collect();
    assert_eq!(verdicts, [Some(true), Some(true), Some(false), None, None]);
    let all = score(&[fault]);
    assert_eq!((all.hints_true, all.hints_decided), (2, 3));
}

#[test]
fn every_hint_in_a_control_is_false() {
    let mut control = case(None, &[]);
    control.spoken = vec![spoken(said(Culprit::Nobody, "path_loss", 0.5))];
    assert_eq!(control.is_true(&control.spoken[0]), Some(false));
    let all = score(&[control]);
    assert_eq!((all.control_hints, all.controls_with_hints), (1, 1));
}

#[test]
fn cases_that_the_machine_disturbed_are_left_out() {
    let mut disturbed = case(lossy("a"), &[(4.0, said(node("b"), "path_loss", 0.9))]);
    disturbed.bite = Some(Bite { affected: 9.0, others: Some(1.2) });
    let all = score(&[disturbed]);
    assert_eq!((all.cases, all.controls, all.disturbed, all.wrong_node), (0, 0, 1, 0));
}
