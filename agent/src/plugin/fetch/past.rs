//! Facts for `why --at`: from the agents alone. The API server knows only what there is now.

use super::{
    super::{
        Failure,
        model::{
            Kind, SilentAgent, Target,
            health::Fact,
            why::{Facts, TargetPod},
        },
    },
    callees, objects,
    session::Session,
    why::{ask_own_agents, ask_peer_agents, ask_voices, ask_witnesses, peers},
};
use crate::api::PodRow;
use kube::Client;
use std::collections::BTreeSet;

/// Most workloads of a Service that are named.
const MAX_NAMED: usize = 8;

/// Collects what the flight recorders have about a Pod or workload, which may be gone by now.
///
/// # Errors
/// When no agent knew it then, or the target is a Service that selects nothing now.
pub(super) async fn from_agents(session: &Session, client: &Client, target: &Target) -> Result<Facts, Failure> {
    let namespace = session.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let selected = match target.kind {
        Some(Kind::Service) => Some(selected_now(session, client, &namespace, target).await?),
        _ => None,
    };
    let is_wanted = |row: &PodRow| match &selected {
        Some(workloads) => workloads.contains(&row.workload),
        None => is_target(row, target),
    };
    let mut path = format!("/api/v1/pods?namespace={namespace}");
    if target.kind == Some(Kind::Pod) {
        path.push_str(&format!("&pod={}", target.name));
    }
    let answers = session.ask_all::<Vec<PodRow>>(&path).await?;
    let rows = answers.got.into_iter().flat_map(|(node, rows)| rows.into_iter().map(move |row| (node.clone(), row)));
    let pods: Vec<TargetPod> = rows
        .filter(|(_, row)| is_wanted(row))
        .map(|(node, row)| TargetPod {
            namespace: row.namespace.clone(),
            name: row.name.clone(),
            node,
            info: row.status.clone(),
            row: None,
        })
        .collect();
    if pods.is_empty() {
        return Err(nobody_knew(session, &format!("{target} in namespace {namespace}"), &answers.silent));
    }
    let mut facts = Facts {
        kind: target.kind.unwrap_or(Kind::Pod).label().to_owned(),
        namespace: namespace.clone(),
        name: target.name.clone(),
        pods,
        ..Facts::default()
    };
    facts.add_silent(answers.silent);
    let nodes: BTreeSet<String> = facts.pods.iter().map(|pod| pod.node.clone()).collect();
    let mut filter = format!("?namespace={namespace}");
    if let [only] = facts.pods.as_slice() {
        filter.push_str(&format!("&pod={}", only.name));
    }
    ask_own_agents(session, client, &mut facts, &nodes, &filter).await?;
    let mut asked = callees::ask(session, client, &mut facts).await;
    asked.extend(nodes);
    ask_peer_agents(session, client, &mut facts, &asked).await;
    ask_voices(session, &mut facts).await;
    ask_witnesses(session, &mut facts).await;
    facts.related.extend(peers(&facts.edges));
    facts.unknown.push(Fact::new("Services, Nodes and Events", "not in the history, which agents record"));
    if let Some(workloads) = selected {
        facts.unknown.push(pods_then(&workloads));
    }
    Ok(facts)
}

fn nobody_knew(session: &Session, target: &str, silent: &[SilentAgent]) -> Failure {
    let at = session.at.map(|at| at.to_string()).unwrap_or_default();
    let silent = match silent {
        [] => String::new(),
        [first, ..] => {
            format!("; {} agents have no answer, such as that on {}: {}", silent.len(), first.node, first.why)
        }
    };
    Failure::new(format!("no agent knew {target} at {at}{silent}"), "check name, namespace and time")
}

/// Which Pods of that time count as the Service's.
pub(super) fn pods_then(workloads: &BTreeSet<String>) -> Fact {
    let mut names: Vec<String> = workloads.iter().take(MAX_NAMED).cloned().collect();
    if workloads.len() > MAX_NAMED {
        names.push(format!("{} more", workloads.len() - MAX_NAMED));
    }
    Fact::new("Pods of the Service then", format!("those of the workloads that it selects now: {}", names.join(", ")))
}

/// The workloads whose Pods the Service selects now. The history has no labels of Pods, and workloads keep theirs.
pub(super) async fn selected_now(
    session: &Session,
    client: &Client,
    namespace: &str,
    target: &Target,
) -> Result<BTreeSet<String>, Failure> {
    let remedy = "name a Pod or its workload, such as deploy/NAME";
    let unknown =
        |why: &str| Failure::new(format!("{why}, and the history does not know which Pods a Service had"), remedy);
    let found = objects::resolve(session, client, namespace, target).await.map_err(|failure| unknown(&failure.what))?;
    let workloads: BTreeSet<String> =
        found.pods.iter().filter_map(objects::pod_with_node).map(|(_, pod)| pod.workload.clone()).collect();
    if workloads.is_empty() {
        return Err(unknown(&format!("Service {namespace}/{} selects no Pod now", target.name)));
    }
    Ok(workloads)
}

/// Whether a row is of the target. Without a kind, a Pod or a workload of that name.
fn is_target(row: &PodRow, target: &Target) -> bool {
    let of_workload = |kind: &str| row.workload == format!("{kind}/{}", target.name);
    match target.kind {
        Some(Kind::Pod) => row.name == target.name,
        Some(kind) => of_workload(kind.label()),
        None => row.name == target.name || row.workload.ends_with(&format!("/{}", target.name)),
    }
}

#[cfg(test)]
mod tests;
