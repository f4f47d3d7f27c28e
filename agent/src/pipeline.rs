//! From snapshot to judged view: the pure steps of a tick, the same for a running kernel and for a recording.

use crate::{
    api::MemoryLevel,
    cgroup::standalone_subject,
    config::{Config, Switch},
    hints::{Engine, Thresholds},
    join::{Join, JoinLimits},
    peers::{PeerTable, Translations},
    pods::PodIndex,
    sample::Snapshot,
    state::NodeView,
};
use std::{sync::Arc, time::Duration};

/// Join and hints.
pub struct Pipeline {
    join: Join,
    engine: Engine,
    thresholds: Thresholds,
}

impl Pipeline {
    /// A pipeline without any snapshot yet. `node` is this Node's name.
    pub fn new(node: &str, config: &Config) -> Self {
        Self {
            join: Join::new(node, config.sampling.window_seconds(), limits(config), standalone_subject),
            engine: Engine::new(node),
            thresholds: thresholds(&config.thresholds),
        }
    }

    /// Applies the settings that may change while running.
    pub fn configure(&mut self, config: &Config) {
        self.thresholds = thresholds(&config.thresholds);
        self.join.configure(config.sampling.window_seconds(), limits(config));
        self.join.set_http_off(config.signals.http() == Switch::Off);
        self.join.set_names_off(config.signals.dns_names() == Switch::Off);
    }

    /// Replaces the peer table.
    pub fn set_peers(&mut self, peers: Arc<PeerTable>) {
        self.join.set_peers(peers);
    }

    /// Names Pods by the API server's objects from now on. `now` is monotonic.
    pub fn set_pods(&mut self, pods: Arc<PodIndex>, now: Duration) {
        self.join.set_pods(pods, now);
    }

    /// Replaces the Service addresses that the kernel translated.
    pub fn set_translations(&mut self, translations: Arc<Translations>) {
        self.join.set_translations(translations);
    }

    /// How near the agent is to its memory limit, from now on.
    pub fn set_memory_level(&mut self, level: MemoryLevel) {
        self.join.set_memory_level(level);
    }

    /// Sets the names of the kernel's drop reasons.
    pub fn set_drop_reasons(&mut self, names: Arc<Vec<String>>) {
        self.join.set_drop_reasons(names);
    }

    /// The first view of a replay that begins in the midst of a run: all that the snapshot counts was before.
    pub fn begin(&mut self, snapshot: &Snapshot) -> NodeView {
        self.join.begin(snapshot)
    }

    /// The next view, without hints. [`Pipeline::judge`] must follow.
    pub fn join(&mut self, snapshot: &Snapshot) -> NodeView {
        self.join.take(snapshot)
    }

    /// Adds hints and baselines to the newest view.
    pub fn judge(&mut self, view: &mut NodeView) {
        view.hints = self.engine.tick(view, &self.thresholds);
        view.hints_total.clone_from(self.engine.totals());
        view.firing = self.engine.firing();
        self.engine.add_baselines(view, &self.thresholds);
    }

    /// The next view, judged.
    pub fn take(&mut self, snapshot: &Snapshot) -> NodeView {
        let mut view = self.join(snapshot);
        self.judge(&mut view);
        view
    }
}

/// The configured limits, as `join` takes them.
fn limits(config: &Config) -> JoinLimits {
    let most = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    JoinLimits {
        edges: most(config.limits.edges_in_view()),
        gone: config.limits.gone_seconds(),
        gone_subjects: most(config.limits.gone_subjects()),
        peer_nodes: most(config.limits.peer_nodes()),
    }
}

/// The configured thresholds, as the rules take them.
fn thresholds(configured: &crate::config::Thresholds) -> Thresholds {
    let t = configured;
    Thresholds {
        loss_ratio: t.loss_ratio(),
        min_segments: t.min_segments(),
        receiver_limited_share: t.receiver_limited_share(),
        send_buffer_limited_share: t.send_buffer_limited_share(),
        throttled_share: t.throttled_share(),
        accept_drops: t.accept_drops(),
        connect_failures: t.connect_failures(),
        connect_failure_share: t.connect_failure_share(),
        syn_retransmits: t.syn_retransmits(),
        rtt_inflation: t.rtt_inflation(),
        rtt_floor_ms: t.rtt_floor_ms(),
        think_time_ms: t.think_time_ms(),
        dns_slow_ms: t.dns_slow_ms(),
        enter_windows: u32::try_from(t.enter_windows()).unwrap_or(u32::MAX),
        leave_windows: u32::try_from(t.leave_windows()).unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests;
