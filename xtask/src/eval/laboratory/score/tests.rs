use super::*;

fn answer(who: Who, cause: &str) -> Answer {
    Answer { who, cause: cause.to_owned(), weight: 1.0, hints: 1 }
}

fn seen(who: Who, cause: &str, confidence: f64) -> Seen {
    let (agent, summary, alternatives) = (String::new(), String::new(), Vec::new());
    Seen { who, cause: cause.to_owned(), alternatives, confidence, seconds: 2.0, agent, summary }
}

fn loss_at_b(answers: Vec<Answer>, seen: Vec<Seen>) -> Case {
    let expected = Expected {
        right: vec![(Who::node("b"), "path_loss"), (Who::node("b"), "node_packet_loss")],
        also: vec![(Who::node("b"), "node_nic_drops")],
    };
    let seconds = seen.iter().find(|s| expected.is_right(&s.who, &s.cause)).map(|s| s.seconds);
    Case { fault: "loss".into(), expected: vec![expected], answers, seen, seconds, ..Case::default() }
}

#[test]
fn a_right_first_answer_counts_everywhere() {
    let case = loss_at_b(
        vec![answer(Who::node("b"), "node_packet_loss")],
        vec![seen(Who::node("b"), "node_packet_loss", 1.0)],
    );
    let score = score(&[case]);
    assert_eq!(
        (score.top1, score.top3, score.blame_top1, score.precision),
        (Some(1.0), Some(1.0), Some(1.0), Some(1.0))
    );
    assert_eq!((score.recall, score.wrong_node, score.abstentions), (Some(1.0), Some(0.0), 0));
    assert_eq!((score.p50_seconds, score.p95_seconds, score.calibration_error), (Some(2.0), Some(2.0), Some(0.0)));
    assert_eq!(score.confusion, BTreeMap::from([(("path_loss".into(), "path_loss".into()), 1)]));
}

#[test]
fn the_right_culprit_with_another_cause_is_half_right() {
    let case = loss_at_b(
        vec![answer(Who::node("b"), "node_nic_drops"), answer(Who::node("b"), "path_loss")],
        vec![seen(Who::node("b"), "node_nic_drops", 0.9), seen(Who::node("b"), "path_loss", 0.9)],
    );
    let score = score(&[case]);
    assert_eq!((score.top1, score.top3, score.blame_top1), (Some(0.0), Some(1.0), Some(1.0)));
    assert_eq!((score.precision, score.recall), (Some(1.0), Some(1.0)), "true as well is no error");
}

#[test]
fn a_wrong_node_is_an_error_of_its_own_and_its_pair_is_not() {
    let wrong = loss_at_b(vec![answer(Who::node("c"), "path_loss")], vec![seen(Who::node("c"), "path_loss", 0.75)]);
    let pair = loss_at_b(vec![answer(Who::pair("a", "b"), "path_loss")], vec![]);
    let score = score(&[wrong, pair]);
    assert_eq!((score.wrong_node, score.precision, score.recall), (Some(0.5), Some(0.0), Some(0.0)));
    assert_eq!(score.calibration_error, Some(0.75));
}

#[test]
fn an_undecided_hint_that_names_the_culprit_too_is_no_error() {
    let pair = Seen { alternatives: vec![Who::node("b")], ..seen(Who::pair("a", "b"), "path_loss", 0.7) };
    let other = Seen { alternatives: vec![Who::node("c")], ..pair.clone() };
    assert_eq!(score(&[loss_at_b(vec![], vec![pair])]).precision, None);
    assert_eq!(score(&[loss_at_b(vec![], vec![other])]).precision, Some(0.0));
}

#[test]
fn naming_nobody_is_an_abstention_and_no_error() {
    let silent = loss_at_b(vec![], vec![]);
    let undecided = loss_at_b(vec![answer(Who::Nobody, "path_loss")], vec![seen(Who::Nobody, "path_loss", 0.8)]);
    let score = score(&[silent, undecided]);
    assert_eq!((score.abstentions, score.precision, score.wrong_node), (2, None, Some(0.0)));
    assert_eq!(score.confusion.get(&("path_loss".into(), "nothing".into())), Some(&1));
}

#[test]
fn hints_in_controls_are_counted_apart() {
    let control = Case { seen: vec![seen(Who::node("b"), "path_loss", 0.9)], ..Case::default() };
    let score = score(&[control.clone(), Case { seen: vec![], ..control }]);
    assert_eq!((score.controls, score.control_hints, score.control_cases, score.cases), (2, 1, 1, 0));
    assert_eq!((score.top1, score.precision), (None, None));
}

#[test]
fn two_faults_are_two_to_be_found() {
    let mut case = loss_at_b(
        vec![answer(Who::node("b"), "path_loss")],
        vec![seen(Who::node("b"), "path_loss", 0.9), seen(Who::node("b"), "path_loss", 0.9)],
    );
    case.expected.push(Expected { right: vec![(Who::pod("api-c"), "pod_cpu_throttled")], also: vec![] });
    let score = score(&[case]);
    assert_eq!((score.top1, score.recall, score.precision), (Some(1.0), Some(0.5), Some(1.0)));
}

#[test]
fn quantiles_are_values_that_occurred() {
    let all: Vec<f64> = (1..=20).map(f64::from).collect();
    assert_eq!((quantile(&all, 0.5), quantile(&all, 0.95), quantile(&[], 0.5)), (Some(10.0), Some(19.0), None));
}

fn says(answers: Vec<Answer>) -> Said {
    Said { answers, ..Said::default() }
}

#[test]
fn the_first_right_first_answer_gives_the_time_and_wrong_ones_before_and_after_are_counted() {
    let mut case = loss_at_b(vec![], vec![]);
    let (right, also) = (answer(Who::node("b"), "path_loss"), answer(Who::node("b"), "node_nic_drops"));
    let wrong = answer(Who::node("c"), "path_loss");
    case.hear(0.0, says(vec![]));
    case.hear(1.0, says(vec![answer(Who::Nobody, "path_loss")]));
    case.hear(2.0, says(vec![also]));
    assert_eq!((case.answer_seconds, case.wrong_first), (None, 0), "nobody and true as well are neither");
    case.hear(3.0, says(vec![wrong.clone(), right.clone()]));
    assert_eq!((case.answer_seconds, case.wrong_first), (None, 1), "the second answer is not the first");
    case.hear(4.0, says(vec![right.clone()]));
    case.hear(5.0, says(vec![wrong]));
    case.hear(6.0, says(vec![right.clone()]));
    assert_eq!((case.answer_seconds, case.wrong_first, case.evaluations), (Some(4.0), 2, 7));
    assert_eq!(case.answers, [right], "what was heard last stands");
    assert_eq!(score(&[case]).wrong_first, Some(2.0 / 7.0));
}

#[test]
fn a_fault_that_is_never_answered_takes_for_ever_and_one_without_a_hint_has_no_time_to_it() {
    let timed = |seconds, answer_seconds| Case { seconds, answer_seconds, ..loss_at_b(vec![], vec![]) };
    let answered = [timed(Some(2.0), Some(3.0)), timed(None, Some(5.0)), timed(Some(4.0), Some(4.0))];
    let all = score(&answered);
    assert_eq!((all.p50_answer_seconds, all.p95_answer_seconds), (Some(4.0), Some(5.0)));
    assert_eq!((all.p95_seconds, all.hints_timed), (Some(4.0), 2));
    let [a, b, c] = answered;
    let all = score(&[a, b, c, timed(Some(1.0), None)]);
    assert_eq!((all.p50_answer_seconds, all.p95_answer_seconds), (Some(4.0), Some(f64::INFINITY)));
    assert_eq!(score(&[]).p95_answer_seconds, None);
}

#[test]
fn what_the_edges_of_all_agents_say_in_controls_is_false() {
    let blames = Said { blames: true, ..says(vec![answer(Who::node("b"), "path_loss")]) };
    let (mut control, mut fault) = (Case::default(), loss_at_b(vec![], vec![]));
    for case in [&mut control, &mut fault] {
        case.hear(0.0, says(vec![]));
        case.hear(1.0, blames.clone());
    }
    assert_eq!((control.fleet_false, fault.fleet_false), (1, 0));
    assert_eq!((control.answer_seconds, fault.answer_seconds), (None, Some(1.0)));
    assert_eq!(score(&[control.clone(), control, fault]).fleet_false, 2);
}
