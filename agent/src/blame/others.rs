//! Evidence of all other agents about the suspects of one agent. Their rows are independent of its own, so that the odds
//! multiply.

use super::{
    fleet::{Edge, EndId, Fleet, PodId},
    latency, loss,
    parameters::Parameters,
    posterior,
    verdict::{Culprit, Symptom},
};

/// Rows of the agents of other Nodes, with one kind of evidence.
pub struct Others<'a> {
    fleet: &'a Fleet,
    asker: EndId,
    /// The Pod whose trouble it is. `None`: not known.
    own: Option<PodId>,
    symptom: Symptom,
    /// Row and its evidence per magnitude.
    rows: Vec<(&'a Edge, Vec<f64>)>,
}

impl<'a> Others<'a> {
    /// Evidence of all agents but the one on `asker` that may touch one of the `suspects`.
    pub fn new(fleet: &'a Fleet, asker: EndId, symptom: Symptom, suspects: &[Culprit]) -> Self {
        let parameters = Parameters::default();
        let touched = touched(fleet, asker, suspects);
        let rows = touched.filter_map(|edge| Some((edge, nats(edge, symptom, &parameters)?))).collect();
        Self { fleet, asker, own: None, symptom, rows }
    }

    /// The same for a longer path, where the asker knows by how much, µs: others have this delay, or they don't. Rises
    /// that nothing proves count as far as their size does.
    pub fn of_delay(fleet: &'a Fleet, asker: EndId, delay_us: f64, suspects: &[Culprit]) -> Self {
        let touched = touched(fleet, asker, suspects);
        let rows = touched.filter_map(|edge| Some((edge, vec![latency::delay_nats(edge, delay_us)?]))).collect();
        Self { fleet, asker, own: None, symptom: Symptom::Latency, rows }
    }

    /// The same of the trouble of this Pod at the asker's Node.
    pub fn about(self, own: PodId) -> Self {
        Self { own: Some(own), ..self }
    }

    /// Log odds that these rows give a suspect, against no trouble of its own, nats. 0: they say nothing.
    pub fn nats(&self, culprit: Culprit) -> f64 {
        // A culprit may lose both ways, or in the asker's alone: the other way is no evidence then, and takes nothing
        // from the asker's own. A round trip has both.
        let both = self.score(culprit, |_| true);
        if self.has_ways(culprit) {
            let way = self.score(culprit, |edge| self.is_askers_way(culprit, edge));
            return any_of(&[both, way]).max(way);
        }
        both
    }

    /// Of the rows of a culprit that count.
    fn score(&self, culprit: Culprit, counts: impl Fn(&Edge) -> bool) -> f64 {
        let rows = self.rows.iter().filter(|(edge, _)| contains(self.fleet, culprit, edge) && counts(edge));
        posterior::score(rows.map(|(_, nats)| nats.as_slice()))
    }

    /// Whether trouble of something that the asker's traffic passes may show in its direction alone.
    fn has_ways(&self, culprit: Culprit) -> bool {
        let is_passed = match culprit {
            Culprit::Pair(a, b) => a == self.asker || b == self.asker,
            Culprit::ZonePair(a, b) => a != b && self.fleet.zone_of(self.asker).is_some_and(|own| own == a || own == b),
            Culprit::Node(_) | Culprit::Pod(_) => true,
            Culprit::NodeIn(_) | Culprit::NodeOut(_) | Culprit::External(_) => false,
        };
        is_passed && self.symptom == Symptom::Loss
    }

    /// Whether an edge leads the same way as the asker's own: it loses what it sends, so out of its own ends, and into
    /// others. Of a pair none does.
    fn is_askers_way(&self, culprit: Culprit, edge: &Edge) -> bool {
        match culprit {
            Culprit::ZonePair(..) => self.fleet.zone_of(edge.from) == self.fleet.zone_of(self.asker),
            Culprit::Node(node) if node != self.asker => edge.to == node,
            Culprit::Pod(pod) if self.own == Some(pod) => edge.from_pod == Some(pod),
            Culprit::Pod(pod) => edge.to_pod == Some(pod),
            _ => edge.from == self.asker,
        }
    }
}

/// Edges of all Nodes but the asker's that may touch one of the suspects.
fn touched<'a>(fleet: &'a Fleet, asker: EndId, suspects: &[Culprit]) -> impl Iterator<Item = &'a Edge> {
    let others = fleet.edges().iter().filter(move |edge| edge.from != asker && edge.from != edge.to);
    others.filter(move |edge| suspects.iter().any(|culprit| contains(fleet, *culprit, edge)))
}

/// Log of the average of `e^nats`: one of these holds, all as likely.
fn any_of(nats: &[f64]) -> f64 {
    let most = nats.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + (nats.iter().map(|nats| (nats - most).exp()).sum::<f64>() / nats.len() as f64).ln()
}

fn contains(fleet: &Fleet, culprit: Culprit, edge: &Edge) -> bool {
    match culprit {
        Culprit::Node(end) => edge.from == end || edge.to == end,
        Culprit::NodeIn(end) | Culprit::External(end) => edge.to == end,
        Culprit::NodeOut(end) => edge.from == end,
        Culprit::Pair(a, b) => (edge.from.min(edge.to), edge.from.max(edge.to)) == (a.min(b), a.max(b)),
        Culprit::ZonePair(a, b) => {
            let zones = fleet.zone_of(edge.from).zip(fleet.zone_of(edge.to));
            zones.is_some_and(|(from, to)| (from.min(to), from.max(to)) == (a.min(b), a.max(b)))
        }
        Culprit::Pod(pod) => edge.from_pod == Some(pod) || edge.to_pod == Some(pod),
    }
}

/// `None`: the row carries no such signal.
fn nats(edge: &Edge, symptom: Symptom, parameters: &Parameters) -> Option<Vec<f64>> {
    match symptom {
        Symptom::Loss => {
            let baseline = edge.baseline.unwrap_or(parameters.unknown_baseline);
            (edge.segments > 0).then(|| loss::row_nats(edge.segments, u64::from(edge.episodes), f64::from(baseline)))
        }
        Symptom::Latency => edge.min_rtt.map(|rtt| latency::Latency::new(parameters).row_nats(rtt)),
    }
}

#[cfg(test)]
mod tests;
