//! RTT sampling: the distance of samples, and what the programs must know of it.

use netwhy_abi::{Control, Sampling};

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

    pub(super) fn set_every(&mut self, every: u32) {
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

#[cfg(test)]
mod tests;
