//! Who is at fault: the posterior over the components that bad rows share.
//!
//! A row is one edge with one signal. It lists the components that it depends on, and how much better a fault of each
//! magnitude explains it than normal times do. A hypothesis is that one component is at fault:
//!
//! - bad rows on it are explained, up to a bound: each may have trouble of its own with odds e^−bound,
//! - clean rows on it count against it, as much as they would have shown,
//! - bad rows elsewhere have trouble of their own, or share a second component at the price of one such row.
//!
//! So the score of a component is the sum of `ln(s + (1−s)·e^(ℓ−o))` over its rows. `o = ln(1 + e^(ℓₘ−bound))` is trouble
//! of the row's own, at the magnitude that fits it best. Scores are relative to that.
//! `s` is the share of its rows that a fault spares. It is not known: most faults spare few, some spare half (one of
//! several paths, one queue). Magnitude and `s` are averaged out. Equal evidence gives equal probability.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

/// Bound of one row's evidence, nats.
const BOUND: f64 = 6.0;
/// Spared shares of a component's rows, and how often faults are like that.
const SPARED: [(f64, f64); 3] = [(0.02, 0.7), (0.3, 0.2), (0.7, 0.1)];
/// Weight of a component that is not listed, relative to a listed one: it may hit any of all rows.
const UNLISTED: f64 = 0.05;
/// Probability that the model itself fits.
const MODEL: f64 = 0.98;

/// One edge with one signal.
#[derive(Clone, Debug)]
pub(crate) struct Row<C> {
    /// `ln(P(row | fault of this magnitude) / P(row | normal))`, per magnitude. All rows have as many.
    pub(crate) nats: Vec<f64>,
    /// Components that it depends on.
    pub(crate) components: Vec<C>,
    /// Components that it may depend on, as likely as not.
    pub(crate) perhaps: Vec<C>,
}

/// Scores of all components of some rows.
pub(crate) struct Posterior<C> {
    rows: Vec<Row<C>>,
    /// Terms of each row.
    terms: Vec<Vec<f64>>,
    /// Of the components of bad rows: they may explain what the first one leaves.
    suspects: BTreeMap<C, Suspect>,
    /// Suspects by score, best first.
    ranking: Vec<(C, f64)>,
    unlisted: f64,
    /// See [`Posterior::second`]: many rows ask for the same components.
    seconds: RefCell<BTreeMap<C, f64>>,
}

/// Evidence about one component.
#[derive(Default)]
struct Suspect {
    sums: Sums,
    score: f64,
    /// Rows that depend on it for certain.
    rows: Vec<usize>,
}

impl<C: Copy + Ord> Posterior<C> {
    /// Adds up the evidence of all rows for each component.
    pub(crate) fn new(rows: Vec<Row<C>>) -> Self {
        let terms: Vec<Vec<f64>> = rows.iter().map(|row| terms(&row.nats)).collect();
        let bad = rows.iter().filter(|row| row.nats.iter().any(|nats| *nats > 0.0));
        let components: BTreeSet<C> = bad.flat_map(|row| &row.components).copied().collect();
        let mut suspects: BTreeMap<C, Suspect> = components.into_iter().map(|c| (c, Suspect::default())).collect();
        let mut all = Sums::default();
        for (at, (row, terms)) in rows.iter().zip(&terms).enumerate() {
            all.add(terms, |term| term);
            for component in &row.components {
                if let Some(suspect) = suspects.get_mut(component) {
                    suspect.sums.add(terms, |term| term);
                    suspect.rows.push(at);
                }
            }
            for component in &row.perhaps {
                if let Some(suspect) = suspects.get_mut(component) {
                    suspect.sums.add(terms, half);
                }
            }
        }
        suspects.values_mut().for_each(|suspect| suspect.score = suspect.sums.score());
        let mut ranking: Vec<(C, f64)> = suspects.iter().map(|(component, one)| (*component, one.score)).collect();
        ranking.sort_by(|a, b| b.1.total_cmp(&a.1));
        Self { rows, terms, suspects, ranking, unlisted: all.score(), seconds: RefCell::default() }
    }

    /// Nats that a second fault adds, elsewhere at the same time, at the price of one row's own trouble.
    fn second(&self, first: C) -> f64 {
        if let Some(known) = self.seconds.borrow().get(&first) {
            return *known;
        }
        // The rest, on rows that the first one doesn't explain, is left to the others.
        let mut shared: BTreeMap<C, Sums> = BTreeMap::new();
        for at in self.suspects.get(&first).iter().flat_map(|suspect| &suspect.rows) {
            let (row, terms) = (&self.rows[*at], &self.terms[*at]);
            let mut add = |component: &C, change: fn(f64) -> f64| {
                if self.suspects.contains_key(component) {
                    shared.entry(*component).or_default().add(terms, change);
                }
            };
            row.components.iter().for_each(|component| add(component, |term| term));
            row.perhaps.iter().for_each(|component| add(component, half));
        }
        let rest = |(component, shared): (&C, &Sums)| {
            let all = &self.suspects.get(component)?.sums;
            (shared.rows < all.rows).then(|| all.without(shared).score())
        };
        let best_of_shared = shared.iter().filter_map(rest).fold(0.0, f64::max);
        let untouched = self.ranking.iter().find(|(component, _)| !shared.contains_key(component));
        let most = untouched.map_or(best_of_shared, |(_, score)| score.max(best_of_shared));
        let second = (most - BOUND).max(0.0);
        self.seconds.borrow_mut().insert(first, second);
        second
    }

    /// Components of bad rows with the evidence for each, nats.
    pub(crate) fn scores(&self) -> impl Iterator<Item = (C, f64)> + '_ {
        self.suspects.iter().map(|(component, one)| (*component, one.score))
    }

    /// Components that a row depends on.
    pub(crate) fn components(&self, row: usize) -> &[C] {
        &self.rows[row].components
    }

    /// Probability of each component of this row, best first. `prior`: relative frequency of faults of a component.
    /// They sum to less than 1. The rest is trouble of the row's own, or something that no row lists.
    pub(crate) fn of(&self, row: usize, prior: impl Fn(C) -> f64) -> Vec<(C, f64)> {
        self.of_among(row, prior, |_| 0.0)
    }

    /// The same where a component may be at fault together with others, for a common reason. `others`: nats that these
    /// explain, less the price of that reason.
    pub(crate) fn of_among(&self, row: usize, prior: impl Fn(C) -> f64, others: impl Fn(C) -> f64) -> Vec<(C, f64)> {
        let Row { components, perhaps, .. } = &self.rows[row];
        let all: BTreeSet<C> = components.iter().chain(perhaps).copied().collect();
        let score = |c: C| prior(c).max(f64::MIN_POSITIVE).ln() + self.suspects.get(&c).map_or(0.0, |one| one.score);
        let more = |c: C| self.second(c).max(others(c));
        let mut out: Vec<(C, f64)> = all.into_iter().map(|c| (c, score(c) + more(c))).collect();
        let unlisted = UNLISTED.ln() + self.unlisted;
        let most = out.iter().map(|(_, score)| *score).fold(unlisted.max(0.0), f64::max);
        let total: f64 = out.iter().map(|(_, score)| (score - most).exp()).sum::<f64>()
            + (unlisted - most).exp()
            // Trouble of the row's own has a score of 0: all others are relative to it.
            + (-most).exp();
        out.iter_mut().for_each(|(_, score)| *score = MODEL * (*score - most).exp() / total);
        out.sort_by(|a, b| b.1.total_cmp(&a.1));
        out
    }
}

/// Term of a row that depends on a component as likely as not.
fn half(term: f64) -> f64 {
    (0.5 + 0.5 * term.exp()).ln()
}

/// Sums of terms, per magnitude and spared share.
#[derive(Default)]
struct Sums {
    cells: Vec<f64>,
    rows: usize,
}

impl Sums {
    fn add(&mut self, terms: &[f64], change: impl Fn(f64) -> f64) {
        self.cells.resize(terms.len(), 0.0);
        self.cells.iter_mut().zip(terms).for_each(|(sum, term)| *sum += change(*term));
        self.rows += 1;
    }

    /// The sums of the other rows.
    fn without(&self, some: &Self) -> Self {
        let cells = self.cells.iter().zip(&some.cells).map(|(all, some)| all - some).collect();
        Self { cells, rows: self.rows - some.rows }
    }

    /// Log of the average of `e^sum` over magnitudes, all as likely, and spared shares. 0: no row.
    fn score(&self) -> f64 {
        let Self { cells: sums, .. } = self;
        let magnitudes = (sums.len() / SPARED.len()).max(1);
        let weight = |cell: usize| SPARED[cell % SPARED.len()].1 / magnitudes as f64;
        let most = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = sums.iter().enumerate().map(|(cell, sum)| weight(cell) * (sum - most).exp()).sum();
        if sum > 0.0 { most + sum.ln() } else { 0.0 }
    }
}

/// Score of one component from the evidence of its rows, relative to trouble of each row's own, nats. 0: no row.
pub(crate) fn score<'r>(rows: impl Iterator<Item = &'r [f64]>) -> f64 {
    let mut sums = Sums::default();
    rows.for_each(|nats| sums.add(&terms(nats), |term| term));
    sums.score()
}

/// A row's term at each magnitude and spared share.
fn terms(nats: &[f64]) -> Vec<f64> {
    let most = nats.iter().copied().fold(f64::NEG_INFINITY, f64::max) - BOUND;
    // ln(1 + e^x) without overflow.
    let own = most.max(0.0) + (-most.abs()).exp().ln_1p();
    let each = nats.iter().flat_map(|nats| SPARED.iter().map(move |(spared, _)| (nats, spared)));
    each.map(|(nats, spared)| (spared + (1.0 - spared) * (nats - own).exp()).ln()).collect()
}

#[cfg(test)]
mod tests;
