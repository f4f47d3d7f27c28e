//! What each kernel has, as a table: signal × kernel, from what the agent's `preflight` said in each machine.

use super::guest::{Outcome, Verdict};
use std::{collections::BTreeMap, fmt::Write as _};

/// Words of `preflight`, and those of the table.
const WORDS: [(&str, &str); 3] = [("ok", "yes"), ("degraded", "in part"), ("missing", "no")];
/// Needs that say nothing about a kernel, but about the machine or the configuration.
const OF_THE_MACHINE: [&str; 9] = [
    "kernel",
    "capabilities",
    "processes",
    "memory limit",
    "kernel memory",
    "HTTP memory",
    "listener",
    "probe listener",
    "API listener",
];

/// The table in Markdown, with the reason of every cell that is not `yes` below it.
pub(super) fn markdown(outcomes: &[(&str, &Outcome)]) -> String {
    let booted: Vec<(&str, &Outcome)> =
        outcomes.iter().filter(|(_, outcome)| !outcome.release.is_empty()).copied().collect();
    let columns: Vec<BTreeMap<&str, (&str, &str)>> =
        booted.iter().map(|(_, outcome)| needs(&outcome.preflight).collect()).collect();
    let mut order: Vec<&str> = Vec::new();
    for (_, outcome) in &booted {
        for (need, _) in needs(&outcome.preflight) {
            if !order.contains(&need) {
                order.push(need);
            }
        }
    }
    let mut text = String::from("| signal |");
    let mut rule = String::from("|---|");
    for (_, outcome) in &booted {
        text.push_str(&format!(" {} |", cell(&outcome.release)));
        rule.push_str("---|");
    }
    let mut reasons = String::new();
    let _ = writeln!(text, "\n{rule}");
    for need in &order {
        let _ = write!(text, "| {} |", cell(need));
        for ((_, outcome), column) in booted.iter().zip(&columns) {
            let (word, found) = column.get(need).copied().unwrap_or(("–", ""));
            let _ = write!(text, " {word} |");
            if word != "yes" && !found.is_empty() {
                let _ = writeln!(reasons, "- {}, {}: {}", cell(need), cell(&outcome.release), cell(found));
            }
        }
        text.push('\n');
    }
    let count =
        |outcome: &Outcome, is: fn(&Verdict) -> bool| outcome.tests.iter().filter(|test| is(&test.verdict)).count();
    let _ = write!(text, "| tests passed, failed, skipped |");
    for (_, outcome) in &booted {
        let failed = count(outcome, |v| matches!(v, Verdict::Failed(_) | Verdict::Unfinished));
        let skipped = count(outcome, |v| matches!(v, Verdict::Skipped(_)));
        let _ = write!(text, " {}, {failed}, {skipped} |", count(outcome, |v| *v == Verdict::Passed));
    }
    text.push('\n');
    for (name, _) in outcomes.iter().filter(|(_, outcome)| outcome.release.is_empty()) {
        let _ = writeln!(reasons, "- {}: did not boot", cell(name));
    }
    if reasons.is_empty() { text } else { format!("{text}\n{reasons}") }
}

/// Needs, each with the table's word and what was found, from the lines that `preflight` prints for people.
fn needs(preflight: &str) -> impl Iterator<Item = (&str, (&'static str, &str))> {
    let need = |line: &'_ str| -> Option<(usize, &'static str, usize)> {
        WORDS.iter().find_map(|(said, word)| {
            let at = line.find(&format!("  {said} "))?;
            Some((at, *word, at + said.len() + 3))
        })
    };
    preflight.lines().filter(|line| !line.starts_with([' ', '{'])).filter_map(move |line| {
        let (at, word, rest) = need(line)?;
        let name = line[..at].trim_end();
        (!OF_THE_MACHINE.contains(&name)).then(|| (name, (word, line[rest..].trim())))
    })
}

/// Text that breaks no table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\r', '\n'], " ")
}

#[cfg(test)]
mod tests;
