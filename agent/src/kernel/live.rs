//! Settings that running programs take over, and cgroups that are exempt from sampling for a while.

use super::{
    attach::{online_cpus, rtt_limits},
    http_sampling::shares,
    loaded::Loaded,
    settings::Rates,
    steering,
};
use aya::maps::{HashMap, MapData, MapError};
use netwhy_abi::Shares;
use std::collections::BTreeSet;

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
        if let Some(http) = &mut self.http {
            http.configure(shares(rates));
        }
    }

    /// Tells the programs which exchanges and connections to sample for HTTP, and begins a period of observation, because
    /// connections are drawn once. `None`: they know it. An attempt that the kernel refuses is made again the next time.
    pub(super) fn sample_http(&mut self) -> Option<anyhow::Result<()>> {
        let due = self.http.as_ref()?.due()?;
        Some(self.set_shares(due))
    }

    fn set_shares(&mut self, shares: Shares) -> anyhow::Result<()> {
        steering::set_shares(&mut self.ebpf, shares)?;
        self.choose(self.choice.mask)?;
        if let Some(http) = &mut self.http {
            http.note(shares);
        }
        Ok(())
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
