//! `memory`: takes memory and uses it.

use crate::stats::{Stats, report};
use anyhow::{Context as _, Result};
use netwhy_tests::stop;
use std::{hint::black_box, sync::Arc, time::Duration};

/// Take memory, a megabyte at a time, and hold it
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How much
    #[arg(long, default_value_t = 64, value_name = "MB")]
    mbytes: usize,
    /// End after this long
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    stop::install()?;
    // Whoever shares its memory limit is not to be killed in its place.
    std::fs::write("/proc/self/oom_score_adj", "1000").context("offer itself to the OOM killer")?;
    let stats = Arc::new(Stats::default());
    let mbytes = args.mbytes;
    stats.spawn(move |_| {
        let mut held = Vec::new();
        for _ in 0..mbytes {
            // Written to, so that the kernel must back it.
            held.push(black_box(vec![0xa5_u8; 1 << 20]));
            if stop::sleep(Duration::from_millis(2)) {
                return;
            }
        }
        while !stop::sleep(Duration::from_secs(1)) {}
        drop(black_box(held));
    })?;
    report("memory", None, args.seconds, &stats)
}
