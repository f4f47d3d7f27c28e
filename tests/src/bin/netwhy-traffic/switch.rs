//! `switch`: makes context switches and hardly anything else.

use crate::stats::{Stats, add, report};
use anyhow::{Context as _, Result};
use netwhy_tests::stop;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::{
    io::{self, Read as _, Write as _},
    sync::Arc,
};

/// Pass a byte to and fro between two threads on one CPU
///
/// Each way is a context switch; `requests` counts there and back.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// End after this long
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    stop::install()?;
    let allowed = sched_getaffinity(None)?;
    let first = (0..CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu)).context("no CPU is allowed")?;
    let mut one = CpuSet::new();
    one.set(first);
    let stats = Arc::new(Stats::default());
    let (mut ping_in, mut ping_out) = io::pipe()?;
    let (mut pong_in, mut pong_out) = io::pipe()?;
    stats.spawn(move |stats| {
        let _ = sched_setaffinity(None, &one);
        let mut byte = [0];
        while !stop::requested() && ping_out.write_all(&byte).is_ok() && pong_in.read_exact(&mut byte).is_ok() {
            add(&stats.requests, 1);
        }
    })?;
    stats.spawn(move |_| {
        let _ = sched_setaffinity(None, &one);
        let mut byte = [0];
        // Ends when the other end of the pipe is closed.
        while ping_in.read_exact(&mut byte).is_ok() && pong_out.write_all(&byte).is_ok() {}
    })?;
    report("switch", None, args.seconds, &stats)
}
