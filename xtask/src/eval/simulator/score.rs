//! How right the answers were.

use super::fault::Fault;
use netwhy_agent::blame::{Calibration, Culprit, Finding, Parameters, Verdicts};
use serde_json::{Value, json};

/// Bins of the reliability diagram.
const BINS: usize = 10;

/// Right, or wrong in which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// The component that was broken. A Node counts when it is the right one; its direction is counted apart.
    Right { direction: bool },
    /// A Node in which nothing was broken.
    WrongNode,
    /// Something else in which nothing was broken.
    WrongOther,
}

/// One verdict on one culprit.
#[derive(Clone, Copy, Debug)]
struct Judged {
    answer: Answer,
    confidence: f64,
    /// The inputs of confidence.
    above: f64,
    single_path: bool,
}

/// The result for one fault.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    fault: Fault,
    found: bool,
    /// Not blamed, but named among alternatives or as undecided.
    abstained: bool,
}

/// Answers of many trials.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    judged: Vec<Judged>,
    outcomes: Vec<Outcome>,
    /// Ambiguous findings, and those of them whose alternatives hold no true culprit.
    ambiguous: usize,
    misleading: usize,
    insufficient: usize,
}

impl Tally {
    /// Takes one trial's answer.
    pub(super) fn add(&mut self, faults: &[Fault], verdicts: &Verdicts, parameters: &Parameters) {
        let mut found = vec![false; faults.len()];
        let mut named = vec![false; faults.len()];
        let mark = |culprit: Culprit, marks: &mut Vec<bool>| {
            let at = faults.iter().position(|fault| same(fault.culprit, culprit));
            at.map(|at| std::mem::replace(&mut marks[at], true))
        };
        for finding in &verdicts.findings {
            match finding {
                Finding::Blamed(verdict) => {
                    let again = mark(verdict.culprit, &mut found);
                    let direction = faults.iter().any(|fault| fault.culprit == verdict.culprit);
                    let answer = match again {
                        Some(false) => Answer::Right { direction },
                        Some(true) | None if verdict.culprit.node().is_some() => Answer::WrongNode,
                        Some(true) | None => Answer::WrongOther,
                    };
                    let above = verdict.score - parameters.threshold;
                    let single_path = matches!(verdict.culprit, Culprit::Pair(..));
                    self.judged.push(Judged { answer, confidence: verdict.confidence, above, single_path });
                }
                Finding::Ambiguous(all) => {
                    self.ambiguous += 1;
                    let hits = all.iter().filter(|verdict| mark(verdict.culprit, &mut named).is_some()).count();
                    self.misleading += usize::from(hits == 0);
                }
                Finding::Insufficient(verdict, _) => {
                    self.insufficient += 1;
                    mark(verdict.culprit, &mut named);
                }
            }
        }
        for ((fault, found), named) in faults.iter().zip(found).zip(named) {
            self.outcomes.push(Outcome { fault: *fault, found, abstained: named && !found });
        }
    }

    /// Adds another's answers.
    pub(super) fn merge(&mut self, other: Self) {
        let Self { judged, outcomes, ambiguous, misleading, insufficient } = other;
        self.judged.extend(judged);
        self.outcomes.extend(outcomes);
        self.ambiguous += ambiguous;
        self.misleading += misleading;
        self.insufficient += insufficient;
    }

    fn right(&self) -> usize {
        self.judged.iter().filter(|judged| matches!(judged.answer, Answer::Right { .. })).count()
    }

    /// Verdicts that were right. 1 when there was none.
    pub(super) fn precision(&self) -> f64 {
        share(self.right(), self.judged.len())
    }

    /// Faults that were blamed.
    pub(super) fn recall(&self) -> f64 {
        share(self.outcomes.iter().filter(|outcome| outcome.found).count(), self.outcomes.len())
    }

    /// Verdicts that named a Node in which nothing was broken.
    pub(super) fn wrong_node(&self) -> f64 {
        let wrong = self.judged.iter().filter(|judged| judged.answer == Answer::WrongNode).count();
        if self.judged.is_empty() { 0.0 } else { wrong as f64 / self.judged.len() as f64 }
    }

    /// Faults that were named without being blamed.
    pub(super) fn abstentions(&self) -> f64 {
        let abstained = self.outcomes.iter().filter(|outcome| outcome.abstained).count();
        if self.outcomes.is_empty() { 0.0 } else { abstained as f64 / self.outcomes.len() as f64 }
    }

    /// Mean distance between confidence and the share of right answers, over bins of confidence.
    pub(super) fn calibration_error(&self) -> f64 {
        let mut bins = [(0.0_f64, 0.0_f64); BINS];
        for judged in &self.judged {
            let bin = &mut bins[((judged.confidence * BINS as f64) as usize).min(BINS - 1)];
            let right = f64::from(u8::from(matches!(judged.answer, Answer::Right { .. })));
            *bin = (bin.0 + judged.confidence, bin.1 + right);
        }
        let distance: f64 = bins.iter().map(|(confidence, right)| (confidence - right).abs()).sum();
        if self.judged.is_empty() { 0.0 } else { distance / self.judged.len() as f64 }
    }

    /// Logistic regression of "right" on what confidence is made of, with a weak pull to zero, by Newton's method.
    pub(super) fn fit(&self) -> Calibration {
        let mut w = [0.0_f64; 3];
        for _ in 0..50 {
            let mut gradient = w.map(|w| -RIDGE * w);
            let mut hessian = [[0.0_f64; 3]; 3];
            for (i, row) in hessian.iter_mut().enumerate() {
                row[i] = RIDGE;
            }
            for judged in &self.judged {
                let [a, b] = Calibration::features(judged.above, judged.single_path);
                let x = [1.0, a, b];
                let p = 1.0 / (1.0 + (-(w[0] + w[1] * a + w[2] * b)).exp());
                let y = f64::from(u8::from(matches!(judged.answer, Answer::Right { .. })));
                for i in 0..3 {
                    gradient[i] += (y - p) * x[i];
                    for j in 0..3 {
                        hessian[i][j] += p * (1.0 - p) * x[i] * x[j];
                    }
                }
            }
            let step = solve(hessian, gradient);
            for (w, step) in w.iter_mut().zip(step) {
                *w += step;
            }
        }
        Calibration { intercept: w[0], nats: w[1], single_path: w[2] }
    }

    /// Everything for the JSON.
    pub(super) fn json(&self) -> Value {
        let directed = self.judged.iter().filter(|judged| judged.answer == Answer::Right { direction: true }).count();
        let found_of = |kind: &dyn Fn(&Fault) -> bool| {
            let all: Vec<&Outcome> = self.outcomes.iter().filter(|outcome| kind(&outcome.fault)).collect();
            let found = all.iter().filter(|outcome| outcome.found).count();
            json!({ "faults": all.len(), "recall": share(found, all.len()) })
        };
        let mut kinds = serde_json::Map::new();
        for kind in ["node", "node_in", "node_out", "pair", "zone_pair", "external"] {
            kinds.insert(kind.to_owned(), found_of(&|fault| kind_name(fault.culprit) == kind));
        }
        json!({
            "precision": self.precision(), "recall": self.recall(), "wrong_node": self.wrong_node(),
            "abstentions": self.abstentions(), "calibration_error": self.calibration_error(),
            "direction_right": share(directed, self.right()),
            "faults": self.outcomes.len(), "verdicts": self.judged.len(), "ambiguous": self.ambiguous,
            "ambiguous_without_the_culprit": self.misleading, "insufficient": self.insufficient,
            "by_kind": kinds,
            "by_magnitude": {
                "0.2–0.5 %": found_of(&|fault| fault.ratio < 0.005),
                "0.5–2 %": found_of(&|fault| (0.005..0.02).contains(&fault.ratio)),
                "2–5 %": found_of(&|fault| fault.ratio >= 0.02),
            },
        })
    }
}

/// Pull of the coefficients to zero: as much as two doubtful answers.
const RIDGE: f64 = 0.05;

/// Answers of a rival: Nodes only, so only Nodes' faults are asked of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rival {
    pub(super) right: usize,
    pub(super) wrong: usize,
    pub(super) faults: usize,
}

impl Rival {
    /// Takes one trial's answer.
    pub(super) fn add(&mut self, faults: &[Fault], blamed: &[Culprit]) {
        let nodes: Vec<_> = faults.iter().filter_map(|fault| fault.culprit.node()).collect();
        let right = blamed.iter().filter(|culprit| culprit.node().is_some_and(|node| nodes.contains(&node))).count();
        // An outside host or the end of a broken pair that it names is not held against it.
        let excused = |culprit: &Culprit| {
            let Some(node) = culprit.node() else { return false };
            faults.iter().any(|fault| match fault.culprit {
                Culprit::Pair(a, b) => node == a || node == b,
                Culprit::External(end) => node == end,
                _ => false,
            })
        };
        let excused = blamed.iter().filter(|culprit| excused(culprit)).count();
        self.right += right;
        self.wrong += blamed.len() - right - excused;
        self.faults += nodes.len();
    }

    pub(super) fn precision(self) -> f64 {
        share(self.right, self.right + self.wrong)
    }

    pub(super) fn recall(self) -> f64 {
        share(self.right, self.faults)
    }

    /// Harmonic mean of both.
    pub(super) fn f1(self) -> f64 {
        let (p, r) = (self.precision(), self.recall());
        if p + r > 0.0 { 2.0 * p * r / (p + r) } else { 0.0 }
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

fn same(fault: Culprit, blamed: Culprit) -> bool {
    fault == blamed || fault.node().is_some_and(|node| blamed.node() == Some(node))
}

fn kind_name(culprit: Culprit) -> &'static str {
    match culprit {
        Culprit::Node(_) => "node",
        Culprit::NodeIn(_) => "node_in",
        Culprit::NodeOut(_) => "node_out",
        Culprit::Pair(..) => "pair",
        Culprit::ZonePair(..) => "zone_pair",
        Culprit::Pod(_) => "pod",
        Culprit::External(_) => "external",
    }
}

/// Solves a positive definite system by Gauss's elimination.
fn solve(mut a: [[f64; 3]; 3], mut b: [f64; 3]) -> [f64; 3] {
    for i in 0..3 {
        for k in i + 1..3 {
            let factor = a[k][i] / a[i][i];
            let pivot = a[i];
            for (x, y) in a[k].iter_mut().zip(pivot) {
                *x -= factor * y;
            }
            b[k] -= factor * b[i];
        }
    }
    let mut x = [0.0; 3];
    for i in (0..3).rev() {
        let known: f64 = (i + 1..3).map(|j| a[i][j] * x[j]).sum();
        x[i] = (b[i] - known) / a[i][i];
    }
    x
}

#[cfg(test)]
mod tests;
