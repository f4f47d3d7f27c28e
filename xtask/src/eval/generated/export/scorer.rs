//! Scores answers of any tool about exported cases. [`judge`] is pure.

use super::{super::culprit::Names, TRUTH};
use crate::eval::generated::score::{Brier, CHECKPOINTS, Tally, Verdict};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path};

/// The truth about one exported case.
#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    culprits: Vec<String>,
    causes: Vec<String>,
}

/// Case and checkpoint, s.
type Asked = (String, u64);

/// Figures of one tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::eval::generated) struct Figures {
    /// Faults, at each checkpoint.
    at: [Tally; 4],
    controls: usize,
    /// Controls in which somebody was named.
    controls_answered: usize,
    brier: Brier,
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_owned())).collect()
}

/// Reads the truth of all cases that were not disturbed.
fn read_truth(dir: &Path) -> Result<BTreeMap<String, Known>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).with_context(|| format!("read {}", dir.display()))? {
        let (path, name) = entry.map(|entry| (entry.path().join(TRUTH), entry.file_name()))?;
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let truth: Value = serde_json::from_str(&text).with_context(|| format!("parse {}", path.display()))?;
        if truth["disturbed"] != true {
            let known = Known { culprits: texts(&truth["culprits"]), causes: texts(&truth["causes"]) };
            all.insert(name.to_string_lossy().into_owned(), known);
        }
    }
    ensure!(!all.is_empty(), "{} has no cases", dir.display());
    Ok(all)
}

fn read_answers(text: &str) -> Result<BTreeMap<Asked, Value>> {
    let mut all = BTreeMap::new();
    for (line, number) in text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()) {
        let answer: Value = serde_json::from_str(line).with_context(|| format!("line {number} is no JSON"))?;
        let case = answer["case"].as_str().with_context(|| format!("line {number} names no case"))?;
        let seconds = answer["seconds"].as_f64().with_context(|| format!("line {number} has no seconds"))?;
        all.insert((case.to_owned(), seconds as u64), answer);
    }
    Ok(all)
}

/// Scores a file of answers about the cases of a folder; returns the table and the figures.
pub(in crate::eval::generated) fn score_answers(dir: &Path, file: &Path) -> Result<Figures> {
    let text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let answers = read_answers(&text).with_context(|| format!("read {}", file.display()))?;
    Ok(judge(&read_truth(dir)?, &answers))
}

fn judge(truth: &BTreeMap<String, Known>, answers: &BTreeMap<Asked, Value>) -> Figures {
    let mut result = Figures::default();
    for (case, known) in truth {
        let is_control = known.culprits.is_empty();
        let mut named = false;
        for (tally, seconds) in result.at.iter_mut().zip(CHECKPOINTS) {
            let answer = answers.get(&(case.clone(), seconds as u64));
            let verdict = answer.map_or(Verdict::Abstained, |answer| verdict(known, answer));
            named |= verdict != Verdict::Abstained;
            if !is_control {
                tally.add(verdict);
            }
            if let Some(answer) = answer.filter(|_| verdict != Verdict::Abstained) {
                result.brier.add(answer["confidence"].as_f64().unwrap_or(1.0), verdict == Verdict::Right);
            }
        }
        result.controls += usize::from(is_control);
        result.controls_answered += usize::from(is_control && named);
    }
    result
}

fn verdict(known: &Known, answer: &Value) -> Verdict {
    let culprit = Names::default().culprit(&answer["blame"]).to_string();
    let cause = answer["cause"].as_str().unwrap_or_default();
    if culprit == "nobody" {
        Verdict::Abstained
    } else if !known.culprits.contains(&culprit) {
        Verdict::Wrong
    } else if known.causes.iter().any(|right| right == cause) {
        Verdict::Right
    } else {
        Verdict::Culprit
    }
}

/// For people, and for programs.
pub(in crate::eval::generated) fn table(result: &Figures) -> (String, Value) {
    let Figures { at, controls, controls_answered, brier } = result;
    let mut lines = vec!["seconds   faults   right   culprit only   nobody   wrong".to_owned()];
    for (tally, seconds) in at.iter().zip(CHECKPOINTS) {
        let Tally { cases, right, culprit, abstained, wrong } = tally;
        lines.push(format!("{seconds:>7}   {cases:>6}   {right:>5}   {culprit:>12}   {abstained:>6}   {wrong:>5}"));
    }
    lines.push(format!("controls in which somebody was named: {controls_answered} of {controls}"));
    lines.push(brier.mean().map_or_else(|| "no answers".to_owned(), |mean| format!("Brier score: {mean:.3}")));
    let rows = at.iter().zip(CHECKPOINTS).map(|(tally, seconds)| {
        let (top1, top1_blame) = (tally.top1(), tally.top1_blame());
        json!({ "seconds": seconds, "cases": tally.cases, "top1": top1, "top1_blame": top1_blame, "wrong": tally.wrong })
    });
    let json = json!({
        "at": rows.collect::<Vec<_>>(), "controls": controls, "controls_answered": controls_answered,
        "brier": brier.mean(),
    });
    (lines.join("\n") + "\n", json)
}

#[cfg(test)]
mod tests;
