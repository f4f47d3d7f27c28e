//! The table and the JSON.

use super::score::{Case, Score, score};
use serde_json::{Value, json};

/// The goals, each with its direction.
const GOALS: [(&str, f64, bool); 6] = [
    ("top1", 0.93, true),
    ("top3", 0.97, true),
    ("precision", 0.95, true),
    ("wrong_node", 0.01, false),
    ("p50", 5.0, false),
    ("p95", 15.0, false),
];

/// One line about a case.
pub(super) fn line(case: &Case) -> String {
    let verdict = match (case.is_control(), case.right_in_first(1), case.right_in_first(3)) {
        (true, ..) if case.seen.is_empty() && case.fleet_false == 0 => "silent",
        (true, ..) => "SPOKE",
        (false, true, _) => "right",
        (false, false, true) => "later",
        (false, false, false) if case.answers.is_empty() => "NOTHING",
        _ => "WRONG",
    };
    let seconds = case.seconds.map_or_else(|| "     –".to_owned(), |s| format!("{s:>5.1}s"));
    let answers: Vec<String> = case.answers.iter().take(3).map(|a| format!("{}: {}", a.who, a.cause)).collect();
    let said = if case.is_control() {
        let hints = case.seen.iter().map(|seen| format!("{}: {}", seen.who, seen.cause));
        let edges = (case.fleet_false > 0)
            .then(|| format!("edges named somebody {} of {} times", case.fleet_false, case.evaluations));
        hints.chain(edges).collect::<Vec<_>>().join(", ")
    } else {
        answers.join(", ")
    };
    format!("{:<20} {:<14} {seconds} {verdict:<8} {said}", case.fault, case.magnitude)
}

/// Text after a goal.
const fn short_of(is_reached: bool) -> &'static str {
    if is_reached { "" } else { ", short" }
}

/// One row of the table. `key` names its goal, if it has one.
fn row(what: &str, key: &str, value: Option<f64>, is_share: bool) -> String {
    let shown = match value {
        None => "–".to_owned(),
        Some(value) if value.is_infinite() => "– never".to_owned(),
        Some(value) if is_share => format!("{value:.3}"),
        Some(value) => format!("{value:.1} s"),
    };
    let goal = GOALS.iter().find(|goal| goal.0 == key).map_or(String::new(), |(_, goal, at_least)| {
        let is_reached = value.is_some_and(|value| if *at_least { value >= *goal } else { value <= *goal });
        let sign = if *at_least { "≥" } else { "≤" };
        format!("  (to reach: {sign} {goal}{})", short_of(is_reached))
    });
    format!("  {what:<56} {shown:>8}{goal}")
}

/// The table of all figures.
pub(super) fn table(cases: &[Case], not_tried: &[String]) -> String {
    let all = score(cases);
    let timed = format!("(over {} of {})", all.hints_timed, all.cases);
    let mut lines = vec![
        format!("laboratory: {} cases with a fault, {} controls", all.cases, all.controls),
        row("first answer right (culprit and cause)", "top1", all.top1, true),
        row("one of the first three", "top3", all.top3, true),
        row("first answer's culprit right", "blame_top1", all.blame_top1, true),
        row("precision: distinct things ever said", "precision", all.precision, true),
        row("precision: hints, each agent's", "", all.precision_of_hints, true),
        row("precision: merged answers at the end", "", all.precision_of_answers, true),
        row("faults found", "recall", all.recall, true),
        row("first answer names a wrong Node", "wrong_node", all.wrong_node, true),
        row(&format!("time to the right hint, median {timed}"), "p50", all.p50_seconds, false),
        row(&format!("time to the right hint, 95th percentile {timed}"), "p95", all.p95_seconds, false),
        row("time to the right first answer, median (over all)", "p50", all.p50_answer_seconds, false),
        row("time to the right first answer, 95th percentile (over all)", "p95", all.p95_answer_seconds, false),
        row("first answer wrong, of all times answers were merged", "", all.wrong_first, true),
        row("calibration error", "", all.calibration_error, true),
        format!(
            "  hints in controls {} in {} of {} (to reach: 0{}); cases in which nobody was named {}",
            all.control_hints,
            all.control_cases,
            all.controls,
            short_of(all.control_hints == 0),
            all.abstentions
        ),
        format!(
            "  answers of the edges of all agents in controls {} (to reach: 0{})",
            all.fleet_false,
            short_of(all.fleet_false == 0),
        ),
    ];
    lines.extend(not_tried.iter().map(|reason| format!("  not tried: {reason}")));
    let missed: Vec<_> = all.confusion.iter().filter(|((expected, got), _)| expected != got).collect();
    if !missed.is_empty() {
        lines.push("  expected → first answer instead:".to_owned());
        lines.extend(missed.iter().map(|((expected, got), n)| format!("    {n} × {expected} → {got}")));
    }
    lines.join("\n") + "\n"
}

/// Everything, for programs.
pub(super) fn json(cases: &[Case], not_tried: &[String]) -> Value {
    let all = score(cases);
    let Score { top1, top3, blame_top1, precision, recall, wrong_node, control_hints, control_cases, .. } = all;
    let mut confusion = json!({});
    for ((expected, got), n) in &all.confusion {
        confusion[expected][got] = json!(n);
    }
    json!({
        "top1": top1, "top3": top3, "blame_top1": blame_top1, "precision": precision,
        "precision_of_hints": all.precision_of_hints, "precision_of_answers": all.precision_of_answers,
        "recall": recall,
        "wrong_node": wrong_node, "control_hints": control_hints, "controls_with_hints": control_cases,
        "time_to_hint_seconds": { "p50": all.p50_seconds, "p95": all.p95_seconds }, "hints_timed": all.hints_timed,
        // `null` where it falls on a fault whose first answer was never right.
        "time_to_answer_seconds": { "p50": all.p50_answer_seconds, "p95": all.p95_answer_seconds },
        "wrong_first": all.wrong_first, "fleet_false": all.fleet_false,
        "abstentions": all.abstentions, "calibration_error": all.calibration_error,
        "faults": all.cases, "controls": all.controls, "confusion": confusion, "not_tried": not_tried,
        "cases": cases.iter().map(case_json).collect::<Vec<_>>(),
    })
}

fn case_json(case: &Case) -> Value {
    let pairs = |list: &[(super::who::Who, &str)]| -> Vec<Value> {
        list.iter().map(|(who, cause)| json!({ "blame": who.to_string(), "cause": cause })).collect()
    };
    let expected: Vec<Value> =
        case.expected.iter().map(|e| json!({ "right": pairs(&e.right), "also": pairs(&e.also) })).collect();
    let answer = |answer: &super::pool::Answer| {
        let who = answer.who.to_string();
        json!({ "blame": who, "cause": answer.cause, "weight": answer.weight, "hints": answer.hints })
    };
    let seen = |seen: &super::score::Seen| {
        json!({
            "blame": seen.who.to_string(), "cause": seen.cause, "confidence": seen.confidence, "seconds": seen.seconds,
            "agent": seen.agent, "summary": seen.summary, "verdict": case.verdict(seen),
            "alternatives": seen.alternatives.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    };
    json!({
        "fault": case.fault, "magnitude": case.magnitude, "seed": case.seed, "control": case.is_control(),
        "expected": expected, "got": case.answers.iter().map(answer).collect::<Vec<_>>(), "seconds": case.seconds,
        "right": case.right_in_first(1), "fleet": case.fleet, "hints": case.seen.iter().map(seen).collect::<Vec<_>>(),
        "answer_seconds": case.answer_seconds, "wrong_first": case.wrong_first, "evaluations": case.evaluations,
        "fleet_false": case.fleet_false,
    })
}

#[cfg(test)]
mod tests;
