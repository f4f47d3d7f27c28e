//! From the configuration to the settings of other rooms.

use crate::{
    config::{Config, RttBuckets, RunQueue, Signals, Switch},
    kernel::Mode,
    metrics::MetricsOptions,
};

/// Whether each probe is wanted, by its name.
pub(super) fn probe_modes(signals: &Signals) -> [(&'static str, Mode); 11] {
    let mode = |switch| match switch {
        Switch::Auto => Mode::Auto,
        Switch::On => Mode::On,
        Switch::Off => Mode::Off,
    };
    let run_queue = match signals.run_queue() {
        RunQueue::Off => Mode::Off,
        RunQueue::On => Mode::On,
        RunQueue::Pressure => Mode::Auto,
    };
    [
        ("rtt", mode(signals.rtt())),
        ("retransmits", mode(signals.retransmits())),
        ("connects", mode(signals.connects())),
        ("resets", mode(signals.resets())),
        ("sockets", mode(signals.sockets())),
        ("drops", mode(signals.drops())),
        ("responses", mode(signals.responses())),
        ("http", mode(signals.http())),
        ("dns", mode(signals.dns())),
        ("accept_queue", mode(signals.accept_queue())),
        ("run_queue", run_queue),
    ]
}

/// Options of `/metrics`.
pub(super) fn metrics_options(config: &Config) -> MetricsOptions {
    MetricsOptions {
        fine_rtt: config.labels.rtt_buckets() == RttBuckets::Fine,
        workload: config.labels.workload(),
        peer: config.labels.peer(),
        max_series: usize::try_from(config.limits.series()).unwrap_or(usize::MAX),
    }
}
