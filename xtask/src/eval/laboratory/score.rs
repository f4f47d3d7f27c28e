//! Figures from cases: pure.

use super::{
    pool::{Answer, Said},
    who::Who,
};
use std::collections::{BTreeMap, BTreeSet};

/// The expected answers for one fault.
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
    /// The verdict of all agents' edges at the end, in words.
    pub(super) fleet: Vec<String>,
    /// Everything that fired.
    pub(super) seen: Vec<Seen>,
    /// Time to the first right hint, s. `None`: none came.
    pub(super) seconds: Option<f64>,
    /// Time until the first of the answers was right, s. `None`: it never was.
    pub(super) answer_seconds: Option<f64>,
    /// How often what all agents say was merged.
    pub(super) evaluations: usize,
    /// … and the first answer named somebody and was not true.
    pub(super) wrong_first: usize,
    /// … and the edges of all agents named somebody, in a control.
    pub(super) fleet_false: usize,
}

impl Case {
    pub(super) fn is_control(&self) -> bool {
        self.expected.is_empty()
    }

    /// Takes in the answers of all agents together, this many seconds after the fault.
    pub(super) fn hear(&mut self, seconds: f64, said: Said) {
        let Said { answers, blames, fleet } = said;
        (self.answers, self.fleet) = (answers, fleet);
        self.evaluations += 1;
        if self.answer_seconds.is_none() && self.right_in_first(1) {
            self.answer_seconds = Some(seconds);
        }
        let first = self.answers.first().filter(|answer| answer.who != Who::Nobody);
        self.wrong_first += usize::from(first.is_some_and(|answer| !self.is_true(&answer.who, &answer.cause)));
        self.fleet_false += usize::from(blames && self.is_control());
    }

    /// Whether one of the first `n` answers is right; with several faults, at least one of them is found.
    pub(super) fn right_in_first(&self, n: usize) -> bool {
        let mut first = self.answers.iter().take(n);
        first.any(|answer| self.expected.iter().any(|expected| expected.is_right(&answer.who, &answer.cause)))
    }

    fn blame_right(&self) -> bool {
        self.answers.first().is_some_and(|answer| self.expected.iter().any(|expected| expected.blames(&answer.who)))
    }

    fn is_true(&self, who: &Who, cause: &str) -> bool {
        self.expected.iter().any(|expected| expected.is_true(who, cause))
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
        let is_true = |who: &Who| self.is_true(who, &seen.cause);
        !is_true(&seen.who) && seen.alternatives.iter().any(is_true)
    }

    /// The verdict on a hint: `true`, `undecided`, `nobody` (it names no culprit) or `wrong`.
    pub(super) fn verdict(&self, seen: &Seen) -> &'static str {
        if self.is_true(&seen.who, &seen.cause) {
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
        let is_true = |answer: &&Answer| self.is_true(&answer.who, &answer.cause);
        (named().filter(is_true).count(), named().count())
    }

    /// Hints that say who it is.
    fn decided(&self) -> impl Iterator<Item = &Seen> {
        self.seen.iter().filter(|seen| seen.who != Who::Nobody && !self.is_undecided(seen))
    }

    /// Distinct things said: (culprit, cause), and whether it is true.
    fn said(&self) -> BTreeMap<(&Who, &str), bool> {
        let somebody = self.decided();
        somebody.map(|seen| ((&seen.who, seen.cause.as_str()), self.is_true(&seen.who, &seen.cause))).collect()
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
    /// Time to the right hint, of those cases in which one came.
    pub(super) p50_seconds: Option<f64>,
    pub(super) p95_seconds: Option<f64>,
    pub(super) hints_timed: usize,
    /// Time to the right first answer, of all cases with a fault: infinite where it was never right.
    pub(super) p50_answer_seconds: Option<f64>,
    pub(super) p95_answer_seconds: Option<f64>,
    /// Of all times at which answers were merged in cases with a fault, those at which the first was not true.
    pub(super) wrong_first: Option<f64>,
    /// Times at which the edges of all agents named somebody in controls.
    pub(super) fleet_false: usize,
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
    let decided = || faults.iter().flat_map(|case| case.decided().map(|seen| case.is_true(&seen.who, &seen.cause)));
    let sum = |(a, b): (usize, usize), (c, d): (usize, usize)| (a + c, b + d);
    let answers = faults.iter().map(|case| case.answers_true()).fold((0, 0), sum);
    let (found, all) = faults.iter().fold((0, 0), |(n, all), case| (n + case.found(), all + case.expected.len()));
    let sorted = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all
    };
    let seconds = sorted(faults.iter().filter_map(|case| case.seconds).collect());
    let to_answer = sorted(faults.iter().map(|case| case.answer_seconds.unwrap_or(f64::INFINITY)).collect());
    let merged = faults.iter().map(|case| (case.wrong_first, case.evaluations)).fold((0, 0), sum);
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
        hints_timed: seconds.len(),
        p50_answer_seconds: quantile(&to_answer, 0.5),
        p95_answer_seconds: quantile(&to_answer, 0.95),
        wrong_first: ratio(merged.0, merged.1),
        fleet_false: controls.iter().map(|case| case.fleet_false).sum(),
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
            *bin = (
                bin.0 + 1.0,
                bin.1 + seen.confidence,
                bin.2 + f64::from(u8::from(case.is_true(&seen.who, &seen.cause))),
            );
        }
    }
    let all: f64 = bins.iter().map(|bin| bin.0).sum();
    (all > 0.0).then(|| bins.iter().map(|(_, confidence, right)| (confidence - right).abs()).sum::<f64>() / all)
}

#[cfg(test)]
mod tests;
