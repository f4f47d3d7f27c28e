//! Probes that are turned off and on again while the agent runs. Loaded programs attach again without new rights; a probe
//! that was off at the start has no loaded programs.

use super::{
    attach::link,
    duty::WINDOWED,
    loaded::{Loaded, SwitchedOff},
    probes::{HTTP_PROBE, NAMES_PROBE, PROBES, Probe},
    settings::Mode,
};
use crate::api::{ProbeState, ProbeStatus};
use anyhow::Context as _;

/// Probes that nothing else counts on.
const SWITCHED: [&str; 9] =
    ["rtt", "retransmits", "resets", "drops", "responses", HTTP_PROBE, "dns", NAMES_PROBE, "run_queue"];

impl Loaded {
    /// Turns probes off and on again, as their modes say now.
    ///
    /// # Errors
    /// The first refusal of the kernel to attach a program. The probe stays off, and the next call tries again.
    pub(super) fn set_modes(&mut self, modes: &[(&str, Mode)]) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        for probe in PROBES.iter().filter(|probe| SWITCHED.contains(&probe.name)) {
            let mode = modes.iter().find(|(name, _)| *name == probe.name).map_or(Mode::Auto, |(_, mode)| *mode);
            let off = self.switched_off.iter().position(|off| off.probe.name == probe.name);
            match (mode, off) {
                (Mode::Off, None) => self.switch_off(probe)?,
                (Mode::Auto | Mode::On, Some(index)) => {
                    let result =
                        self.switch_on(probe, index).with_context(|| format!("attach the probe {}", probe.name));
                    outcome = outcome.and(result);
                }
                (Mode::Off, Some(_)) | (Mode::Auto | Mode::On, None) => {}
            }
            if let (Some(run_queue), "run_queue") = (&mut self.run_queue, probe.name) {
                run_queue.probe.set_continuous(mode == Mode::On);
            }
        }
        outcome
    }

    fn switch_off(&mut self, probe: &'static Probe) -> anyhow::Result<()> {
        let is_on = |status: &ProbeStatus| matches!(status.state, ProbeState::Ok | ProbeState::Degraded);
        if !self.probes.iter().any(|status| status.name == probe.name && is_on(status)) {
            return Ok(());
        }
        let mut before = Vec::new();
        for dependent in PROBES.iter().filter(|other| other.name == probe.name || other.needs.contains(&probe.name)) {
            let found = self.probes.iter_mut().find(|status| status.name == dependent.name && is_on(status));
            if let Some(status) = found {
                let why = format!("signals.{} is off; missing: {}", probe.name, dependent.without);
                let off = ProbeStatus { name: status.name.clone(), state: ProbeState::Off, why, refusal: None };
                before.push(std::mem::replace(status, off));
            }
        }
        self.switched_off.push(SwitchedOff { probe, before, generation: self.choice.generation });
        self.links.retain(|(name, _)| probe.programs.iter().all(|program| program.name != *name));
        match probe.name {
            "rtt" => {
                if let Some(rtt) = self.rtt.as_mut() {
                    rtt.pause();
                }
            }
            "run_queue" => {
                if let Some(run_queue) = self.run_queue.as_mut() {
                    run_queue.probe.pause();
                }
            }
            "responses" => {
                if let Some(reads) = self.reads.as_mut() {
                    reads.pause();
                }
                self.choice.generation = 0;
                self.choose(self.choice.mask).context("write the map .data.choice")?;
            }
            HTTP_PROBE => {
                if let Some(http) = self.http.as_mut() {
                    http.set_off(true);
                }
            }
            "dns" => {
                for answers in self.answers.iter_mut().chain(&mut self.names) {
                    answers.pause();
                }
                // Answers of the meantime are not seen.
                self.forget_lookups(|_| false).context("sweep the map LOOKUPS")?;
            }
            NAMES_PROBE => {
                if let Some(names) = self.names.as_mut() {
                    names.pause();
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// `index`: its place in the list of those that are off.
    fn switch_on(&mut self, probe: &'static Probe, index: usize) -> anyhow::Result<()> {
        match probe.name {
            "rtt" => self.rtt.as_mut().map_or(Ok(()), super::duty::RttProbe::resume)?,
            "run_queue" => self.run_queue.as_mut().map_or(Ok(()), |run_queue| run_queue.probe.resume())?,
            "responses" => {
                // Requests and answers of the meantime were not seen.
                self.choice.generation = self.switched_off[index].generation;
                self.choose(self.choice.mask).context("write the map .data.choice")?;
                self.reads.as_mut().map_or(Ok(()), super::duty::WindowedProbe::resume)?;
            }
            HTTP_PROBE => {
                if let Some(http) = self.http.as_mut() {
                    http.set_off(false);
                }
            }
            "dns" => {
                self.answers.as_mut().map_or(Ok(()), super::duty::WindowedProbe::resume)?;
                if !self.switched_off.iter().any(|off| off.probe.name == NAMES_PROBE) {
                    self.names.as_mut().map_or(Ok(()), super::duty::WindowedProbe::resume)?;
                }
            }
            NAMES_PROBE => self.names.as_mut().map_or(Ok(()), super::duty::WindowedProbe::resume)?,
            _ => {}
        }
        for program in probe.programs {
            let is_attached =
                WINDOWED.contains(&program.name) || self.links.iter().any(|(name, _)| *name == program.name);
            let Some(loaded) = self.ebpf.program_mut(program.name).filter(|loaded| loaded.fd().is_ok()) else {
                continue;
            };
            if !is_attached && !super::duty::RTT_PROGRAM.eq(program.name) {
                let link = link(program.name, loaded, self.cgroup.as_ref())?;
                self.links.extend(link.map(|link| (program.name, link)));
            }
        }
        for before in self.switched_off.remove(index).before {
            if let Some(status) = self.probes.iter_mut().find(|status| status.name == before.name) {
                *status = before;
            }
        }
        Ok(())
    }
}
