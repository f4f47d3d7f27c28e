//! Facts for `why --at`: from the agents alone. The API server knows only what there is now.

use super::{
    super::{
        Failure,
        model::{
            Kind, Target,
            health::Fact,
            why::{Facts, TargetPod},
        },
    },
    callees,
    session::Session,
    why::{ask_own_agents, ask_peer_agents, ask_witnesses, peers},
};
use crate::api::PodRow;
use kube::Client;
use std::collections::BTreeSet;

/// Collects what the flight recorders have about a Pod or workload, which may be gone by now.
///
/// # Errors
/// When no agent knew it then, or the target is a Service.
pub(super) async fn from_agents(session: &Session, client: &Client, target: &Target) -> Result<Facts, Failure> {
    if target.kind == Some(Kind::Service) {
        let what = "the history does not know which Pods a Service had";
        return Err(Failure::new(what, "name a Pod or its workload, such as deploy/NAME"));
    }
    let namespace = session.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let mut path = format!("/api/v1/pods?namespace={namespace}");
    if target.kind == Some(Kind::Pod) {
        path.push_str(&format!("&pod={}", target.name));
    }
    let answers = session.ask_all::<Vec<PodRow>>(&path).await?;
    let rows = answers.got.into_iter().flat_map(|(node, rows)| rows.into_iter().map(move |row| (node.clone(), row)));
    let pods: Vec<TargetPod> = rows
        .filter(|(_, row)| is_target(row, target))
        .map(|(node, row)| TargetPod {
            namespace: row.namespace.clone(),
            name: row.name.clone(),
            node,
            info: row.status.clone(),
            row: None,
        })
        .collect();
    if pods.is_empty() {
        let at = session.at.map(|at| at.to_string()).unwrap_or_default();
        let silent = match answers.silent.as_slice() {
            [] => String::new(),
            [first, ..] => {
                format!(
                    "; {} agents have no answer, such as that on {}: {}",
                    answers.silent.len(),
                    first.node,
                    first.why
                )
            }
        };
        let what = format!("no agent knew {target} in namespace {namespace} at {at}{silent}");
        return Err(Failure::new(what, "check name, namespace and time"));
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
    ask_witnesses(session, &mut facts).await;
    facts.related.extend(peers(&facts.edges));
    facts.unknown.push(Fact::new("Services, Nodes and Events", "not in the history, which agents record"));
    Ok(facts)
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
