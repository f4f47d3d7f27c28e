//! From the configuration to the settings of the kernel side.

use crate::{
    cgroup::FactsPace,
    config::{Config, RunQueue, Signals, Switch},
    kernel::{Mode, Rates, SourceSettings},
};
use std::time::Duration;

/// How often the ports of an address are ranked.
const RANK_PORTS: Duration = Duration::from_secs(10);
/// Share of a tick that reading cgroup files may take.
const FACTS_SHARE: f64 = 0.003;

/// Sampling rates of the kernel programs.
pub(crate) fn rates(config: &Config) -> Rates {
    let sampling = &config.sampling;
    Rates {
        rtt_every: u32::try_from(sampling.rtt_every()).unwrap_or(u32::MAX),
        rtt_duty_above: sampling.rtt_windows_above(),
        rtt_low_duty_above: sampling.rtt_rare_above(),
        churn_above: sampling.churn_above(),
        dns_above: sampling.dns_above(),
        http_share: sampling.http(),
        grpc_share: sampling.grpc(),
    }
}

/// Pace and limits of snapshots.
pub(crate) fn source_settings(config: &Config) -> SourceSettings {
    let sampling = &config.sampling;
    SourceSettings {
        walk_min_interval: sampling.walk_seconds(),
        walk_max_interval: sampling.walk_max_seconds(),
        walk_cpu_share: sampling.walk_cpu_share(),
        edge_idle: config.limits.edge_idle_seconds(),
        rank_ports: RANK_PORTS,
    }
}

/// Pace of reading the cgroup files, and whether they are read.
pub(crate) fn facts_pace(config: &Config) -> FactsPace {
    let sampling = &config.sampling;
    FactsPace {
        every: sampling.facts_seconds(),
        budget: sampling.tick_seconds().mul_f64(FACTS_SHARE),
        is_on: config.signals.cgroup_files() != Switch::Off,
    }
}

/// Whether each probe is wanted, by its name.
pub(crate) fn probe_modes(signals: &Signals) -> [(&'static str, Mode); 12] {
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
        ("dns_names", mode(signals.dns_names())),
        ("accept_queue", mode(signals.accept_queue())),
        ("run_queue", run_queue),
    ]
}
