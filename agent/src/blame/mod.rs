//! Blame over many Nodes: from the edges that many agents report to the component that they share.
//!
//! ```text
//! Fleet (ends, rows) ─► Graph (rows by sender, receiver, Pod) ─► Sums (per candidate) ─► best ─ guards ─► Finding
//!                                                                  ▲                                    │
//!                                                                  └──────── discard its edges ◄────────┘
//! ```
//! Pure: no clock, no I/O, no randomness. The same fleet gives the same answer.
//!
//! # Loss
//! Row `e` has `n` segments and `k` loss episodes. In normal times it has `λ = n·p₀` episodes; `p₀` is its own
//! baseline. A candidate `c` with a fault of size `q` adds `x = n·max(q, g·p₀)` episodes: at least `g` times the
//! normal number, because load steps and drift are no faults. Loss is bursty, so counts are negative binomial with
//! shape `r = 1/d`. `d` is the squared coefficient of variation of an edge's rate between windows, measured as a
//! median over all edges.
//!
//! ```text
//! ℓ(e, q)  = k·ln((λ+x)/λ) − (k+r)·ln((λ+x+r)/(λ+r))         Poisson's k·ln(1+x/λ) − x when r → ∞
//! g(e, q)  = ln(s + (1−s)·exp(min(ℓ, cap)))                  a fault spares a share s of the edges;
//!                                                            an edge has trouble of its own with odds e^−cap
//! score(c) = max_q Σ_e g(e, q) − ln(family size) − prior(c)
//! ```
//! `q` takes a few levels, a factor 3 apart, instead of the maximum-likelihood `q̂ = max(0, Σ(k−λ)/Σn)`. Each term then
//! depends on its row alone, so that one pass is enough and discarding a row is a subtraction. Evidence reports `q̂`.
//!
//! The search repeats the score of a candidate with λ multiplied by some m from 1.5 to 4 on all of its edges, at a
//! price of `(ln m)²/2σ²` nats, and takes the lowest score: a busy component has no fault.
//!
//! A single path is judged with `q̂`, without sparing, on the evidence that nothing else explains. Its evidence is
//! bounded per conversation. On each other lossy conversation, all episodes but one may be one burst, and the rest has
//! a chance of `(λ/(λ+r))^left`. A row without a baseline says at most `cap`.
//!
//! # Latency
//! The same sums over Bernoulli trials: the row's minimum RTT rose by at least the floor and by half, at several
//! levels of the floor. A rise says `ln((1−s)/β)`, no rise says `ln(s/(1−β))`; `β` is the chance of a rise of its own.
//! The minimum describes the path; the smoothed RTT also contains the peer's think time.
//!
//! # Guards
//! A candidate needs a score of at least θ and at least 3 bad peers. Most of the peers that would show the fault must
//! be bad; a smaller share, down to a floor, costs extra nats (a partial fault). The score must stay above θ without
//! the strongest peer. The best candidate that passes is blamed, and its edges are discarded. Candidates within 3 nats
//! that nothing else supports make the finding ambiguous. Single pairs come last, on the remaining edges: they need at
//! least 3 conversations, and other peers must acquit both ends, else the finding is ambiguous. A score above θ that
//! fails a guard is reported as insufficient, never as healthy.
//!
//! # Sources
//! Counting bad flows and discarding the winner's: 007 (Arzani et al., NSDI'18). Penalised likelihood with greedy
//! search over components: Flock (Harsh et al., CoNEXT'23). Per-component rates and partial faults: NetBouncer (Tan et
//! al., NSDI'19). Negative binomial as gamma-mixed Poisson: Greenwood and Yule, 1920.

#![warn(clippy::too_many_arguments, clippy::too_many_lines)]

mod breadth;
mod engine;
mod fleet;
mod graph;
mod latency;
mod loss;
mod others;
mod pairs;
mod parameters;
pub(crate) mod posterior;
mod signal;
mod sums;
mod verdict;

pub use fleet::{Edge, EndId, Fleet, MinRtt, PodId, ZoneId};
pub use others::Others;
pub use parameters::{Calibration, Parameters};
pub use verdict::{Culprit, Evidence, Finding, Missing, NodeScore, Symptom, Verdict, Verdicts};

pub(crate) use latency::row_nats as latency_nats;
pub(crate) use loss::{HEAVY as HEAVY_LOSS, row_nats as loss_nats};

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
