//! This Node among its own edges: the inference of [`crate::blame`], over the edges of one Node.

use crate::{
    blame::{Culprit, Edge, EndId, Finding, Fleet, MinRtt, Parameters, Symptom, Verdict, judge},
    hints::context::{self, Context, EdgeIx},
};
use netwhy_abi::PeerClass;

/// This Node as a culprit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ThisNode {
    /// Culprits that explain the edges almost as well.
    pub(crate) alternatives: Vec<String>,
    /// Peers that show the symptom.
    pub(crate) bad: usize,
    /// Peers that show it or would.
    pub(crate) peers: usize,
    /// Penalised log-likelihood ratio, nats.
    pub(crate) score: f64,
}

/// One edge as evidence.
pub(crate) struct Row {
    pub(crate) edge: EdgeIx,
    /// `None`: loss is the symptom.
    pub(crate) min_rtt: Option<MinRtt>,
}

/// Whether this Node explains its edges better than anything else on them. `None`: it does not, or the edges are too
/// few.
pub(crate) fn is_to_blame(
    context: &Context<'_>,
    symptom: Symptom,
    rows: impl Iterator<Item = Row>,
) -> Option<ThisNode> {
    let mut fleet = Fleet::new();
    let this_node = fleet.node(context.node, context.zone);
    fleet.set_heard(this_node);
    for Row { edge, min_rtt } in rows {
        let edge = context.edge(edge);
        if edge.is_remote() {
            let row = fleet_edge(&mut fleet, this_node, edge, symptom);
            fleet.push(Edge { min_rtt, ..row });
        }
    }
    let verdicts = judge(&fleet, &Parameters::default());
    let is_this = |verdict: &Verdict| verdict.culprit.node() == Some(this_node);
    verdicts.findings.iter().find_map(|finding| {
        let all = match finding {
            Finding::Blamed(verdict) => std::slice::from_ref(verdict),
            Finding::Ambiguous(all) => all,
            Finding::Insufficient(..) => return None,
        };
        let verdict = all.iter().find(|verdict| verdict.symptom == symptom && is_this(verdict))?;
        let others = all.iter().filter(|other| !is_this(other));
        Some(ThisNode {
            alternatives: others.map(|other| name(&fleet, other.culprit)).collect(),
            bad: verdict.evidence.bad,
            peers: verdict.evidence.peers,
            score: verdict.score,
        })
    })
}

fn fleet_edge(fleet: &mut Fleet, from: EndId, edge: &context::Edge<'_>, symptom: Symptom) -> Edge {
    let (view, peer) = (edge.view, edge.peer_node_name());
    let to = match view.class {
        PeerClass::External => fleet.external(&peer),
        PeerClass::SameNode | PeerClass::SameZone | PeerClass::CrossZone | PeerClass::InCluster => {
            fleet.node(&peer, view.peer_zone.as_deref())
        }
    };
    let (losses, subject) = (edge.losses(), &view.subject);
    let from_pod = fleet.pod(&format!("{}/{}", subject.namespace, subject.name));
    let to_pod = view.peer_pod.as_deref().map(|pod| fleet.pod(pod));
    let (segments, episodes) = match symptom {
        Symptom::Loss => (losses.segments, u32::try_from(losses.episodes).unwrap_or(u32::MAX)),
        Symptom::Latency => (0, 0),
    };
    Edge {
        flows: 1,
        lossy_flows: u32::from(episodes > 0),
        baseline: Some(edge.loss_baseline as f32),
        from_pod: Some(from_pod),
        to_pod,
        ..Edge::new(from, to, segments, episodes)
    }
}

/// Pods by their name alone, as in hints about themselves.
fn name(fleet: &Fleet, culprit: Culprit) -> String {
    let name = culprit.name(fleet);
    match culprit {
        Culprit::Pod(_) => name.rsplit('/').next().unwrap_or_default().to_owned(),
        _ => name,
    }
}
