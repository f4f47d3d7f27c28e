//! Blame over many Nodes: from the edges that many agents report to the component that they share.
//!
//! ```text
//! Fleet (ends, rows) ─► Graph (rows by sender, receiver, Pod) ─► Sums (evidence per candidate) ─► best ─ guards ─► Finding
//!                                                                  ▲                                            │
//!                                                                  └──────────── discard its edges ◄────────────┘
//! ```
//! Pure: no clock, no I/O, no chance. The same fleet gives the same answer.
//!
//! # Loss
//! Row `e` sent `n` segments and saw `k` loss episodes; in normal times `λ = n·p₀` (`p₀`: its own baseline). A candidate
//! `c` at fault at `q` adds `x = n·max(q, g·p₀)` episodes: at least `g` times what is normal, since load steps and drift
//! are no faults. Loss comes in bursts, so counts are negative binomial with shape `r = 1/d`, `d` the squared
//! coefficient of variation of an edge's rate between windows, measured on all edges by a median:
//!
//! ```text
//! ℓ(e, q)  = k·ln((λ+x)/λ) − (k+r)·ln((λ+x+r)/(λ+r))         Poisson's k·ln(1+x/λ) − x when r → ∞
//! g(e, q)  = ln(s + (1−s)·exp(min(ℓ, cap)))                  a fault spares a share s of the edges;
//!                                                            an edge has trouble of its own with odds e^−cap
//! score(c) = max_q Σ_e g(e, q) − ln(family size) − prior(c)
//! ```
//! `q` runs over a few levels, a factor 3 apart, instead of the maximum-likelihood `q̂ = max(0, Σ(k−λ)/Σn)`: terms then
//! depend on the row alone, each row is looked at once, and discarding it is a subtraction. `q̂` is what evidence shows.
//!
//! Before a candidate is believed, λ is taken m times as large on all of its edges, at a price of `(ln m)²/2σ²` nats for
//! some m of 1.5 to 4, and the least of the scores counts: busy times of a component are no fault.
//!
//! A single path is judged with `q̂`, without sparing, on what nothing else explains. Its evidence is bounded per
//! conversation: all but one episode on each other lossy conversation may be one burst, and what is left has a chance of
//! `(λ/(λ+r))^left`. A row without a baseline says at most `cap`.
//!
//! # Latency
//! The same sums over Bernoulli trials "the row's minimum RTT rose by at least the floor and by half", at levels of the
//! floor: `ln((1−s)/β)` when it did, `ln(s/(1−β))` when it did not; `β`: chance of a shift of its own. The minimum, because
//! the smoothed RTT holds the peer's think time.
//!
//! # Guards
//! Score of at least θ; at least 3 bad peers; the majority of the peers that would show the fault (fewer, down to a
//! floor, cost extra nats: a partial fault); still above θ without the peer that says most. The best that passes is
//! blamed and its edges are discarded. Candidates within 3 nats that nothing else speaks for make it ambiguous. Single
//! pairs come last, on what is left: at least 3 conversations, and both ends shown to be sound by other peers, else
//! ambiguous. What scores above θ but fails a guard is reported as insufficient, never as healthy.
//!
//! # Sources
//! Counting bad flows and discarding the winner's: 007 (Arzani et al., NSDI'18). Penalised likelihood with greedy
//! search over components: Flock (Harsh et al., CoNEXT'23). Per-component rates and partial faults: NetBouncer (Tan et
//! al., NSDI'19). Negative binomial as gamma-mixed Poisson: Greenwood and Yule, 1920.

mod breadth;
mod engine;
mod fleet;
mod graph;
mod latency;
mod loss;
mod pairs;
mod parameters;
mod signal;
mod sums;
mod verdict;

pub use fleet::{Edge, EndId, Fleet, MinRtt, PodId, ZoneId};
pub use parameters::{Calibration, Parameters};
pub use verdict::{Culprit, Evidence, Finding, Missing, NodeScore, Symptom, Verdict, Verdicts};

use engine::Engine;
use graph::Graph;
use latency::Latency;
use loss::Loss;

/// Judges one window of a fleet.
pub fn judge(fleet: &Fleet, parameters: &Parameters) -> Verdicts {
    let graph = Graph::new(fleet);
    let dispersion = loss::dispersion(&fleet.edges, parameters);
    let loss = Loss::new(parameters, dispersion);
    let engine = Engine::new(&graph, Loss::new(parameters, dispersion), &loss, parameters);
    let loss_scores = engine.node_scores();
    let mut findings = engine.run();
    let mut latency_scores = vec![None; fleet.ends.len()];
    if fleet.edges.iter().any(|edge| edge.min_rtt.is_some()) {
        let engine = Engine::new(&graph, Latency::new(parameters), &loss, parameters);
        latency_scores = engine.node_scores();
        findings.extend(engine.run());
    }
    let mut nodes = node_scores(fleet, &loss, &loss_scores, &latency_scores);
    for (at, finding) in findings.iter().enumerate().rev() {
        if let Finding::Blamed(verdict) = finding
            && let Some(node) = verdict.culprit.node()
            && let Ok(index) = nodes.binary_search_by_key(&node, |score| score.node)
        {
            nodes[index].finding = Some(at);
        }
    }
    Verdicts { findings, nodes, dispersion }
}

fn node_scores(fleet: &Fleet, loss: &Loss<'_>, nats: &[Option<f64>], latency: &[Option<f64>]) -> Vec<NodeScore> {
    let mut sums = vec![(0_u64, 0.0_f64, 0_u64); fleet.ends.len()];
    for edge in fleet.edges.iter().filter(|edge| edge.from != edge.to) {
        let expected = loss.expected(edge);
        for end in [edge.from, edge.to] {
            let sum = &mut sums[end.index()];
            *sum = (sum.0 + u64::from(edge.episodes), sum.1 + expected, sum.2 + edge.segments);
        }
    }
    let ends = (0_u32..).map(EndId).zip(&fleet.ends).filter(|(_, end)| !end.external);
    ends.map(|(node, end)| {
        let (observed, expected, segments) = sums[node.index()];
        let (loss, latency) = (nats[node.index()], latency[node.index()]);
        NodeScore { node, loss, latency, observed, expected, segments, heard: end.heard, finding: None }
    })
    .collect()
}

#[cfg(test)]
mod tests;
