//! What the series of hints say of a time.

use super::{Labels, Prometheus, Series, quoted};
use crate::plugin::{
    Failure,
    model::{
        health::Fact,
        incidents::{Counted, Firing, Named},
    },
};
use jiff::{SignedDuration, Timestamp};
use std::{collections::BTreeMap, time::Duration};

/// Steps of a whole look back: of a week, each has five minutes. No step is shorter than a minute.
const STEPS: i64 = 2016;
const MIN_STEP: i64 = 60;
/// Steps of one request: 100 series that last take a MiB.
const STEPS_AT_ONCE: i64 = 288;
/// Most samples of all requests.
const MAX_SAMPLES: usize = 2_000_000;
/// Most gaps that are named.
const MAX_GAPS: usize = 8;
/// What tells one firing from another. `instance` for a scrape that adds no Node.
const BY: &str = "cluster, node, instance, namespace, pod, workload, cause, blame_kind, blame";

/// What a Prometheus knows of a time.
#[derive(Debug, Default)]
pub struct Fired {
    /// The firings, in no order.
    pub firings: Vec<Firing>,
    /// What it can't say, with the reason.
    pub unknown: Vec<Fact>,
}

impl Prometheus {
    /// Firings between two moments. `namespace`: of it alone.
    ///
    /// # Errors
    /// When it does not answer, or the answer is too large.
    pub async fn fired(&self, namespace: Option<&str>, (from, to): (Timestamp, Timestamp)) -> Result<Fired, Failure> {
        let selector = match namespace {
            Some(namespace) => format!("{{namespace={}}}", quoted(namespace)?),
            None => String::new(),
        };
        let length = to.duration_since(from).as_secs().max(1);
        let step = (length / STEPS).max(MIN_STEP);
        // The last step ends with the time, and the first one begins before it: what it has counted is no news.
        let grid = Grid { from: whole(to) - (length / step + 1) * step, to: whole(to), step };
        let counted = self.counted(&selector, &grid).await?;
        let mut out = Fired::default();
        let sure = self.sureness(&selector, length, to).await.unwrap_or_else(|failure| {
            out.unknown.push(Fact::new("confidence", failure.to_string()));
            BTreeMap::new()
        });
        for (labels, samples) in &counted {
            let counted =
                Counted { samples, first: grid.from * 1000, last: grid.last() * 1000, step: step.saturating_mul(1000) };
            let like = Firing { confidence: sure.get(labels).copied(), ..of(labels) };
            out.firings.extend(counted.firings(&like));
        }
        let mut clusters: Vec<&str> = counted.keys().map(|labels| labels.cluster.as_str()).collect();
        clusters.dedup();
        if clusters.len() > 1 {
            let fact = format!("{} has hints of several, and all are shown: {}", self.name, clusters.join(", "));
            out.unknown.push(Fact::new("cluster", fact));
        }
        out.unknown.extend(self.gaps(&grid).await?);
        Ok(out)
    }

    /// The counters of all series, ms and seconds, in requests of bounded length.
    async fn counted(&self, selector: &str, grid: &Grid) -> Result<BTreeMap<Labels, Vec<(i64, f64)>>, Failure> {
        let step = grid.step;
        let query = format!("max by ({BY}) (max_over_time(netwhy_hint_seconds_total{selector}[{step}s]))");
        let mut out: BTreeMap<Labels, Vec<(i64, f64)>> = BTreeMap::new();
        let (mut all, mut begin) = (0, grid.from);
        while begin <= grid.to {
            let end = (begin + (STEPS_AT_ONCE - 1) * step).min(grid.last());
            for Series { labels, samples } in self.range(&query, (stamp(begin), stamp(end)), seconds(step)).await? {
                all += samples.len();
                let known = out.entry(labels).or_default();
                // In order, whatever the answer has.
                let newest = known.last().map_or(i64::MIN, |(at, _)| *at);
                known.extend(in_order(&samples).into_iter().filter(|(at, _)| *at > newest));
            }
            if all > MAX_SAMPLES {
                let what = format!("Prometheus {} has more than {MAX_SAMPLES} samples", self.name);
                return Err(Failure::new(what, "name a namespace with -n, or ask for a shorter time"));
            }
            begin = end + step;
        }
        Ok(out)
    }

    /// The highest confidence of each series.
    async fn sureness(&self, selector: &str, length: i64, to: Timestamp) -> Result<BTreeMap<Labels, f64>, Failure> {
        let query = format!("max by ({BY}) (max_over_time(netwhy_hint{selector}[{length}s]))");
        let all = self.instant(&query, to).await?;
        let one = |series: Series| {
            let sure = series.samples.first().map(|(_, value)| *value).filter(|sure| (0.0..=1.0).contains(sure))?;
            Some((series.labels, sure))
        };
        Ok(all.into_iter().filter_map(one).collect())
    }

    /// Times in which it scraped no agent.
    async fn gaps(&self, grid: &Grid) -> Result<Vec<Fact>, Failure> {
        let step = grid.step;
        let query = format!("count(max_over_time(netwhy_agent_build_info[{step}s]))");
        let series = self.range(&query, (stamp(grid.from), stamp(grid.last())), seconds(step)).await?;
        let known: Vec<i64> = series.iter().flat_map(|one| one.samples.iter().map(|(at, _)| *at as i64)).collect();
        let gaps = grid.gaps(&known);
        let fact = |(from, to): &(i64, i64)| {
            Fact::new("Prometheus", format!("{} scraped no agent from {} to {}", self.name, stamp(*from), stamp(*to)))
        };
        let mut out: Vec<Fact> = gaps.iter().take(MAX_GAPS).map(fact).collect();
        if gaps.len() > MAX_GAPS {
            out.push(Fact::new("Prometheus", format!("{} more times without a scrape", gaps.len() - MAX_GAPS)));
        }
        Ok(out)
    }
}

/// Ends of steps, seconds since the Unix epoch.
#[derive(Debug)]
struct Grid {
    from: i64,
    to: i64,
    step: i64,
}

impl Grid {
    /// The newest step that has ended.
    fn last(&self) -> i64 {
        self.from + (self.to - self.from) / self.step * self.step
    }

    /// Times, as begin and end, in which no step is known.
    fn gaps(&self, known: &[i64]) -> Vec<(i64, i64)> {
        let known: std::collections::BTreeSet<i64> = known.iter().copied().collect();
        let mut out: Vec<(i64, i64)> = Vec::new();
        let mut at = self.from;
        while at <= self.last() {
            if !known.contains(&at) {
                match out.last_mut() {
                    Some((_, end)) if *end == at - self.step => *end = at,
                    _ => out.push((at - self.step, at)),
                }
            }
            at += self.step;
        }
        out
    }
}

/// Samples by their time, ms since the Unix epoch.
fn in_order(samples: &[(f64, f64)]) -> Vec<(i64, f64)> {
    let mut out: Vec<(i64, f64)> = samples.iter().map(|(at, value)| ((at * 1e3) as i64, *value)).collect();
    out.sort_by_key(|(at, _)| *at);
    out
}

/// The firings in an answer, as each step of it may be asked about. `None`: no answer of a Prometheus.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn firings(answer: &[u8]) -> Option<Vec<Firing>> {
    let all = super::answer::parse(answer, super::Wanted::Matrix).ok()?;
    let of_series = |Series { labels, samples }: Series| {
        let samples = in_order(&samples);
        let end = |sample: Option<&(i64, f64)>| sample.map_or(0, |(at, _)| *at);
        let (first, last) = (end(samples.first()), end(samples.last()));
        Counted { samples: &samples, first, last, step: 60_000 }.firings(&of(&labels))
    };
    Some(all.into_iter().flat_map(of_series).collect())
}

/// The names of a series.
fn of(labels: &Labels) -> Firing {
    let Labels { namespace, pod, workload, cause, blame_kind, blame, .. } = labels;
    Firing::named(&Named { namespace, pod, workload, node: labels.place(), cause, blame_kind, blame })
}

fn whole(at: Timestamp) -> i64 {
    at.as_second()
}

fn stamp(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

fn seconds(step: i64) -> Duration {
    SignedDuration::from_secs(step).unsigned_abs()
}

#[cfg(test)]
mod tests;
