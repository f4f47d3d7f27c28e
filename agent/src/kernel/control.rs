//! The attached probes at run time: duty, status, detaching and attaching again.

use super::{
    attach::link,
    duty::{HANDSHAKE_PROGRAM, HandshakeProbe, Observed, RTT_PROGRAM, RttProbe, WINDOWED, WindowedProbe},
    loaded::Loaded,
    probes::{PROBES, Probe, program_named},
    steering,
};
use crate::api::{HandshakeDutyCycle, MemoryLevel, ProbeState, Refusal, RttDutyCycle};
use netwhy_abi::{Choice, Duty, pick::BUSY_MASK};
use std::{io, time::Duration};

/// Probes whose data walks provide.
const WALKED: [&str; 3] = ["sockets", "mptcp", "accept_queue"];
/// How the reason of their status begins while walks fail.
const WALK_FAILED: &str = "the newest walk failed";

/// Room in the edge map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Room {
    /// For addresses and for their ports.
    #[default]
    Enough,
    /// For addresses: no further port gets an edge of its own.
    Scarce,
    /// For nothing.
    None,
}

impl Room {
    /// The room that `rows` leave in a map.
    pub(super) fn left_by(rows: usize, capacity: u64, is_freed: bool) -> Self {
        match rows as u64 {
            rows if rows >= capacity && !is_freed => Self::None,
            rows if rows >= capacity / 4 * 3 => Self::Scarce,
            _ => Self::Enough,
        }
    }

    /// The room that the agent's memory limit leaves of it.
    pub(super) fn at(self, level: MemoryLevel) -> Self {
        match (self, level) {
            (_, MemoryLevel::Critical) => Self::None,
            (Self::Enough, MemoryLevel::Near) => Self::Scarce,
            _ => self,
        }
    }
}

/// Events that say how busy the machine is, since the programs were loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traffic {
    /// Segments sampled for their RTT.
    pub(super) sampled: u64,
    /// TCP sockets that ended.
    pub(super) closed: u64,
    /// DNS lookups that were observed from their begin.
    pub(super) asked: u64,
    /// Exchanges that were added to response times.
    pub(super) timed: u64,
}

/// Duty of the RTT probe and of the handshake probe, and whose DNS lookups are observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Duties {
    pub(super) rtt: Duty,
    pub(super) handshakes: Duty,
    pub(super) lookups: Observed,
}

impl Default for Duties {
    fn default() -> Self {
        Self { rtt: Duty::default(), handshakes: Duty::default(), lookups: Observed::ALL }
    }
}

impl Loaded {
    /// State of the RTT probe. `None`: not loaded.
    pub fn rtt_stats(&self) -> Option<RttDutyCycle> {
        self.rtt.as_ref().map(RttProbe::stats)
    }

    /// State of the handshake probe. `None`: not loaded.
    pub fn handshake_stats(&self) -> Option<HandshakeDutyCycle> {
        self.handshakes.as_ref().map(HandshakeProbe::stats)
    }

    /// Duties that the programs must know.
    pub(super) fn duties(&self) -> Duties {
        Duties {
            rtt: self.rtt.as_ref().map_or(Duty::Continuous, RttProbe::duty),
            handshakes: self.handshakes.as_ref().map_or(Duty::Continuous, HandshakeProbe::duty),
            lookups: self.lookups.observed(),
        }
    }

    /// Attaches and detaches the RTT probe, as for a duty period, to measure the cost of that. `None`: not loaded.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn switch_rtt(&self) -> Option<io::Result<()>> {
        self.rtt.as_ref().map(RttProbe::check)
    }

    /// Tests whether every probe on a duty cycle can be attached again.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub(super) fn check_duty_cycles(&self) -> io::Result<()> {
        self.rtt.as_ref().map_or(Ok(()), RttProbe::check)?;
        self.handshakes.as_ref().map_or(Ok(()), HandshakeProbe::check)?;
        self.reads.iter().chain(&self.answers).chain(&self.names).try_for_each(WindowedProbe::check)?;
        self.run_queue.as_ref().map_or(Ok(()), |run_queue| run_queue.probe.check())
    }

    /// Updates the status of a program's probe after an attempt to attach the program again.
    pub(super) fn set_duty_status(&mut self, program: &str, attempt: io::Result<()>) {
        let carries = |probe: &&Probe| probe.programs.iter().any(|carried| carried.name == program);
        let Some(probe) = PROBES.iter().find(carries) else { return };
        let Some(status) = self.probes.iter_mut().find(|status| status.name == probe.name) else { return };
        match (attempt, status.state) {
            (Err(error), ProbeState::Ok) => {
                let why = format!("can't attach {program} again: {error}; missing: {}", probe.without);
                tracing::warn!(probe = probe.name, "{why}");
                (status.state, status.why) = (ProbeState::Broken, why);
                status.refusal = Some(Refusal::of(&error));
            }
            (Ok(()), ProbeState::Broken) => {
                (status.state, status.why, status.refusal) = (ProbeState::Ok, String::new(), None);
            }
            _ => {}
        }
    }

    /// Degrades the probes that need walks while these fail. `why`: the newest error; `None`: walks work.
    pub(super) fn set_walk_status(&mut self, why: Option<&str>) {
        for status in self.probes.iter_mut().filter(|status| WALKED.contains(&status.name.as_str())) {
            let is_failing = status.state == ProbeState::Degraded && status.why.starts_with(WALK_FAILED);
            match why {
                Some(why) if is_failing || status.state == ProbeState::Ok => {
                    let probe = PROBES.iter().find(|probe| probe.name == status.name);
                    let without = probe.map_or("", |probe| probe.without);
                    status.why = format!("{WALK_FAILED}: {why}; incomplete: {without}");
                    (status.state, status.refusal) = (ProbeState::Degraded, Some(Refusal::Other));
                }
                None if is_failing => {
                    (status.state, status.why, status.refusal) = (ProbeState::Ok, String::new(), None);
                }
                _ => {}
            }
        }
    }

    /// Measures the response times of all connections, or on a busy machine of some. Near the memory limit
    /// (`is_near_limit`) too, because each observed connection has storage. `None`: as before. An attempt that the kernel
    /// refuses is made again the next time. A change detaches the probe of reads until it is started.
    pub(super) fn follow_busyness(&mut self, is_near_limit: bool) -> Option<anyhow::Result<()>> {
        // Without the RTT probe nobody knows how busy the machine is.
        let is_busy = is_near_limit || self.rtt.as_ref().is_none_or(|rtt| rtt.is_paused() || rtt.is_busy());
        let mask = if is_busy { BUSY_MASK } else { 0 };
        for answers in self.answers.iter_mut().chain(&mut self.names) {
            answers.follow(is_busy);
        }
        if self.choice.generation == 0 || mask == self.choice.mask {
            return None;
        }
        if let Some(reads) = &mut self.reads {
            reads.follow(is_busy);
        }
        Some(self.choose(mask))
    }

    /// Counts fewer exchanges of busy connections while a busy machine counts many, of which there were `timed` so far.
    /// `None`: as before. An attempt that the kernel refuses is made again the next time.
    pub(super) fn follow_timed(&mut self, now: Duration, timed: u64) -> Option<anyhow::Result<()>> {
        let pace_us = self.pace.follow(now, timed, self.choice.mask != 0);
        if pace_us == self.choice.pace_us {
            return None;
        }
        // Weights follow from the pace at each exchange, so that no state is out of date.
        let choice = Choice { pace_us, ..self.choice };
        let told = steering::set_choice(&mut self.ebpf, choice);
        if told.is_ok() {
            self.choice = choice;
        }
        Some(told)
    }

    /// Pace at which exchanges of one connection are counted, µs; 0: each is.
    pub fn pace_us(&self) -> u32 {
        self.choice.pace_us
    }

    fn windowed(&mut self) -> impl Iterator<Item = &mut WindowedProbe> {
        self.reads.iter_mut().chain(&mut self.answers).chain(&mut self.names)
    }

    /// Begins a period of observation of response times, if they are observed at all.
    pub(super) fn choose(&mut self, mask: u32) -> anyhow::Result<()> {
        let generation = match self.choice.generation {
            0 => 0,
            before => before.wrapping_add(1).max(1),
        };
        let read_weight = self.reads.as_ref().map_or(1, WindowedProbe::weight);
        let close_ups = u32::from(!self.close_ups.is_empty());
        let choice = Choice { mask, generation, read_weight, close_ups, pace_us: self.choice.pace_us };
        steering::set_choice(&mut self.ebpf, choice)?;
        self.choice = choice;
        Ok(())
    }

    /// Detaches all programs. They stay loaded, and their maps keep their rows. For benchmarks: the machine is then as
    /// without netwhy.
    pub fn detach(&mut self) {
        self.links.clear();
        self.rtt.as_mut().map(RttProbe::pause);
        self.handshakes.as_mut().map(HandshakeProbe::pause);
        self.windowed().for_each(WindowedProbe::pause);
        self.pace.restart();
        if let Some(run_queue) = &mut self.run_queue {
            run_queue.probe.pause();
        }
    }

    /// Attaches the programs again that [`Loaded::detach`] detached; does nothing when they are attached.
    ///
    /// # Errors
    /// The first program that the kernel refuses; those before it are attached.
    pub fn attach(&mut self) -> anyhow::Result<()> {
        self.rtt.as_mut().map_or(Ok(()), RttProbe::resume)?;
        self.handshakes.as_mut().map_or(Ok(()), HandshakeProbe::resume)?;
        self.windowed().try_for_each(WindowedProbe::resume)?;
        self.run_queue.as_mut().map_or(Ok(()), |run_queue| run_queue.probe.resume())?;
        if !self.links.is_empty() {
            return Ok(());
        }
        // Requests and answers of the meantime were not seen.
        self.choose(self.choice.mask)?;
        for (name, program) in self.ebpf.programs_mut() {
            // A program without a descriptor is unsupported or off.
            if ![RTT_PROGRAM, HANDSHAKE_PROGRAM].contains(&name) && !WINDOWED.contains(&name) && program.fd().is_ok() {
                let link = link(name, program, self.cgroup.as_ref())?;
                self.links.extend(link.and_then(|link| Some((program_named(name)?.name, link))));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
