//! Which growth is a leak.

use super::{
    charge,
    measure::Sample,
    slope::{Growth, growth},
};

#[cfg(test)]
mod tests;

pub(super) const MIB: f64 = 1_048_576.0;
const CGROUP: &str = "cgroup memory";

/// A figure with the growth that a run may show.
pub(super) struct Figure {
    pub(super) name: &'static str,
    /// `None`: not read.
    pub(super) value: fn(&Sample) -> Option<f64>,
    /// Share of the median.
    share: f64,
    /// Beside the share, in the figure's unit.
    floor: f64,
    /// Figures of a unit are shown divided by this.
    pub(super) unit: (f64, &'static str),
}

/// All figures that are judged.
pub(super) static FIGURES: [Figure; 6] = [
    Figure { name: "RSS", value: |s| Some(s.resident), share: 0.05, floor: 2.0 * MIB, unit: (MIB, "MiB") },
    Figure { name: "BPF maps", value: |s| Some(s.kernel), share: 0.02, floor: 0.25 * MIB, unit: (MIB, "MiB") },
    Figure { name: CGROUP, value: |s| Some(s.charge.as_ref()?.held), share: 0.1, floor: 8.0 * MIB, unit: (MIB, "MiB") },
    Figure { name: "descriptors", value: |s| Some(s.descriptors), share: 0.05, floor: 4.0, unit: (1.0, "") },
    // Reloads and API failures change labels and names all the time; a leak of series adds hundreds a second.
    Figure { name: "series", value: |s| Some(s.series), share: 0.4, floor: 200.0, unit: (1.0, "") },
    Figure { name: "tick p99", value: |s| Some(s.tick_p99), share: 0.5, floor: 0.02, unit: (0.001, "ms") },
];

/// A figure's growth after the warm-up.
pub(super) struct Judged {
    pub(super) figure: &'static Figure,
    pub(super) growth: Growth,
    /// Growth that the run may show.
    pub(super) limit: f64,
    pub(super) is_leak: bool,
}

/// All growth after the warm-up.
pub(super) struct Judgement {
    /// Of the figures that were read.
    pub(super) figures: Vec<Judged>,
    /// Of the parts of the cgroup's memory, by the kernel's names, largest first, bytes.
    pub(super) parts: Vec<(&'static str, Growth)>,
}

/// Judges what was sampled after the warm-up. `taken_back`: kernel memory that the kernel took back from the cgroup after
/// the last sample, bytes. The cgroup's memory may have grown by that much more.
pub(super) fn judge(samples: &[Sample], warm_up_seconds: f64, taken_back: f64) -> Judgement {
    let settled: Vec<&Sample> = samples.iter().filter(|sample| sample.seconds > warm_up_seconds).collect();
    let judged = |figure: &'static Figure| {
        let growth = growth(&points(&settled, figure.value))?;
        let more = if figure.name == CGROUP { taken_back } else { 0.0 };
        let limit = figure.floor + figure.share * growth.median + more;
        Some(Judged { figure, growth, limit, is_leak: is_leak(&growth, limit) })
    };
    Judgement { figures: FIGURES.iter().filter_map(judged).collect(), parts: parts(&settled) }
}

impl Judgement {
    /// Names of the figures that grow; the cgroup's memory with its part that grows most. Empty: there is no leak.
    pub(super) fn leaks(&self) -> Vec<String> {
        let name = |judged: &Judged| match self.largest_part().filter(|_| judged.figure.name == CGROUP) {
            Some((part, bytes)) => format!("{CGROUP} (most of it {part}, {:+.1} MiB)", bytes / MIB),
            None => judged.figure.name.to_owned(),
        };
        self.figures.iter().filter(|judged| judged.is_leak).map(name).collect()
    }

    /// The part that grows most, bytes, of those that the kernel can't take back.
    fn largest_part(&self) -> Option<(&'static str, f64)> {
        let grows = |(part, growth): &&(&'static str, Growth)| charge::is_held(part) && growth.at_least > 0.0;
        self.parts.iter().find(grows).map(|(part, growth)| (*part, growth.over_run))
    }
}

fn points(samples: &[&Sample], value: impl Fn(&Sample) -> Option<f64>) -> Vec<(f64, f64)> {
    let point = |sample: &&Sample| Some((sample.seconds, value(sample).filter(|value| value.is_finite())?));
    samples.iter().filter_map(point).collect()
}

fn parts(samples: &[&Sample]) -> Vec<(&'static str, Growth)> {
    let Some(first) = samples.iter().find_map(|sample| sample.charge.as_ref()) else { return Vec::new() };
    let names = first.parts.iter().map(|(name, _)| *name);
    let grown =
        |name: &'static str| Some((name, growth(&points(samples, |sample| sample.charge.as_ref()?.part(name)))?));
    let mut parts: Vec<(&'static str, Growth)> = names.filter_map(grown).collect();
    parts.sort_by(|(_, a), (_, b)| b.over_run.total_cmp(&a.over_run));
    parts
}

/// It grows for sure, by more than the limit, and at the end still as fast as that.
fn is_leak(found: &Growth, limit: f64) -> bool {
    found.at_least > 0.0 && found.over_run.min(found.lately) > limit
}
