//! HTTP sampling: which shares of exchanges and connections are wanted, and which the programs know.

use super::settings::Rates;
use netwhy_abi::Shares;

/// HTTP sampling, as the programs know it.
#[derive(Clone, Copy, Debug)]
pub(super) struct HttpSampling {
    /// Shares of the configuration.
    configured: Shares,
    is_off: bool,
    known: Shares,
}

impl HttpSampling {
    /// `known`: the configured shares, which the programs know already.
    pub(super) fn new(known: Shares) -> Self {
        Self { configured: known, is_off: false, known }
    }

    /// Other shares from now on.
    pub(super) fn configure(&mut self, configured: Shares) {
        self.configured = configured;
    }

    /// Turns sampling off, or on again.
    pub(super) fn set_off(&mut self, is_off: bool) {
        self.is_off = is_off;
    }

    /// The shares that the programs must learn. `None`: they know them.
    pub(super) fn due(&self) -> Option<Shares> {
        let wanted = if self.is_off { Shares::default() } else { self.configured };
        (wanted != self.known).then_some(wanted)
    }

    /// The programs know these shares now.
    pub(super) fn note(&mut self, known: Shares) {
        self.known = known;
    }
}

/// Shares as the programs take them. The smallest share is not none.
pub(super) fn shares(rates: &Rates) -> Shares {
    let share = |share: f64| ((share * 2f64.powi(32)) as u32).max(1);
    Shares { http: share(rates.http_share), grpc: share(rates.grpc_share) }
}

#[cfg(test)]
mod tests;
