//! Settings that running programs take over, and cgroups that are exempt from sampling for a while.

use super::{
    attach::{online_cpus, rtt_limits},
    load::Loaded,
    settings::Rates,
};
use aya::maps::{HashMap, MapData, MapError};
use netwhy_abi::{Control, Sampling};
use std::collections::BTreeSet;

/// Segments without a sample after which a socket counts as older than the agent, per segment of the sampling distance.
const UNSEEN: u32 = 256;

/// RTT sampling, as the programs know it.
#[derive(Clone, Copy, Debug)]
pub(super) struct RttSampling {
    every: u32,
    /// Largest distance so far. `None`: sampled sockets are not marked.
    largest: Option<u32>,
}

impl RttSampling {
    /// `marks_sockets`: sampled sockets get storage.
    pub(super) fn new(every: u32, marks_sockets: bool) -> Self {
        Self { every, largest: marks_sockets.then_some(every.max(1)) }
    }

    fn set_every(&mut self, every: u32) {
        self.every = every;
        self.largest = self.largest.map(|largest| largest.max(every));
    }

    /// The record that steers the programs, with this sampling.
    pub(super) fn put(&self, control: Control) -> Control {
        let Sampling { threshold, is_sparse } = Sampling::new(self.every);
        let unseen_segments = self.largest.map_or(u32::MAX, |every| every.saturating_mul(UNSEEN));
        Control { rtt_threshold: threshold, rtt_sparse: is_sparse, unseen_segments, ..control }
    }
}

impl Loaded {
    /// Takes over other rates. The programs learn them with the next record.
    pub(super) fn configure(&mut self, rates: &Rates) {
        self.sampling.set_every(rates.rtt_every);
        if let Some(rtt) = &mut self.rtt {
            rtt.configure(rates.rtt_every, rtt_limits(rates));
        }
        if let Some(handshakes) = &mut self.handshakes {
            handshakes.configure(rates.churn_above.saturating_mul(online_cpus()));
        }
        self.lookups.configure(rates.dns_above.saturating_mul(online_cpus()));
    }

    /// Exempts the sockets of these cgroups from sampling, and those of no others: all their connections have response
    /// times, and all their segments give RTT samples. The RTT probe is attached all the time meanwhile.
    ///
    /// # Errors
    /// The kernel's refusal. The next call tries again.
    pub(super) fn set_close_ups(&mut self, cgroups: &BTreeSet<u64>) -> anyhow::Result<()> {
        if *cgroups == self.close_ups {
            return Ok(());
        }
        let map = self.ebpf.map_mut("CLOSE_UPS").ok_or_else(|| anyhow::anyhow!("the object has no map CLOSE_UPS"))?;
        let mut map: HashMap<&mut MapData, u64, u32> = map.try_into()?;
        for id in self.close_ups.difference(cgroups) {
            match map.remove(id) {
                Ok(()) | Err(MapError::KeyNotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        for id in cgroups.difference(&self.close_ups) {
            map.insert(id, 1, 0)?;
        }
        self.close_ups.clone_from(cgroups);
        if let Some(rtt) = &mut self.rtt {
            rtt.hold(!cgroups.is_empty());
        }
        self.choose(self.choice.mask)
    }
}

#[cfg(test)]
mod tests;
