//! Cases as a benchmark for other tools: what was measured, what was true, and a scorer for answers.

mod scorer;

pub(super) use scorer::{score_answers, table};

use super::{
    hear::Heard,
    plan::{Event, Plan},
    score::{CHECKPOINTS, Case},
};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::{fmt::Write as _, fs, path::Path};

const TRUTH: &str = "truth.json";
const ANSWERS: &str = "answers.jsonl";
const README: &str = "\
# Cases with known faults

One folder per case, SEED-NUMBER:

- case.json: Nodes, Pods, traffic, and the Pods to ask about.
- telemetry.jsonl: one line per second. `seconds` counts from the onset; the lines before it are normal. `peers`, `pods`
  and `edges` are the rows of all agents (`/api/v1/edges?by=peer_node`, `/api/v1/pods`, `/api/v1/edges`).
- recording-NODE.jsonl: the kernel's counters of one Node (`netwhy-agent replay` reads them).
- truth.json: what happened, and which answers are right. `culprits` is empty in controls.

An answer is a line of JSON:
`{\"case\": \"7-2\", \"seconds\": 10, \"blame\": {\"kind\": \"node\", \"name\": \"a\"}, \"cause\": \"path_loss\", \"confidence\": 0.9}`.
Kinds: node, pod, node_pair (`a↔b`), path_share (`a↔b`), zone_pair, external, none. `seconds` is 5, 10, 20 or 30. Without
a line for a case and a time, nobody is named. `cargo xtask eval --export DIR --score FILE` scores a file of them.
answers.jsonl has netwhy's own.
";

/// Name of a case's folder.
pub(super) fn folder(plan: &Plan) -> String {
    format!("{}-{}", plan.seed, plan.number)
}

/// Where a case goes; made if need be.
pub(super) fn place(dir: &Path, plan: &Plan) -> Result<std::path::PathBuf> {
    let dir = dir.join(folder(plan));
    fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
    Ok(dir)
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("write {}", file.display()))
}

fn write_json(file: &Path, value: &Value) -> Result<()> {
    write(file, &format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// Writes what one case measured, and what was true. `dir` is the case's own.
pub(super) fn write_case(dir: &Path, case: &Case, heard: &[Heard]) -> Result<()> {
    let Plan { seed, number, topology, traffic, .. } = &case.plan;
    let known = json!({
        "seed": seed, "case": number, "topology": topology, "traffic": traffic, "asked": case.victims,
    });
    write_json(&dir.join("case.json"), &known)?;
    write_json(&dir.join(TRUTH), &truth_json(case))?;
    let mut lines = String::new();
    for moment in heard {
        let Heard { seconds, answered, peers, pods, edges, .. } = moment;
        let line = json!({ "seconds": seconds, "answered": answered, "peers": peers, "pods": pods, "edges": edges });
        writeln!(lines, "{line}")?;
    }
    write(&dir.join("telemetry.jsonl"), &lines)
}

fn truth_json(case: &Case) -> Value {
    let truth = case.truth.as_ref();
    let names = |culprits: &[super::culprit::Culprit]| culprits.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({
        "title": case.plan.title(), "event": case.plan.event,
        "is_drawn_fault": matches!(case.plan.event, Event::Fault(_)), "disturbed": case.is_disturbed(),
        "culprits": truth.map(|truth| names(&truth.culprits)).unwrap_or_default(),
        "causes": truth.map(|truth| truth.causes.clone()).unwrap_or_default(),
        "clients": case.severities,
    })
}

/// Writes what belongs to all cases.
pub(super) fn write_common(dir: &Path, cases: &[Case]) -> Result<()> {
    write(&dir.join("README.md"), README)?;
    let mut lines = String::new();
    for case in cases {
        for seconds in CHECKPOINTS {
            let Some(answer) = case.at(seconds).filter(|answer| answer.names()) else { continue };
            let (kind, name) = answer.culprit.kind_and_name();
            let line = json!({
                "case": folder(&case.plan), "seconds": seconds, "blame": { "kind": kind, "name": name },
                "cause": answer.cause, "confidence": answer.confidence,
            });
            writeln!(lines, "{line}")?;
        }
    }
    write(&dir.join(ANSWERS), &lines)
}
