//! Compares Nodes: `diff`, and the sections DIFFERS of `why`, `nodes` and `diagnose`.

use super::{all_nodes, now_ms};
use crate::api::{BlameKind, Hint, PeerRow};
use crate::plugin::{
    Failure,
    fetch::{self, Connection, Profiles, Scope, Session},
    model::{
        Kind, SilentAgent, Target,
        diagnose::Diagnosis,
        differs::{self, Differs, Profile},
        health::Fact,
        nodes::{Nodes, nodes},
        why::Explanation,
    },
};
use std::collections::BTreeSet;

/// Most Nodes to compare with.
const MAX_WELL: usize = 200;
/// The same in `why`, which asks few agents.
const MAX_WELL_IN_WHY: usize = 40;
/// Most blamed Nodes that `nodes` compares.
const MAX_BLAMED: usize = 3;

/// `diff NODE` and `diff NODE NODE`.
pub(in crate::plugin) async fn diff(
    session: &Session,
    first: &Target,
    second: Option<&Target>,
) -> Result<Differs, Failure> {
    for target in [Some(first), second].into_iter().flatten() {
        if !matches!(target.kind, None | Some(Kind::Node)) {
            return Err(Failure::new(format!("{target} is no Node"), "write node/NAME, or NAME"));
        }
    }
    if matches!(session.connection, Connection::Direct(_)) {
        return Err(Failure::new("a single agent knows only its own Node", "omit --agent to compare Nodes"));
    }
    let nodes = all_nodes(session).await?;
    let names: Vec<String> = [Some(first), second].into_iter().flatten().map(|target| target.name.clone()).collect();
    let compared = Compared::fetch(session, &nodes, &names, MAX_WELL).await?;
    let mut report = match second {
        None => differs::differs(compared.profile(&first.name)?, &compared.well()),
        Some(second) => {
            let (one, other) = (compared.profile(&first.name)?, compared.profile(&second.name)?);
            differs::differs_from(one, other, &compared.well())
        }
    };
    compared.complete(&mut report);
    let new = nodes.not_answered.into_iter().filter(|silent| !report.not_answered.contains(silent));
    let new: Vec<SilentAgent> = new.collect();
    report.not_answered.extend(new);
    Ok(report)
}

/// Adds how the blamed Node differs, if a Node is blamed: from Nodes that nothing blames in `hints` and `rows`, which
/// the answer is from. A failure makes the answer partial.
pub(super) async fn add_to_why(session: &Session, case: &mut Explanation, hints: &[Hint], rows: &[PeerRow]) {
    let blame = case.verdict.blame.as_ref().filter(|_| case.verdict.cause.is_some());
    let Some(blame) = blame.filter(|blame| matches!(blame.kind, BlameKind::Node | BlameKind::PeerNode)) else { return };
    let node = blame.name.clone();
    let compared = async {
        let nodes = nodes(rows, hints, &session.agent_nodes().await?, Vec::new());
        let compared = Compared::fetch(session, &nodes, std::slice::from_ref(&node), MAX_WELL_IN_WHY).await?;
        let mut report = differs::differs(compared.profile(&node)?, &compared.well());
        compared.complete(&mut report);
        Ok::<Differs, Failure>(report)
    };
    match compared.await {
        Ok(report) => {
            let new = report.not_answered.iter().filter(|silent| !case.not_answered.contains(silent)).cloned();
            let new: Vec<SilentAgent> = new.collect();
            case.not_answered.extend(new);
            case.differs = Some(report);
        }
        Err(failure) => case.unknown.push(Fact::new(format!("how {node} differs"), failure.to_string())),
    }
}

/// Adds how the blamed Nodes differ. A failure makes the answer partial.
pub(super) async fn add_to_nodes(session: &Session, nodes: &mut Nodes) {
    let mut blamed = differs::blamed(nodes);
    blamed.truncate(MAX_BLAMED);
    if blamed.is_empty() || matches!(session.connection, Connection::Direct(_)) {
        return;
    }
    nodes.differs = sections(session, nodes, &blamed).await;
}

/// Adds how Nodes differ where Pods gather that do not run. A failure makes the answer partial.
pub(super) async fn add_to_diagnosis(session: &Session, report: &mut Diagnosis, suspects: &[String]) {
    if suspects.is_empty() {
        return;
    }
    match all_nodes(session).await {
        Ok(nodes) => report.differs = sections(session, &nodes, suspects).await,
        Err(failure) => report.differs.push(not_compared(suspects, &failure)),
    }
}

/// How these Nodes differ. One without facts is among those without an answer.
async fn sections(session: &Session, nodes: &Nodes, subjects: &[String]) -> Vec<Differs> {
    let compared = match Compared::fetch(session, nodes, subjects, MAX_WELL).await {
        Ok(compared) => compared,
        Err(failure) => return vec![not_compared(subjects, &failure)],
    };
    let of = |node: &String| {
        let mut report = differs::differs(compared.profile(node).ok()?, &compared.well());
        compared.complete(&mut report);
        Some(report)
    };
    subjects.iter().filter_map(of).collect()
}

fn not_compared(subjects: &[String], failure: &Failure) -> Differs {
    let unknown = vec![Fact::new("comparison", failure.to_string())];
    Differs { node: subjects.join(", "), unknown, ..Differs::default() }
}

/// The facts of some Nodes, and of those that are well.
struct Compared {
    profiles: Profiles,
    /// Names of the Nodes that are well and were asked.
    well: BTreeSet<String>,
    /// Nodes that are well.
    well_count: usize,
}

impl Compared {
    async fn fetch(session: &Session, nodes: &Nodes, subjects: &[String], most: usize) -> Result<Self, Failure> {
        let all: Vec<String> = differs::well(nodes).into_iter().filter(|node| !subjects.contains(node)).collect();
        // Evenly among them, because names often tell the pool.
        let step = all.len().div_ceil(most).max(1);
        let well: BTreeSet<String> = all.iter().step_by(step).cloned().collect();
        let wanted: BTreeSet<String> = well.iter().chain(subjects).cloned().collect();
        let scope = Scope { nodes: nodes.items.len(), now_ms: now_ms() };
        let profiles = fetch::profiles(session, &wanted, scope).await?;
        Ok(Self { profiles, well, well_count: all.len() })
    }

    fn profile(&self, node: &str) -> Result<&Profile, Failure> {
        let unknown = || Failure::new(format!("no Node is named {node:?}"), "see `kubectl get nodes`");
        self.profiles.nodes.get(node).ok_or_else(unknown)
    }

    /// Those that are well and whose agent answered.
    fn well(&self) -> Vec<Profile> {
        let is_silent = |node: &str| self.profiles.silent.iter().any(|silent| silent.node == node);
        let is_well = |profile: &&Profile| self.well.contains(&profile.node) && !is_silent(&profile.node);
        self.profiles.nodes.values().filter(is_well).cloned().collect()
    }

    /// Adds what makes the report partial.
    fn complete(&self, report: &mut Differs) {
        if self.well.len() < self.well_count {
            let text = format!("{} of the {} Nodes that are well were asked", self.well.len(), self.well_count);
            report.unknown.push(Fact::new("other Nodes", text));
        }
        report.unknown.extend(self.profiles.unknown.iter().cloned());
        report.not_answered.extend(self.profiles.silent.iter().cloned());
    }
}
