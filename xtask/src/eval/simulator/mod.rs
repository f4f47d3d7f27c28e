//! The simulator: clusters too large for a laboratory, with faults that are known, judged by the agent's own code.
//!
//! Seeds are split: limits and calibration are fitted on tuning seeds, figures come from the others.

mod cluster;
mod fault;
mod random;
pub(super) mod rivals;
mod scenario;
mod score;

use crate::sh;
use netwhy_agent::blame::Parameters;
use scenario::{Answers, DEVIATIONS, Healthy, Scenario, VOTES, healthy, trial};
use score::Rival;
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    num::NonZero,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Seeds from here on report, those below tune.
const REPORT: u64 = 1 << 33;
/// How often a long step says how far it is.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// How much is simulated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Clusters per scenario that report.
    pub(super) seeds: u64,
    /// Nodes of a cluster.
    pub(super) nodes: usize,
    /// Windows with faults per cluster.
    pub(super) windows: usize,
    /// Clusters in normal times, and their windows.
    pub(super) healthy: (u64, usize),
}

impl Plan {
    pub(super) const FULL: Self = Self { seeds: 40, nodes: 2000, windows: 10, healthy: (20, 70) };
    pub(super) const QUICK: Self = Self { seeds: 6, nodes: 1000, windows: 4, healthy: (4, 20) };
}

/// Runs all scenarios; the table and the JSON.
pub(super) fn run(plan: Plan) -> (String, Value) {
    let parameters = Parameters::default();
    let mut out = json!({});
    let mut tuned = Answers::default();
    let mut reported: Vec<(Scenario, Answers)> = Vec::new();
    for (at, scenario) in (0_u64..).zip(Scenario::ALL) {
        // Other seeds in every scenario, or they would share clusters.
        let base = at * 1_000_000;
        let one = |seed: u64| trial(scenario, plan.nodes, plan.windows, base + seed, &parameters);
        for answers in parallel(&format!("{}, tuning", scenario.name()), plan.seeds.div_ceil(2), one) {
            tuned.merge(answers);
        }
        let mut sum = Answers::default();
        for answers in parallel(scenario.name(), plan.seeds, |i| one(REPORT + i)) {
            sum.merge(answers);
        }
        reported.push((scenario, sum));
    }
    let mut calm = Healthy::default();
    let (clusters, windows) = plan.healthy;
    for sum in parallel("healthy", clusters, |i| healthy(plan.nodes, windows, REPORT + 2_000_000 + i, &parameters)) {
        calm.merge(sum);
    }
    let (voting, robust_z) = (best(&tuned.voting), best(&tuned.robust_z));
    let fit = tuned.ours.fit();
    let mut table = Table::default();
    for (scenario, answers) in &reported {
        table.row(*scenario, answers, voting, robust_z);
        let mut json = answers.ours.json();
        let rival = |rival: Rival| json!({ "precision": rival.precision(), "recall": rival.recall() });
        json["rivals"] =
            json!({ "voting": rival(answers.voting[voting]), "robust_z": rival(answers.robust_z[robust_z]) });
        json["clusters"] = json!(plan.seeds);
        json["windows"] = json!(plan.seeds * plan.windows as u64);
        json["nodes"] = json!(plan.nodes);
        out[scenario.name()] = json;
    }
    let per_day = |hints: usize| hints as f64 / calm.node_days;
    out["healthy"] = json!({
        "hints_per_node_day": per_day(calm.hints), "hints": calm.hints, "insufficient": calm.insufficient,
        "node_days": calm.node_days, "windows": calm.windows, "nodes": plan.nodes,
        // 95 % upper limit of a Poisson mean, by Wilson and Hilferty's approximation.
        "hints_per_node_day_upper95": poisson_upper(calm.hints) / calm.node_days,
        "rivals": { "voting": per_day(calm.voting[voting]), "robust_z": per_day(calm.robust_z[robust_z]) },
    });
    out["tuned"] = json!({
        "voting_share": VOTES[voting], "robust_z": DEVIATIONS[robust_z],
        "calibration": { "intercept": fit.intercept, "nats": fit.nats, "single_path": fit.single_path },
        "shipped_calibration": {
            "intercept": parameters.calibration.intercept, "nats": parameters.calibration.nats,
            "single_path": parameters.calibration.single_path,
        },
    });
    table.healthy(&calm, voting, robust_z);
    (table.text, out)
}

/// The limit with the best harmonic mean of precision and recall.
fn best(rivals: &[Rival]) -> usize {
    let scored = rivals.iter().enumerate().max_by(|x, y| x.1.f1().total_cmp(&y.1.f1()));
    scored.map_or(0, |(at, _)| at)
}

fn poisson_upper(events: usize) -> f64 {
    if events == 0 {
        return 2.996;
    }
    let k = events as f64 + 1.0;
    k * (1.0 - 1.0 / (9.0 * k) + 1.645 / (3.0 * k.sqrt())).powi(3)
}

/// Results of `0..count` in their order.
fn parallel<T: Send>(what: &str, count: u64, work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let (next, began) = (AtomicUsize::new(0), Instant::now());
    let done = Mutex::new((Vec::new(), Instant::now()));
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(count.max(1) as usize);
    let worker = || {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed) as u64;
            if i >= count {
                return;
            }
            let result = work(i);
            // A worker that panicked ends the run anyway.
            let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            done.0.push((i, result));
            if done.1.elapsed() >= SIGN_OF_LIFE {
                done.1 = Instant::now();
                sh::say(&format!("  {what}: {} of {count} clusters, {} s", done.0.len(), began.elapsed().as_secs()));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(worker);
        }
    });
    sh::say(&format!("  {what}: {count} clusters, {:.1} s", began.elapsed().as_secs_f64()));
    let (mut results, _) = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|(i, _)| *i);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Lines of the table.
struct Table {
    text: String,
}

impl Default for Table {
    fn default() -> Self {
        let head = ["", "precision", "recall", "wrong Node", "abstained", "calibration", "to reach", ""];
        let mut table = Self { text: String::new() };
        table.line(&head.map(str::to_owned));
        table
    }
}

impl Table {
    fn line(&mut self, cells: &[String; 8]) {
        let [what, precision, recall, wrong, abstained, calibration, target, verdict] = cells;
        let line = format!(
            "{what:<28}{precision:>10}{recall:>9}{wrong:>12}{abstained:>11}{calibration:>13}  {target:<28}{verdict}"
        );
        // Writing to a String can't fail.
        let _ = writeln!(self.text, "{}", line.trim_end());
    }

    fn row(&mut self, scenario: Scenario, answers: &Answers, voting: usize, robust_z: usize) {
        let (precision, recall) = match scenario {
            Scenario::Clean => (0.98, 0.95),
            Scenario::Degraded => (0.95, 0.75),
        };
        let ours = &answers.ours;
        let ok = ours.precision() >= precision && ours.recall() >= recall;
        let [p, r, w, a, c] =
            [ours.precision(), ours.recall(), ours.wrong_node(), ours.abstentions(), ours.calibration_error()]
                .map(|x| format!("{x:.4}"));
        let target = format!("≥ {precision:.2}, ≥ {recall:.2}");
        self.line(&[scenario.name().to_owned(), p, r, w, a, c, target, verdict(ok)]);
        for (name, rival) in [("007-style voting", answers.voting[voting]), ("robust z", answers.robust_z[robust_z])] {
            let name = format!("  {name}, Nodes only");
            let (p, r) = (format!("{:.4}", rival.precision()), format!("{:.4}", rival.recall()));
            self.line(&[name, p, r, String::new(), String::new(), String::new(), String::new(), String::new()]);
        }
    }

    fn healthy(&mut self, calm: &Healthy, voting: usize, robust_z: usize) {
        let per_day = |hints: usize| hints as f64 / calm.node_days;
        let hints = per_day(calm.hints);
        // Writing to a String can't fail.
        let _ = writeln!(
            self.text,
            "healthy: {hints:.4} hints per Node-day ({} in {:.0} Node-days; 95 % sure of at most {:.4}), \
             to reach: ≤ 0.01  {}\n  \
             007-style voting {:.2}, robust z {:.2}",
            calm.hints,
            calm.node_days,
            poisson_upper(calm.hints) / calm.node_days,
            verdict(hints <= 0.01),
            per_day(calm.voting[voting]),
            per_day(calm.robust_z[robust_z]),
        );
    }
}

fn verdict(ok: bool) -> String {
    if ok { "ok" } else { "short" }.to_owned()
}

#[cfg(test)]
mod tests;
