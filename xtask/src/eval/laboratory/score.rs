//! Figures from cases: pure.

use super::{pool::Answer, who::Who};
use std::collections::{BTreeMap, BTreeSet};

/// What should be said about one fault.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Expected {
    /// One of these is the answer.
    pub(super) right: Vec<(Who, &'static str)>,
    /// True as well, as an effect or a part: no error, and not the answer.
    pub(super) also: Vec<(Who, &'static str)>,
}

/// A cause that stands for all causes of a culprit.
pub(super) const ANY: &str = "*";

fn among(list: &[(Who, &str)], who: &Who, cause: &str) -> bool {
    list.iter().any(|(expected, of)| expected == who && (*of == ANY || *of == cause))
}

impl Expected {
    pub(super) fn is_right(&self, who: &Who, cause: &str) -> bool {
        among(&self.right, who, cause)
    }

    /// Right, or true as well.
    fn is_true(&self, who: &Who, cause: &str) -> bool {
        self.is_right(who, cause) || among(&self.also, who, cause)
    }

    fn blames(&self, who: &Who) -> bool {
        self.right.iter().any(|(expected, _)| expected == who)
    }

    /// Whether naming `who` as a Node, or a pair of Nodes, is no mistake: a pair with a Node at fault names it too.
    fn allows_node(&self, who: &Who) -> bool {
        let named = |node: &String| {
            self.right.iter().chain(&self.also).any(|(expected, _)| match expected {
                Who::Node(name) => name == node,
                Who::Pair(a, b) => a == node || b == node,
                _ => false,
            })
        };
        match who {
            Who::Node(node) => named(node),
            Who::Pair(a, b) => self.blames(who) || named(a) || named(b),
            _ => true,
        }
    }
}

/// One hint that fired in a case.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) who: Who,
    pub(super) cause: String,
    /// Culprits that it holds for almost as likely.
    pub(super) alternatives: Vec<Who>,
    /// 0 … 1.
    pub(super) confidence: f64,
    /// Since the fault came, s.
    pub(super) seconds: f64,
    /// The agent's Node.
    pub(super) agent: String,
    pub(super) summary: String,
}

/// One case as it went.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Case {
    pub(super) fault: String,
    pub(super) magnitude: String,
    pub(super) seed: u64,
    /// Empty: a control.
    pub(super) expected: Vec<Expected>,
    /// At the end, the first one first.
    pub(super) answers: Vec<Answer>,
    /// What the edges of all agents together showed at the end, in words.
    pub(super) fleet: Vec<String>,
    /// Everything that fired.
    pub(super) seen: Vec<Seen>,
    /// Time to the first right hint, s. `None`: none came.
    pub(super) seconds: Option<f64>,
}

impl Case {
    pub(super) fn is_control(&self) -> bool {
        self.expected.is_empty()
    }

    /// Whether one of the first `n` answers is right; with several faults, at least one of them is found.
    pub(super) fn right_in_first(&self, n: usize) -> bool {
        let mut first = self.answers.iter().take(n);
        first.any(|answer| self.expected.iter().any(|expected| expected.is_right(&answer.who, &answer.cause)))
    }

    fn blame_right(&self) -> bool {
        self.answers.first().is_some_and(|answer| self.expected.iter().any(|expected| expected.blames(&answer.who)))
    }

    fn is_true(&self, seen: &Seen) -> bool {
        self.expected.iter().any(|expected| expected.is_true(&seen.who, &seen.cause))
    }

    /// Faults of which a right hint came, or a right answer stands at the end.
    fn found(&self) -> usize {
        let told = |expected: &&Expected| {
            self.seen.iter().any(|seen| expected.is_right(&seen.who, &seen.cause))
                || self.answers.iter().any(|answer| expected.is_right(&answer.who, &answer.cause))
        };
        self.expected.iter().filter(told).count()
    }

    /// The first answer names a Node that has nothing to do with it.
    fn names_wrong_node(&self) -> bool {
        self.answers
            .first()
            .is_some_and(|answer| !self.expected.iter().any(|expected| expected.allows_node(&answer.who)))
    }

    /// Nobody is named.
    fn abstains(&self) -> bool {
        self.answers.iter().all(|answer| answer.who == Who::Nobody)
    }

    /// It is not true, and names who is at fault as almost as likely: undecided, which is no error.
    fn is_undecided(&self, seen: &Seen) -> bool {
        let named = |who: &Who| self.expected.iter().any(|expected| expected.is_true(who, &seen.cause));
        !self.is_true(seen) && seen.alternatives.iter().any(named)
    }

    /// What a hint is worth: `true`, `undecided`, `nobody` (it names no culprit) or `wrong`.
    pub(super) fn verdict(&self, seen: &Seen) -> &'static str {
        if self.is_true(seen) {
            "true"
        } else if seen.who == Who::Nobody {
            "nobody"
        } else if self.is_undecided(seen) {
            "undecided"
        } else {
            "wrong"
        }
    }

    /// Of answers that name somebody, those that are true and all.
    fn answers_true(&self) -> (usize, usize) {
        let named = || self.answers.iter().filter(|answer| answer.who != Who::Nobody);
        let is_true =
            |answer: &&Answer| self.expected.iter().any(|expected| expected.is_true(&answer.who, &answer.cause));
        (named().filter(is_true).count(), named().count())
    }

    /// Hints that say who it is.
    fn decided(&self) -> impl Iterator<Item = &Seen> {
        self.seen.iter().filter(|seen| seen.who != Who::Nobody && !self.is_undecided(seen))
    }

    /// Distinct things said: (culprit, cause), and whether it is true.
    fn said(&self) -> BTreeMap<(&Who, &str), bool> {
        let somebody = self.decided();
        somebody.map(|seen| ((&seen.who, seen.cause.as_str()), self.is_true(seen))).collect()
    }
}

/// All figures. `None`: no case to compute it from.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Score {
    pub(super) cases: usize,
    pub(super) controls: usize,
    /// The first answer has the right culprit and cause, of all cases with a fault.
    pub(super) top1: Option<f64>,
    /// One of the first three.
    pub(super) top3: Option<f64>,
    /// The first answer has the right culprit.
    pub(super) blame_top1: Option<f64>,
    /// Of all distinct (culprit, cause) said in cases with a fault, those that are true.
    pub(super) precision: Option<f64>,
    /// Of all hints, each agent's counted, that name somebody and are decided, those that are true.
    pub(super) precision_of_hints: Option<f64>,
    /// Of all answers merged over the agents, as they stand at the end of cases with a fault, those that are true.
    pub(super) precision_of_answers: Option<f64>,
    /// Faults of which a right hint came.
    pub(super) recall: Option<f64>,
    /// Cases whose first answer names a Node that has nothing to do with it.
    pub(super) wrong_node: Option<f64>,
    /// Hints that fired in controls.
    pub(super) control_hints: usize,
    /// Controls with a hint.
    pub(super) control_cases: usize,
    pub(super) p50_seconds: Option<f64>,
    pub(super) p95_seconds: Option<f64>,
    /// Cases with a fault in which nobody is named.
    pub(super) abstentions: usize,
    /// Mean distance between the confidence of hints and the share of them that is true, over ten bins.
    pub(super) calibration_error: Option<f64>,
    /// (expected cause, cause of the first answer) → cases.
    pub(super) confusion: BTreeMap<(String, String), usize>,
}

pub(super) fn score(cases: &[Case]) -> Score {
    let faults: Vec<&Case> = cases.iter().filter(|case| !case.is_control()).collect();
    let controls: Vec<&Case> = cases.iter().filter(|case| case.is_control()).collect();
    let share = |of: &dyn Fn(&Case) -> bool| ratio(faults.iter().filter(|case| of(case)).count(), faults.len());
    let said: Vec<bool> = faults.iter().flat_map(|case| case.said().into_values()).collect();
    let decided = || faults.iter().flat_map(|case| case.decided().map(|seen| case.is_true(seen)));
    let sum = |(a, b): (usize, usize), (c, d): (usize, usize)| (a + c, b + d);
    let answers = faults.iter().map(|case| case.answers_true()).fold((0, 0), sum);
    let (found, all) = faults.iter().fold((0, 0), |(n, all), case| (n + case.found(), all + case.expected.len()));
    let mut seconds: Vec<f64> = faults.iter().filter_map(|case| case.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    let mut confusion = BTreeMap::new();
    for case in &faults {
        let expected: BTreeSet<&str> =
            case.expected.iter().filter_map(|expected| expected.right.first()).map(|(_, cause)| *cause).collect();
        let first = case.answers.first().map_or("nothing", |answer| &answer.cause);
        let hit = case.right_in_first(1);
        for cause in expected {
            // An accepted other name of the cause is no confusion.
            let got = if hit && case.expected.len() == 1 { cause } else { first };
            *confusion.entry((cause.to_owned(), got.to_owned())).or_default() += 1;
        }
    }
    Score {
        cases: faults.len(),
        controls: controls.len(),
        top1: share(&|case| case.right_in_first(1)),
        top3: share(&|case| case.right_in_first(3)),
        blame_top1: share(&Case::blame_right),
        precision: ratio(said.iter().filter(|is_true| **is_true).count(), said.len()),
        precision_of_hints: ratio(decided().filter(|is_true| *is_true).count(), decided().count()),
        precision_of_answers: ratio(answers.0, answers.1),
        recall: ratio(found, all),
        wrong_node: share(&Case::names_wrong_node),
        control_hints: controls.iter().map(|case| case.seen.len()).sum(),
        control_cases: controls.iter().filter(|case| !case.seen.is_empty()).count(),
        p50_seconds: quantile(&seconds, 0.5),
        p95_seconds: quantile(&seconds, 0.95),
        abstentions: faults.iter().filter(|case| case.abstains()).count(),
        calibration_error: calibration_error(&faults),
        confusion,
    }
}

fn ratio(part: usize, all: usize) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

/// The value that a share of `q` does not exceed.
fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

fn calibration_error(faults: &[&Case]) -> Option<f64> {
    // Count, sum of confidences, true ones.
    let mut bins = [(0.0, 0.0, 0.0); 10];
    for case in faults {
        for seen in case.decided() {
            let bin = &mut bins[((seen.confidence * 10.0) as usize).min(9)];
            *bin = (bin.0 + 1.0, bin.1 + seen.confidence, bin.2 + f64::from(u8::from(case.is_true(seen))));
        }
    }
    let all: f64 = bins.iter().map(|bin| bin.0).sum();
    (all > 0.0).then(|| bins.iter().map(|(_, confidence, right)| (confidence - right).abs()).sum::<f64>() / all)
}

#[cfg(test)]
mod tests {
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
}
