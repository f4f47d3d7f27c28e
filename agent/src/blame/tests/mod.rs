//! Small fleets whose answer is plain.

mod guards;
mod latency;
mod loss;

use super::*;

/// Segments of each edge.
const SEGMENTS: u64 = 10_000;
/// Episodes per segment in normal times: two on each edge.
const USUAL: f32 = 2e-4;

/// `count` Nodes in zones of equal size that all talk to each other, with their usual losses and three conversations.
struct Mesh {
    fleet: Fleet,
    ends: Vec<EndId>,
}

impl Mesh {
    fn new(count: usize, zones: usize) -> Self {
        let mut fleet = Fleet::new();
        let zone = |i: usize| format!("zone-{}", i * zones / count);
        let ends: Vec<EndId> = (0..count).map(|i| fleet.node(&format!("node-{i}"), Some(&zone(i)))).collect();
        for end in &ends {
            fleet.set_heard(*end);
        }
        let mut mesh = Self { fleet, ends };
        for from in 0..count {
            for to in (0..count).filter(|to| *to != from) {
                let edge = mesh.normal(from, to);
                mesh.fleet.push(edge);
            }
        }
        mesh
    }

    fn normal(&self, from: usize, to: usize) -> Edge {
        Edge {
            flows: 10,
            lossy_flows: 2,
            baseline: Some(USUAL),
            ..Edge::new(self.ends[from], self.ends[to], SEGMENTS, (SEGMENTS as f32 * USUAL) as u32)
        }
    }

    /// Changes the edges of these (sender, receiver).
    fn change(&mut self, which: impl Fn(usize, usize) -> bool, change: impl Fn(&mut Edge)) {
        for edge in self.fleet.edges_mut() {
            if which(edge.from.index(), edge.to.index()) {
                change(edge);
            }
        }
    }

    fn lose(&mut self, which: impl Fn(usize, usize) -> bool, ratio: f32) {
        self.change(which, |edge| {
            edge.episodes += (edge.segments as f32 * ratio) as u32;
            edge.lossy_flows = edge.flows;
        });
    }

    fn keep(&mut self, which: impl Fn(usize, usize) -> bool) {
        self.fleet.edges.retain(|edge| which(edge.from.index(), edge.to.index()));
    }

    fn judge(&self) -> Verdicts {
        judge(&self.fleet, &Parameters::default())
    }

    /// Culprits that are blamed alone.
    fn blamed(&self) -> Vec<Culprit> {
        self.judge().blamed().map(|verdict| verdict.culprit).collect()
    }
}
