//! How much is measured.

use super::{
    Args,
    load::Kind,
    rows,
    signals::Set,
    until::{Pace, Until},
    verdict::Goal,
};
use anyhow::{Context as _, Result};
use std::{fs, path::PathBuf, time::Duration};

/// How much is measured.
pub(super) struct Plan {
    throughput: Pace,
    most_pairs: usize,
    kernel_time: Pace,
    most_slices: usize,
    pub(super) cpu: Until,
    pub(super) node_signals: Until,
    pub(super) settle: Duration,
    pub(super) scrapes: usize,
    pub(super) starts: Until,
    pub(super) rtt: Duration,
    pub(super) segments: Duration,
    pub(super) lookups: usize,
    pub(super) loads: Vec<Kind>,
    pub(super) sets: Vec<Set>,
    pub(super) config: Option<PathBuf>,
}

/// The agent's CPU time, as a share of one core.
const CPU: Option<Goal> = Some(Goal::AtMost(0.01));
/// To read the Node's own signals, and from start to ready, s.
const NODE_SIGNALS: Option<Goal> = Some(Goal::AtMost(0.002));
const READY: Option<Goal> = Some(Goal::AtMost(1.0));

const fn pace(windows: usize, window_ms: u64) -> Pace {
    Pace { windows, window: Duration::from_millis(window_ms) }
}

impl Plan {
    /// How long the effect on a kind of load is measured.
    pub(super) fn until(&self, kind: Kind) -> Until {
        Until { pace: self.throughput, most: self.most_pairs, goal: rows::goal(kind).map(|(_, goal)| goal) }
    }

    /// How long the time in kernel programs is measured.
    pub(super) fn cost(&self, goal: Option<rows::Told>) -> Until {
        Until { pace: self.kernel_time, most: self.most_slices, goal: goal.map(|(_, goal)| goal) }
    }

    /// From the user's wishes.
    pub(super) fn of(args: &Args) -> Result<Self> {
        let mut plan = if args.quick { Self::QUICK } else { Self::FULL };
        if let Some(pairs) = args.pairs {
            plan.throughput.windows = pairs.into();
            plan.kernel_time.windows = pairs.into();
        }
        let most = |default: usize, least: usize| args.max_pairs.map_or(default, usize::from).max(least);
        plan.most_pairs = most(plan.most_pairs, plan.throughput.windows);
        plan.most_slices = most(plan.most_slices, plan.kernel_time.windows);
        plan.loads = if args.loads.is_empty() { Kind::ALL.to_vec() } else { args.loads.clone() };
        plan.sets = if args.sets.is_empty() { Set::ALL.to_vec() } else { args.sets.clone() };
        if let Some(file) = &args.config {
            plan.config = Some(fs::canonicalize(file).with_context(|| format!("read {}", file.display()))?);
        }
        Ok(plan)
    }

    const FULL: Self = Self {
        throughput: pace(25, 1000),
        most_pairs: 120,
        kernel_time: pace(10, 1000),
        most_slices: 40,
        cpu: Until { pace: pace(10, 1000), most: 30, goal: CPU },
        node_signals: Until { pace: pace(6, 0), most: 30, goal: NODE_SIGNALS },
        // A window of the agent is ten seconds: its memory has reached its size then.
        settle: Duration::from_secs(11),
        scrapes: 50,
        starts: Until { pace: pace(7, 0), most: 22, goal: READY },
        rtt: Duration::from_secs(6),
        segments: Duration::from_secs(10),
        lookups: 6,
        loads: Vec::new(),
        sets: Vec::new(),
        config: None,
    };
    const QUICK: Self = Self {
        throughput: pace(6, 500),
        most_pairs: 6,
        kernel_time: pace(6, 1000),
        most_slices: 6,
        cpu: Until { pace: pace(6, 500), most: 6, goal: CPU },
        node_signals: Until { pace: pace(6, 0), most: 6, goal: NODE_SIGNALS },
        settle: Duration::from_secs(2),
        scrapes: 10,
        starts: Until { pace: pace(6, 0), most: 6, goal: READY },
        rtt: Duration::from_secs(3),
        segments: Duration::from_secs(3),
        lookups: 6,
        loads: Vec::new(),
        sets: Vec::new(),
        config: None,
    };
}

#[cfg(test)]
mod tests;
