//! The table and the JSON.

use super::{
    merged::Answer,
    plan::Event,
    score::{CHECKPOINTS, Case, Score, Tally, quantile, ratio, score},
};
use serde_json::{Value, json};

/// One line about a case.
pub(super) fn line(case: &Case) -> String {
    let last = case.at(30.0);
    let verdict = match (case.is_disturbed(), case.is_control(), case.spoken.is_empty()) {
        (true, ..) => "disturbed",
        (_, true, true) => "silent",
        (_, true, false) => "SPOKE",
        _ => case.verdict_at(30.0).name(),
    };
    let unnoticed = if case.bite.is_some() && case.is_control() { " (unnoticed)" } else { "" };
    let right = case.first_right().map_or_else(String::new, |seconds| format!(" after {seconds:.0} s"));
    let hints = || {
        let all = case.spoken.iter().map(|spoken| format!("{}: {}", spoken.said.culprit, spoken.said.cause));
        all.collect::<Vec<_>>().join(", ")
    };
    let said = match last.filter(|answer| answer.names()) {
        Some(answer) => format!("{}: {} {:.2}", answer.culprit, answer.cause, answer.confidence),
        None if case.spoken.is_empty() => String::new(),
        None => format!("hints: {}", hints()),
    };
    format!("#{:<3} {}{unnoticed}: {verdict}{right}  {said}", case.plan.number, case.plan.title())
}

fn share(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"))
}

fn seconds(value: Option<f64>) -> String {
    match value {
        Some(value) if value.is_finite() => format!("{value:.1} s"),
        Some(_) => "never".to_owned(),
        None => "–".to_owned(),
    }
}

/// The table of all figures.
pub(super) fn table(cases: &[Case], not_run: &[String], seed: u64) -> String {
    let all = score(cases);
    let Score { first_right, last_change, .. } = &all;
    let mut lines = vec![
        format!(
            "generated laboratory, seed {seed}: {} faults that clients notice, {} controls ({} of them faults that \
             clients don't notice), {} left out as disturbed",
            all.cases, all.controls, all.unnoticed, all.disturbed
        ),
        String::new(),
        "merged answer (why and nodes)      right   culprit   right or nobody   nobody   wrong".to_owned(),
    ];
    for (tally, at) in all.at.iter().zip(CHECKPOINTS) {
        lines.push(format!("  after {at:>2} s                      {}", columns(tally)));
    }
    lines.extend([
        String::new(),
        format!("  answers that name a wrong Node                {} of {}", all.wrong_node, all.cases + all.controls),
        format!(
            "  hints in controls                             {} in {} of {} controls; answered in {}",
            all.control_hints, all.controls_with_hints, all.controls, all.controls_answered
        ),
        format!("  hints that are true, of those that decide     {} of {}", all.hints_true, all.hints_decided),
        format!(
            "  Brier score: answers, hints, culprits         {} ({}), {} ({}), {} ({})",
            share(all.brier.mean()),
            all.brier.count,
            share(all.brier_hints.mean()),
            all.brier_hints.count,
            share(all.brier_blame.mean()),
            all.brier_blame.count
        ),
        format!("  right answers with a chain that is true       {}", share(all.chain_true)),
        format!(
            "  time to the first right answer, p50 and p95   {}, {}",
            seconds(quantile(first_right, 0.5)),
            seconds(quantile(first_right, 0.95))
        ),
        format!(
            "  time to the last change, p50 and p95          {}, {}",
            seconds(quantile(last_change, 0.5)),
            seconds(quantile(last_change, 0.95))
        ),
    ]);
    lines.extend(groups(&all));
    lines.extend(reliability(&all));
    lines.extend(not_run.iter().map(|reason| format!("  not run: {reason}")));
    lines.join("\n") + "\n"
}

fn columns(tally: &Tally) -> String {
    format!(
        "{:>6}  {:>8}  {:>16}  {:>7}  {:>6}",
        share(tally.top1()),
        share(tally.top1_blame()),
        share(tally.right_or_abstained()),
        tally.abstained,
        tally.wrong
    )
}

fn groups(all: &Score) -> Vec<String> {
    let mut lines = Vec::new();
    for (group, of) in &all.by {
        lines.push(String::new());
        lines.push(format!("by {group:<16}  cases   right   culprit   right or nobody   nobody   wrong"));
        lines.extend(of.iter().map(|(name, tally)| format!("  {name:<18} {:>4}  {}", tally.cases, columns(tally))));
    }
    lines
}

fn reliability(all: &Score) -> Vec<String> {
    let bins = all.reliability.iter().filter(|bin| bin.count > 0);
    let rows = bins.map(|bin| {
        let said = bin.said / bin.count as f64;
        format!("  {said:>9.2}  {:>12}  {:>5}", share(ratio(bin.right, bin.count)), bin.count)
    });
    let head = [String::new(), "confidence   share right   said".to_owned()];
    head.into_iter().chain(rows).collect()
}

/// Everything, for programs.
pub(super) fn json(cases: &[Case], not_run: &[String], seed: u64) -> Value {
    let all = score(cases);
    let at = |q: f64| quantile(&all.first_right, q).filter(|seconds| seconds.is_finite());
    let last = all.at[3];
    let mut by = json!({});
    for (group, of) in &all.by {
        for (name, tally) in of {
            by[group][name] = tally_json(tally);
        }
    }
    let checkpoints: Vec<Value> = all
        .at
        .iter()
        .zip(CHECKPOINTS)
        .map(|(tally, seconds)| json!({ "seconds": seconds, "tally": tally_json(tally) }))
        .collect();
    let bins = all.reliability.iter().filter(|bin| bin.count > 0);
    let bins: Vec<Value> = bins
        .map(|bin| json!({ "said": bin.said / bin.count as f64, "right": ratio(bin.right, bin.count), "n": bin.count }))
        .collect();
    let generated = json!({
        "cases": cases.len(), "seed": seed, "faults": all.cases, "controls": all.controls, "unnoticed": all.unnoticed,
        "disturbed": all.disturbed, "not_run": not_run,
        "top1": last.top1(), "top1_blame": last.top1_blame(), "top1_named_or_abstained": last.right_or_abstained(),
        "at": checkpoints,
        "wrong_node": ratio(all.wrong_node, all.cases + all.controls),
        "control_hints": all.control_hints, "controls_with_hints": all.controls_with_hints,
        "controls_answered": all.controls_answered,
        "hints_true": all.hints_true, "hints_decided": all.hints_decided,
        "brier": all.brier.mean(), "brier_hints": all.brier_hints.mean(), "brier_blame": all.brier_blame.mean(),
        "reliability": bins, "chain_true": all.chain_true,
        // `null` where it falls on a fault whose answer was never right.
        "time_seconds": { "p50": at(0.5), "p95": at(0.95) },
        "last_change_seconds": { "p50": quantile(&all.last_change, 0.5), "p95": quantile(&all.last_change, 0.95) },
        "by": by,
    });
    json!({ "generated": generated, "cases": cases.iter().map(case_json).collect::<Vec<_>>() })
}

fn tally_json(tally: &Tally) -> Value {
    let Tally { cases, right, culprit, abstained, wrong } = tally;
    json!({
        "cases": cases, "right": right, "culprit_only": culprit, "nobody_named": abstained, "wrong": wrong,
        "top1": tally.top1(), "top1_blame": tally.top1_blame(),
    })
}

fn answer_json(answer: &Answer) -> Value {
    let others: Vec<Value> = answer
        .alternatives
        .iter()
        .map(|(other, probability)| json!({ "blame": other.to_string(), "probability": probability }))
        .collect();
    json!({
        "blame": answer.culprit.to_string(), "cause": answer.cause, "confidence": answer.confidence,
        "probability": answer.probability, "alternatives": others, "chain": answer.chain,
        "sentence": answer.sentence,
    })
}

fn case_json(case: &Case) -> Value {
    let truth = case.truth.as_ref().map(|truth| {
        let culprits: Vec<String> = truth.culprits.iter().map(ToString::to_string).collect();
        json!({ "blame": culprits, "causes": truth.causes, "effects": truth.effects })
    });
    // Only where it changes.
    let mut answers: Vec<(f64, &Answer)> = Vec::new();
    for (seconds, answer) in &case.answers {
        let same = |before: &Answer| (&before.culprit, &before.cause) == (&answer.culprit, &answer.cause);
        if !answers.last().is_some_and(|(_, before)| same(before)) {
            answers.push((*seconds, answer));
        }
    }
    let answers: Vec<Value> =
        answers.iter().map(|(seconds, answer)| json!({ "seconds": seconds, "answer": answer_json(answer) })).collect();
    let checkpoints: Vec<Value> = CHECKPOINTS
        .iter()
        .map(|at| json!({ "seconds": at, "verdict": case.verdict_at(*at).name(), "answer": case.at(*at).map(answer_json) }))
        .collect();
    let hints: Vec<Value> = case
        .spoken
        .iter()
        .map(|spoken| {
            json!({
                "agent": spoken.agent, "subject": spoken.subject, "first": spoken.first, "last": spoken.last,
                "true": case.is_true(spoken), "said": answer_json(&spoken.said),
            })
        })
        .collect();
    let magnitude = match &case.plan.event {
        Event::Fault(fault) => fault.mechanism.magnitude(),
        Event::Control(_) => String::new(),
    };
    let bite = case.bite.map(|bite| json!({ "affected": bite.affected, "others": bite.others }));
    json!({
        "case": case.plan.number, "seed": case.plan.seed, "title": case.plan.title(), "control": case.is_control(),
        "fault": case.plan.name(), "magnitude": magnitude, "expected": truth, "got": case.at(30.0).map(answer_json),
        "seconds": case.first_right(),
        "disturbed": case.is_disturbed(), "noticed": bite, "asked": case.victims,
        "severities": case.severities, "cpu_wait": case.cpu_wait, "verdict": case.verdict_at(30.0).name(),
        "last_change_seconds": case.last_change(),
        "at": checkpoints, "answers": answers, "hints": hints, "drawn": case.plan,
    })
}
