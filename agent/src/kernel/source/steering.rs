//! Walks, duty cycles and the record that steers the programs.

use super::KernelSource;
use crate::{
    api::MemoryLevel,
    kernel::{
        control::Room,
        duty::{ANSWER_PROGRAM, HANDSHAKE_PROGRAM, NAME_PROGRAM, Observed, READ_PROGRAM, RTT_PROGRAM},
        errors::Operation,
        run_queue::RUN_QUEUE_PROGRAM,
    },
    sample::{CgroupFacts, Snapshot},
};
use anyhow::Context as _;
use netwhy_abi::Control;
use std::time::Duration;

impl<F: FnMut(Duration, &[u64]) -> Vec<CgroupFacts>> KernelSource<F> {
    /// Begins a walk if one is due, and makes the next part of the one in progress.
    pub(super) fn walk(&mut self, now: Duration) {
        if !self.loaded.can_walk || !(self.walker.is_due(now) || self.walker.is_walking()) {
            return;
        }
        let result = self.part_of_walk(now);
        if self.errors.note(Operation::Walk, result).is_none() {
            self.walker.give_up(now);
            // A baseline without a walk must end.
            self.is_control_due = true;
        }
        self.loaded.set_walk_status(self.errors.why(Operation::Walk));
    }

    fn part_of_walk(&mut self, now: Duration) -> anyhow::Result<()> {
        if self.walker.is_due(now) {
            self.loaded.clear_walk().context("clear the walk's totals")?;
            self.loaded.clear_shed_sockets().context("clear the walk's totals")?;
            let file = self.loaded.walk_file().context("open the iterator task_file")?;
            let subflows = self.loaded.subflow_file().context("open the iterator bpf_sk_storage_map")?;
            self.walker.begin(now, file, subflows);
            self.loaded.set_control(self.control()).context("announce the walk")?;
        }
        let was_baseline = self.walker.is_baseline();
        if self.walker.go_on(now)? {
            let without = self.loaded.shed_sockets().context("read the map STORAGE_SHED")?;
            self.walker.note_without_storage(without);
            if was_baseline {
                self.is_control_due = true;
                self.steer();
            }
        }
        Ok(())
    }

    /// Runs the scheduler probe while tasks wait for CPUs.
    pub(super) fn follow_pressure(&mut self, snapshot: &Snapshot) {
        if let Some(run_queue) = &mut self.loaded.run_queue {
            let followed = run_queue.probe.follow(snapshot.at, &snapshot.groups, snapshot.host.as_ref());
            self.attached(RUN_QUEUE_PROGRAM, followed);
        }
    }

    /// Takes in an attempt to attach a program again.
    fn attached(&mut self, program: &'static str, attempt: std::io::Result<()>) {
        if let Err(error) = &attempt {
            self.refused.get_or_insert_with(|| anyhow::anyhow!("attach {program}: {error}"));
        }
        self.loaded.set_duty_status(program, attempt);
    }

    /// The record that steers the programs.
    fn control(&self) -> Control {
        let (rtt_duty, handshake_duty) = (self.duties.rtt as u32, self.duties.handshakes as u32);
        let (edges_full, ports_folded) = (u32::from(self.room == Room::None), u32::from(self.room != Room::Enough));
        let baseline = u32::from(self.walker.is_baseline());
        let Observed { share, is_mixed } = self.duties.lookups;
        let control = Control {
            baseline,
            walk: self.walker.number(),
            edges_full,
            rtt_duty,
            handshake_duty,
            ports_folded,
            dns_share: share,
            dns_mixed: is_mixed.into(),
            ..Control::default()
        };
        self.loaded.sampling.put(control)
    }

    /// Tells the programs what changed, and what the kernel refused before.
    pub(super) fn steer(&mut self) {
        if self.is_control_due {
            let result = self.loaded.set_control(self.control()).context("write the map CONTROL");
            self.is_control_due = self.errors.note(Operation::Steer, result).is_none();
        }
        if let Some(sampled) = self.loaded.sample_http() {
            self.errors.note(Operation::Steer, sampled.context("write the map .data.shares"));
        }
        if let Some(prefixes) = self.prefixes.take() {
            self.set_prefixes(prefixes);
        }
    }

    /// Adapts the duty cycles of the RTT probe and of the handshake probe to the load.
    pub(super) fn follow_load(&mut self, now: Duration) {
        let traffic = self.loaded.traffic().context("read the map COUNTERS");
        let Some(traffic) = self.errors.note(Operation::ReadCounters, traffic) else { return };
        if let Some(rtt) = &mut self.loaded.rtt {
            let followed = rtt.follow(now, traffic.sampled);
            self.attached(RTT_PROGRAM, followed);
        }
        if let Some(handshakes) = &mut self.loaded.handshakes {
            handshakes.follow(now, traffic.closed);
        }
        self.loaded.lookups.follow(now, traffic.asked);
        if let Some(chosen) = self.loaded.follow_busyness(self.level > MemoryLevel::Ok) {
            self.errors.note(Operation::Steer, chosen.context("write the map .data.choice"));
        }
        if let Some(paced) = self.loaded.follow_timed(now, traffic.timed) {
            self.errors.note(Operation::Steer, paced.context("write the map .data.choice"));
        }
        if let Some(reads) = &mut self.loaded.reads {
            let started = reads.start();
            self.attached(READ_PROGRAM, started);
        }
        if let Some(answers) = &mut self.loaded.answers {
            let started = answers.start();
            self.attached(ANSWER_PROGRAM, started);
        }
        if let Some(names) = &mut self.loaded.names {
            let started = names.start();
            self.attached(NAME_PROGRAM, started);
        }
        let duties = self.loaded.duties();
        if duties != self.duties {
            let was_mixed = std::mem::replace(&mut self.duties, duties).lookups.is_mixed;
            let segments = self.loaded.rtt_stats().unwrap_or_default().segments_per_second.round();
            let sockets = self.loaded.handshake_stats().unwrap_or_default().sockets_per_second.round();
            tracing::debug!(?duties, segments, sockets, "duty of the probes changed");
            self.is_control_due = true;
            self.steer();
            if was_mixed && !duties.lookups.is_mixed {
                let swept = self.loaded.sweep_lookups(duties.lookups.share).context("sweep the map LOOKUPS");
                self.errors.note(Operation::Steer, swept);
            }
        }
        // Only after the programs know the new duty.
        if let Some(handshakes) = &mut self.loaded.handshakes {
            let started = handshakes.start();
            self.attached(HANDSHAKE_PROGRAM, started);
        }
    }
}
