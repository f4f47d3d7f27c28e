//! Limits of the rules that an operator may change.

use serde::{Deserialize, Serialize};

/// Limits of the rules. Floors that physics dictates are constants beside their rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// Loss episodes per data segment from which loss matters, 0 … 1.
    pub loss_ratio: f64,
    /// Data segments that a loss ratio needs, on one edge or pooled over small ones.
    pub min_segments: u64,
    /// Share of the busy time held back by the peer's window, 0 … 1.
    pub receiver_limited_share: f64,
    /// Share of the busy time held back by the local send buffer, 0 … 1.
    pub send_buffer_limited_share: f64,
    /// Share of CPU bandwidth periods that were throttled, 0 … 1.
    pub throttled_share: f64,
    /// Connections turned away by a full accept queue per window.
    pub accept_drops: u64,
    /// Failed connection attempts per window.
    pub connect_failures: u64,
    /// Failed attempts per attempt, 0 … 1.
    pub connect_failure_share: f64,
    /// SYNs sent again per window.
    pub syn_retransmits: u64,
    /// Median RTT as a multiple of its baseline.
    pub rtt_inflation: f64,
    /// Rise of the minimum RTT that is still called unchanged, ms: tiny RTTs break ratios.
    pub rtt_floor_ms: f64,
    /// Distance between median and minimum RTT from which the peer's think time matters, ms.
    pub think_time_ms: f64,
    /// Duration below which a DNS lookup is never slow, ms.
    pub dns_slow_ms: f64,
    /// Positive windows among the last three that begin a hint, 1 … 3.
    pub enter_windows: u32,
    /// Clean windows in a row that end it.
    pub leave_windows: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            loss_ratio: 0.002,
            min_segments: 200,
            receiver_limited_share: 0.5,
            send_buffer_limited_share: 0.5,
            throttled_share: 0.1,
            accept_drops: 10,
            connect_failures: 3,
            connect_failure_share: 0.5,
            syn_retransmits: 3,
            rtt_inflation: 3.0,
            rtt_floor_ms: 1.0,
            think_time_ms: 5.0,
            dns_slow_ms: 100.0,
            enter_windows: 2,
            leave_windows: 6,
        }
    }
}
