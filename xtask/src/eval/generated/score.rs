//! Figures from cases: pure.

use super::{culprit::Culprit, figures::Bite, merged::Answer, plan::Plan, truth::Truth};
use std::{collections::BTreeMap, path::PathBuf};

/// Seconds after the onset at which somebody asks.
pub(super) const CHECKPOINTS: [f64; 4] = [5.0, 10.0, 20.0, 30.0];
/// An answer of so many seconds later still counts for a checkpoint: agents are asked one after the other.
const SLACK: f64 = 0.5;

/// One case as it went.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) plan: Plan,
    /// `None`: a control, or a fault that clients don't notice.
    pub(super) truth: Option<Truth>,
    /// Of a fault.
    pub(super) bite: Option<Bite>,
    /// Pods that were asked about.
    pub(super) victims: Vec<String>,
    /// Of each flow.
    pub(super) severities: Vec<f64>,
    /// The merged answer each second.
    pub(super) answers: Vec<(f64, Answer)>,
    /// Every hint.
    pub(super) spoken: Vec<Spoken>,
    /// Share of the time in which some task of the machine waited for a CPU. `None`: unknown.
    pub(super) cpu_wait: Option<f64>,
    /// What rivals get. `None`: none were asked for, or Prometheus failed.
    pub(super) rivals: Option<Given>,
}

/// A case as rivals get it, and whom the simple ones name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Given {
    /// The agents' metrics as CSV.
    pub(super) table: PathBuf,
    /// Unix time, s.
    pub(super) onset: f64,
    /// Of 007-style voting, at each of its limits.
    pub(super) voting: Vec<Culprit>,
    /// Of robust z, at each of its limits.
    pub(super) robust_z: Vec<Culprit>,
}

/// One hint, from its first to its last second.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spoken {
    /// The agent's Node.
    pub(super) agent: String,
    pub(super) subject: String,
    pub(super) first: f64,
    pub(super) last: f64,
    /// As it was last.
    pub(super) said: Answer,
}

/// Verdict on an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Culprit and cause.
    Right,
    /// The culprit, with another cause.
    Culprit,
    /// Nobody is named.
    Abstained,
    Wrong,
}

impl Verdict {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Culprit => "culprit only",
            Self::Abstained => "nobody named",
            Self::Wrong => "WRONG",
        }
    }
}

impl Case {
    pub(super) const fn is_control(&self) -> bool {
        self.truth.is_none()
    }

    /// Clients that the fault does not reach noticed something too: no truth is known for that.
    pub(super) fn is_disturbed(&self) -> bool {
        self.bite.is_some_and(Bite::is_disturbed)
    }

    /// The newest answer at a checkpoint. `None`: there was none yet.
    pub(super) fn at(&self, seconds: f64) -> Option<&Answer> {
        self.answers.iter().rev().find(|(at, _)| *at <= seconds + SLACK).map(|(_, answer)| answer)
    }

    pub(super) fn verdict(&self, answer: &Answer) -> Verdict {
        match &self.truth {
            _ if !answer.names() => Verdict::Abstained,
            Some(truth) if truth.is_right(&answer.culprit, &answer.cause) => Verdict::Right,
            Some(truth) if truth.blames(&answer.culprit) => Verdict::Culprit,
            _ => Verdict::Wrong,
        }
    }

    /// The verdict at a checkpoint.
    pub(super) fn verdict_at(&self, seconds: f64) -> Verdict {
        self.at(seconds).map_or(Verdict::Abstained, |answer| self.verdict(answer))
    }

    /// When the answer was right first, s.
    pub(super) fn first_right(&self) -> Option<f64> {
        self.answers.iter().find(|(_, answer)| self.verdict(answer) == Verdict::Right).map(|(at, _)| *at)
    }

    /// When the answer changed last, s. `None`: it never did.
    pub(super) fn last_change(&self) -> Option<f64> {
        let key = |answer: &Answer| (answer.culprit.clone(), answer.cause.clone());
        let mut changes = self.answers.windows(2).filter(|two| key(&two[0].1) != key(&two[1].1));
        changes.next_back().map(|two| two[1].0)
    }

    fn names_wrong_node(&self) -> bool {
        let is_wrong = |culprit: &Culprit| match &self.truth {
            Some(truth) => truth.is_wrong_node(culprit),
            None => matches!(culprit, Culprit::Node(_)),
        };
        self.at(30.0).is_some_and(|answer| is_wrong(&answer.culprit))
    }

    /// Whether a hint is true: `None` where it names nobody, or names who it is among its alternatives.
    pub(super) fn is_true(&self, spoken: &Spoken) -> Option<bool> {
        let Answer { culprit, cause, alternatives, .. } = &spoken.said;
        let Some(truth) = &self.truth else { return Some(false) };
        if truth.is_true(culprit, cause) {
            return Some(true);
        }
        let undecided = alternatives.iter().any(|(other, _)| truth.blames(other));
        (*culprit != Culprit::Nobody && !undecided).then_some(false)
    }

    /// Whether every step of the last answer's chain is true; only where the answer is right.
    fn chain_is_true(&self) -> Option<bool> {
        let (answer, truth) = (self.at(30.0)?, self.truth.as_ref()?);
        let is_true = |step: &String| {
            let step = step.as_str();
            truth.causes.contains(&step) || truth.effects.contains(&step) || SYMPTOMS.contains(&step)
        };
        (self.verdict(answer) == Verdict::Right).then(|| answer.chain.iter().all(is_true))
    }
}

/// Last steps of chains: what the subject feels.
const SYMPTOMS: [&str; 10] = [
    "packet_loss",
    "rtt_inflation",
    "connect_failures",
    "connect_latency",
    "send_stall",
    "receive_stall",
    "unanswered_requests",
    "cpu_throttling",
    "slow_name_resolution",
    "not_running",
];

/// Sum of squared distances between probability and truth.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Brier {
    pub(super) count: usize,
    sum: f64,
}

impl Brier {
    pub(super) fn add(&mut self, probability: f64, is_true: bool) {
        self.count += 1;
        self.sum += (probability - f64::from(u8::from(is_true))).powi(2);
    }

    pub(super) fn mean(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

/// One bin of the reliability table.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Bin {
    pub(super) count: usize,
    pub(super) said: f64,
    pub(super) right: usize,
}

/// Verdicts of a group of cases at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) cases: usize,
    pub(super) right: usize,
    pub(super) culprit: usize,
    pub(super) abstained: usize,
    pub(super) wrong: usize,
}

impl Tally {
    pub(super) fn add(&mut self, verdict: Verdict) {
        self.cases += 1;
        match verdict {
            Verdict::Right => self.right += 1,
            Verdict::Culprit => self.culprit += 1,
            Verdict::Abstained => self.abstained += 1,
            Verdict::Wrong => self.wrong += 1,
        }
    }

    pub(super) fn top1(&self) -> Option<f64> {
        ratio(self.right, self.cases)
    }

    pub(super) fn top1_blame(&self) -> Option<f64> {
        ratio(self.right + self.culprit, self.cases)
    }

    /// Right, or nobody named.
    pub(super) fn right_or_abstained(&self) -> Option<f64> {
        ratio(self.right + self.abstained, self.cases)
    }
}

/// All figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Score {
    pub(super) cases: usize,
    pub(super) controls: usize,
    /// Faults that clients did not notice; they count as controls.
    pub(super) unnoticed: usize,
    /// Left out: other clients noticed something too.
    pub(super) disturbed: usize,
    /// At each checkpoint.
    pub(super) at: [Tally; 4],
    pub(super) wrong_node: usize,
    /// Hints in controls, and controls with hints.
    pub(super) control_hints: usize,
    pub(super) controls_with_hints: usize,
    /// Controls in which an answer named somebody.
    pub(super) controls_answered: usize,
    /// Hints in cases with a fault: true, and all that decide.
    pub(super) hints_true: usize,
    pub(super) hints_decided: usize,
    /// Of confidence, over merged answers at the checkpoints, and over hints.
    pub(super) brier: Brier,
    pub(super) brier_hints: Brier,
    /// Of the probabilities of culprits, where they are told: also of the candidates of answers that name nobody.
    pub(super) brier_blame: Brier,
    /// Of confidence of merged answers at the checkpoints and hints.
    pub(super) reliability: [Bin; 10],
    /// Times to the first right answer, sorted; infinite where it never came.
    pub(super) first_right: Vec<f64>,
    pub(super) last_change: Vec<f64>,
    pub(super) chain_true: Option<f64>,
    /// By name, at the last checkpoint.
    pub(super) by: BTreeMap<&'static str, BTreeMap<&'static str, Tally>>,
}

pub(super) fn score(cases: &[Case]) -> Score {
    let mut score = Score::default();
    let mut chains = Vec::new();
    for case in cases {
        score.unnoticed += usize::from(case.bite.is_some() && case.is_control());
        if case.is_disturbed() {
            score.disturbed += 1;
            continue;
        }
        score.probabilities(case);
        score.wrong_node += usize::from(case.names_wrong_node());
        if case.is_control() {
            score.control(case);
        } else {
            score.fault(case);
            chains.extend(case.chain_is_true());
        }
    }
    score.first_right.sort_by(f64::total_cmp);
    score.last_change.sort_by(f64::total_cmp);
    score.chain_true = ratio(chains.iter().filter(|is_true| **is_true).count(), chains.len());
    score
}

impl Score {
    fn control(&mut self, case: &Case) {
        self.controls += 1;
        self.control_hints += case.spoken.len();
        self.controls_with_hints += usize::from(!case.spoken.is_empty());
        self.controls_answered += usize::from(case.answers.iter().any(|(_, answer)| answer.names()));
    }

    fn fault(&mut self, case: &Case) {
        self.cases += 1;
        for (tally, seconds) in self.at.iter_mut().zip(CHECKPOINTS) {
            tally.add(case.verdict_at(seconds));
        }
        self.first_right.push(case.first_right().unwrap_or(f64::INFINITY));
        self.last_change.extend(case.last_change());
        let verdicts = case.spoken.iter().filter_map(|spoken| case.is_true(spoken));
        let (all, right) = verdicts.fold((0, 0), |(all, right), is_true| (all + 1, right + usize::from(is_true)));
        (self.hints_decided, self.hints_true) = (self.hints_decided + all, self.hints_true + right);
        let place = match &case.plan.event {
            super::plan::Event::Fault(fault) => fault.place.kind(),
            super::plan::Event::Control(_) => "",
        };
        let mut groups = vec![("mechanism", case.plan.name()), ("place", place)];
        groups.extend(case.plan.topologies().into_iter().map(|name| ("topology", name)));
        for (group, name) in groups {
            self.by.entry(group).or_default().entry(name).or_default().add(case.verdict_at(30.0));
        }
    }

    fn probabilities(&mut self, case: &Case) {
        for answer in CHECKPOINTS.iter().filter_map(|seconds| case.at(*seconds)) {
            if answer.names() {
                let is_right = case.verdict(answer) == Verdict::Right;
                self.brier.add(answer.confidence, is_right);
                self.bin(answer.confidence, is_right);
            }
            let named = answer.probability.filter(|_| answer.names()).map(|probability| (&answer.culprit, probability));
            let others = answer.alternatives.iter().filter_map(|(other, probability)| Some((other, (*probability)?)));
            for (culprit, probability) in named.into_iter().chain(others) {
                let is_right = case.truth.as_ref().is_some_and(|truth| truth.blames(culprit));
                self.brier_blame.add(probability, is_right);
            }
        }
        for spoken in &case.spoken {
            if let Some(is_true) = case.is_true(spoken) {
                self.brier_hints.add(spoken.said.confidence, is_true);
                self.bin(spoken.said.confidence, is_true);
            }
        }
    }

    fn bin(&mut self, confidence: f64, is_right: bool) {
        let bin = &mut self.reliability[((confidence * 10.0) as usize).min(9)];
        *bin = Bin { count: bin.count + 1, said: bin.said + confidence, right: bin.right + usize::from(is_right) };
    }
}

pub(super) fn ratio(part: usize, all: usize) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

/// The value that a share of `q` does not exceed.
pub(super) fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests;
