//! Whom each rival names first, judged as our own answers are: pure.

use super::{
    simple::{DEVIATIONS, VOTES},
    table,
};
use crate::eval::generated::{
    culprit::Culprit,
    export::folder,
    merged::Answer,
    score::{Case, Given, Tally, Verdict},
};
use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// When rivals are asked, s after the onset.
pub(super) const ASKED: f64 = 30.0;

/// A line of `rank.py`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Ranked {
    case: String,
    method: String,
    onset: String,
    /// Columns, the likeliest culprit's first. Empty: nobody is named.
    ranks: Vec<String>,
    /// Why the method gave no answer. `None`: it gave one.
    failed: Option<String>,
}

/// The figures of one rival.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::eval::generated) struct Row {
    name: String,
    /// Over faults. A cause is not asked for.
    tally: Tally,
    controls: usize,
    /// Controls in which it named somebody.
    controls_named: usize,
    /// Cases of which it could make nothing.
    failed: usize,
}

pub(super) fn read(text: &str) -> Result<Vec<Ranked>> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| serde_json::from_str(line).with_context(|| format!("read the answer {line:?}"))).collect()
}

/// Us and all rivals over the cases that rivals were given too.
pub(super) fn rows(cases: &[Case], ranked: &[Ranked]) -> Vec<Row> {
    let given: Vec<(&Case, &Given)> = cases
        .iter()
        .filter(|case| !case.is_disturbed())
        .filter_map(|case| Some((case, case.rivals.as_ref()?)))
        .collect();
    let ours = |case: &Case| case.at(ASKED).map_or(Culprit::Nobody, |answer| answer.culprit.clone());
    let ours = Row::of("netwhy", given.iter().map(|(case, _)| (*case, ours(case))));
    let voting = best("007-style voting", VOTES.len(), |name, at| {
        Row::of(name, given.iter().map(|(case, given)| (*case, given.voting[at].clone())))
    });
    let robust_z = best("robust z", DEVIATIONS.len(), |name, at| {
        Row::of(name, given.iter().map(|(case, given)| (*case, given.robust_z[at].clone())))
    });
    let mut rows = vec![ours, voting, robust_z];
    let mut by_name: BTreeMap<String, BTreeMap<&str, &Ranked>> = BTreeMap::new();
    for one in ranked {
        by_name.entry(one.name()).or_default().insert(&one.case, one);
    }
    for (name, of_case) in &by_name {
        let answers: Vec<(&Case, Option<&Ranked>)> =
            given.iter().map(|(case, _)| (*case, of_case.get(folder(&case.plan).as_str()).copied())).collect();
        let first = |ranked: &Option<&Ranked>| ranked.map_or(Culprit::Nobody, Ranked::culprit);
        let mut row = Row::of(name, answers.iter().map(|(case, ranked)| (*case, first(ranked))));
        row.failed = answers.iter().filter(|(_, ranked)| ranked.is_none_or(|one| one.failed.is_some())).count();
        rows.push(row);
    }
    rows
}

/// The limit that serves a rival best on these very cases.
fn best(name: &str, limits: usize, row: impl Fn(&str, usize) -> Row) -> Row {
    let all = (0..limits).map(|at| row(name, at));
    all.max_by(|x, y| x.f1().total_cmp(&y.f1())).unwrap_or_default()
}

impl Ranked {
    fn name(&self) -> String {
        let onset = match self.onset.as_str() {
            "given" => "onset given",
            "netwhy" => "onset from netwhy",
            "own" => "onset found by itself",
            other => other,
        };
        format!("{}, {onset}", self.method)
    }

    fn culprit(&self) -> Culprit {
        self.ranks.first().map_or(Culprit::Nobody, |column| table::culprit(column))
    }
}

impl Row {
    fn of<'a>(name: &str, answers: impl Iterator<Item = (&'a Case, Culprit)>) -> Self {
        let mut row = Self { name: name.to_owned(), ..Self::default() };
        for (case, culprit) in answers {
            let verdict = case.verdict(&Answer { culprit, ..Answer::nothing() });
            if case.is_control() {
                row.controls += 1;
                row.controls_named += usize::from(verdict != Verdict::Abstained);
            } else {
                row.tally.add(verdict);
            }
        }
        row
    }

    /// Faults whose culprit it named.
    const fn right(&self) -> usize {
        self.tally.right + self.tally.culprit
    }

    /// Harmonic mean of precision, also over controls, and recall.
    fn f1(&self) -> f64 {
        let (right, named_wrong) = (self.right(), self.tally.wrong + self.controls_named);
        let all = right + named_wrong + self.tally.cases;
        if all == 0 { 0.0 } else { 2.0 * right as f64 / all as f64 }
    }

    fn line(&self) -> String {
        let share = self.tally.top1_blame().map_or_else(|| "–".to_owned(), |share| format!("{share:.3}"));
        let right = format!("{} of {} ({share})", self.right(), self.tally.cases);
        let named = format!("{} of {}", self.controls_named, self.controls);
        let Tally { abstained, wrong, .. } = self.tally;
        format!("  {:<40}{right:>20}{abstained:>9}{wrong:>8}{named:>20}{:>9}\n", self.name, self.failed)
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name, "cases": self.tally.cases, "right": self.right(), "top1_blame": self.tally.top1_blame(),
            "nobody_named": self.tally.abstained, "wrong": self.tally.wrong,
            "controls": self.controls, "controls_named": self.controls_named, "failed": self.failed,
        })
    }
}

/// For people.
pub(in crate::eval::generated) fn text(rows: &[Row]) -> String {
    let head = ["culprit after 30 s", "right", "nobody", "wrong", "named in controls", "failed"];
    let [what, right, nobody, wrong, named, failed] = head;
    let head = format!("\n{what:<42}{right:>20}{nobody:>9}{wrong:>8}{named:>20}{failed:>9}\n");
    head + &rows.iter().map(Row::line).collect::<String>()
}

/// For programs.
pub(in crate::eval::generated) fn json(rows: &[Row]) -> Value {
    rows.iter().map(Row::json).collect()
}

#[cfg(test)]
mod tests;
