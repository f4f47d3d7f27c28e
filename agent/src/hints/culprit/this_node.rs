//! This Node among its own edges: the same inference that compares the edges of many Nodes, over those of one.

use crate::blame::{Culprit, Edge, Finding, Fleet, MinRtt, Parameters, Symptom, Verdict, judge};
use crate::hints::context::Context;
use netwhy_abi::PeerClass;

/// What this Node's edges say of this Node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Own {
    /// Culprits that explain them almost as well.
    pub(crate) alternatives: Vec<String>,
    /// Peers that show it, and peers that would.
    pub(crate) bad: usize,
    pub(crate) peers: usize,
    /// Penalised log-likelihood ratio, nats.
    pub(crate) score: f64,
}

/// One edge's figures, beside its counts.
pub(crate) struct Row {
    /// Index into the context's edges.
    pub(crate) edge: usize,
    /// `None`: it carries no such signal.
    pub(crate) min_rtt: Option<MinRtt>,
}

/// Whether this Node explains its edges better than anything else on them. `None`: it doesn't, or they are too few to
/// say.
pub(crate) fn is_to_blame(context: &Context<'_>, symptom: Symptom, rows: impl Iterator<Item = Row>) -> Option<Own> {
    let mut fleet = Fleet::new();
    let own = fleet.node(context.node, context.zone);
    fleet.set_heard(own);
    for Row { edge, min_rtt } in rows {
        let edge = &context.edges[edge];
        let view = edge.view;
        if !edge.is_remote() {
            continue;
        }
        let peer = edge.peer_node_name();
        let to = match view.class {
            PeerClass::External => fleet.external(&peer),
            PeerClass::SameNode | PeerClass::SameZone | PeerClass::CrossZone | PeerClass::InCluster => {
                fleet.node(&peer, view.peer_zone.as_deref())
            }
        };
        let (t, subject) = (edge.tally(), &view.subject);
        let from_pod = fleet.pod(&format!("{}/{}", subject.namespace, subject.name));
        let to_pod = view.peer_pod.as_deref().map(|pod| fleet.pod(pod));
        let (segments, episodes) = match symptom {
            Symptom::Loss => (t.data_segs_out, u32::try_from(t.loss_episodes).unwrap_or(u32::MAX)),
            Symptom::Latency => (0, 0),
        };
        fleet.push(Edge {
            flows: 1,
            lossy_flows: u32::from(episodes > 0),
            baseline: Some(edge.loss_baseline as f32),
            min_rtt,
            from_pod: Some(from_pod),
            to_pod,
            ..Edge::new(own, to, segments, episodes)
        });
    }
    let verdicts = judge(&fleet, &Parameters::default());
    let is_own = |verdict: &Verdict| verdict.symptom == symptom && verdict.culprit.node() == Some(own);
    verdicts.findings.iter().find_map(|finding| {
        let all = match finding {
            Finding::Blamed(verdict) => std::slice::from_ref(verdict),
            Finding::Ambiguous(all) => all,
            Finding::Insufficient(..) => return None,
        };
        let verdict = all.iter().find(|verdict| is_own(verdict))?;
        let others = all.iter().filter(|other| other.culprit.node() != Some(own));
        Some(Own {
            alternatives: others.map(|other| name(&fleet, other.culprit)).collect(),
            bad: verdict.evidence.bad,
            peers: verdict.evidence.peers,
            score: verdict.score,
        })
    })
}

/// Pods by their name alone, as elsewhere in hints about themselves.
fn name(fleet: &Fleet, culprit: Culprit) -> String {
    let name = culprit.name(fleet);
    match culprit {
        Culprit::Pod(_) => name.rsplit('/').next().unwrap_or_default().to_owned(),
        _ => name,
    }
}
