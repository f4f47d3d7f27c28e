//! `spin`: burns CPU time.

use crate::stats::{Stats, report};
use anyhow::Result;
use netwhy_tests::stop;
use std::{hint, sync::Arc};

/// Burn CPU time
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Threads, each on a CPU of its own if there is one
    #[arg(long, default_value_t = 1, value_name = "N")]
    threads: usize,
    /// End after this long
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    stop::install()?;
    let stats = Arc::new(Stats::default());
    for _ in 0..args.threads.max(1) {
        stats.spawn(|_| {
            // Work, and no hint that this is a loop: hypervisors take the CPU away from those who only wait.
            let mut x = 1u64;
            while !stop::requested() {
                for _ in 0..1000 {
                    x = hint::black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
                }
            }
        })?;
    }
    report("spin", None, args.seconds, &stats)
}
