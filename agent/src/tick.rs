//! The tick: one thread reads the kernel, joins, judges and publishes. It is the only writer of the view.

mod memory;
mod settings;

pub(crate) use memory::MemoryWatch;
pub(crate) use settings::{facts_pace, probe_modes, rates, source_settings};

use crate::{
    api::{AgentStats, ConfigReloads, HintState, MemoryLevel, Privileges, StageTime, TickStats},
    budget::{Budget, Load, cpus},
    cgroup::FactsHandle,
    clock::unix_ms,
    close_up::{self, Moment},
    config::{Config, ReloadCounters},
    history::{Names, Recorder},
    kernel::{self, KernelSource},
    peers::{PeerTable, Peers, Translations, peer_table},
    pipeline::Pipeline,
    pods::Pods,
    sample::{CgroupFacts, SampleSource as _, Snapshot},
    state::NodeView,
    tasks::Stopped,
};
use std::{
    collections::HashMap,
    net::Ipv6Addr,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Program statistics are expensive to read: they are read once in this many ticks.
const PROGRAM_STATS_EVERY: u64 = 10;
/// Time from the first tick to the second. The second completes the first window, and the agent is ready.
const FIRST_INTERVAL: Duration = Duration::from_millis(200);
/// Longest sleep before the thread checks whether it must stop.
const STOP_CHECK: Duration = Duration::from_millis(100);
/// Stages of a tick, in their order.
const STAGES: [&str; 5] = ["read", "join", "hints", "publish", "record"];

/// Reads the cgroup files at a monotonic time: of the given cgroups, and of all that exist.
pub type CgroupFactsFn = Box<dyn FnMut(Duration, &[u64]) -> Vec<CgroupFacts> + Send>;

/// A source of snapshots over this machine's kernel.
pub type Source = KernelSource<CgroupFactsFn>;

/// The newest state of the watches of the API server.
pub struct Cluster {
    /// This Node's Pods.
    pub pods: watch::Receiver<Arc<Pods>>,
    /// The cluster's Nodes. `None`: not watched.
    pub peers: Option<watch::Receiver<Arc<Peers>>>,
    /// Service addresses that the kernel translated. `None`: not read.
    pub translations: Option<watch::Receiver<Arc<Translations>>>,
}

/// Inputs that may change between two ticks.
pub struct Inputs {
    /// The configuration.
    pub config: watch::Receiver<Arc<Config>>,
    /// `None`: without Kubernetes.
    pub cluster: Option<Cluster>,
    /// This machine's addresses.
    pub own_addresses: Vec<(Ipv6Addr, u8)>,
    /// Readings of the configuration file.
    pub reloads: Arc<ReloadCounters>,
    /// Age of the newest facts about cgroups, and the pace of their readings.
    pub facts: FactsHandle,
}

/// Where a tick publishes.
pub struct Outputs {
    /// The view.
    pub view: watch::Sender<Arc<NodeView>>,
    /// The agent's own status.
    pub stats: watch::Sender<Arc<AgentStats>>,
    /// The flight recorder. `None`: nothing is recorded.
    pub recorder: Option<Recorder>,
}

/// The tick's state.
pub struct Tick {
    source: Source,
    pipeline: Pipeline,
    inputs: Inputs,
    outputs: Outputs,
    stats: AgentStats,
    memory: MemoryWatch,
    /// Pods that ask to be exempt from sampling.
    close_ups: close_up::Requests,
    /// Version of the peers that the present table was built from.
    peers_version: u64,
    /// Time of the newest snapshot, monotonic.
    last: Option<Duration>,
    /// Names that the newest snapshot is read with, for the flight recorder.
    names: Names,
}

impl Tick {
    /// The agent's own status before the first tick.
    pub fn initial_stats(node: &str, source: &Source, privileges: Privileges) -> AgentStats {
        let stages = STAGES.map(|stage| StageTime { stage: stage.to_owned(), seconds: 0.0 }).to_vec();
        AgentStats {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            kernel: kernel::release().1,
            node: node.to_owned(),
            started_unix_ms: unix_ms(),
            privileges,
            attached: true,
            probes: source.loaded().probes.clone(),
            ticks: TickStats { stages, ..TickStats::default() },
            ..AgentStats::default()
        }
    }

    /// Ready to run. The peers are the pipeline's.
    pub(crate) fn new(
        source: Source,
        (mut pipeline, peers): (Pipeline, Arc<PeerTable>),
        inputs: Inputs,
        outputs: Outputs,
        memory: MemoryWatch,
    ) -> Self {
        let mut names = Names { peers, ..Names::default() };
        if let Some(cluster) = &inputs.cluster {
            names.pods = Some(cluster.pods.borrow().index.clone());
            // Until the API server responds, Pods have no names, and get none from their cgroups' paths.
            pipeline.set_pods(cluster.pods.borrow().index.clone(), Duration::ZERO);
        }
        let stats = AgentStats::clone(&outputs.stats.borrow());
        let close_ups = close_up::Requests::default();
        Self { source, pipeline, inputs, outputs, stats, memory, close_ups, peers_version: 0, last: None, names }
    }

    /// Ticks until stopped.
    ///
    /// # Errors
    /// When the kernel's maps can't be read any more.
    pub fn run(mut self, stopped: &Stopped) -> anyhow::Result<()> {
        let mut next = Instant::now();
        while !stopped.is_stopped() {
            self.apply_inputs();
            self.once()?;
            let interval = self.inputs.config.borrow().sampling.tick_seconds();
            let is_first = self.stats.ticks.samples == 1;
            next += if is_first { interval.min(FIRST_INTERVAL) } else { interval };
            // A tick that is late by more than an interval is not made up for. It counts as blind time.
            next = next.max(Instant::now());
            while !stopped.is_stopped() && Instant::now() < next {
                std::thread::sleep(next.saturating_duration_since(Instant::now()).min(STOP_CHECK));
            }
        }
        Ok(())
    }

    /// Applies what changed: the configuration, the Pods, the peers.
    fn apply_inputs(&mut self) {
        let config_changed = self.inputs.config.has_changed().unwrap_or(false);
        let config = self.inputs.config.borrow_and_update().clone();
        if config_changed {
            self.configure(&config);
        }
        let peers = self.apply_cluster();
        let version = peers.as_ref().map_or(0, |peers| peers.version);
        if config_changed || version != self.peers_version {
            self.peers_version = version;
            self.set_peers(&config, peers.as_deref());
        }
    }

    fn configure(&mut self, config: &Config) {
        self.pipeline.configure(config);
        self.source.configure(&rates(config), source_settings(config), &probe_modes(&config.signals));
        self.inputs.facts.set_pace(facts_pace(config));
        let states = self.source.loaded().states;
        self.memory.set_budget(Budget::new(config, cpus()).with_states(states));
    }

    /// Applies the state of the watches. Returns the cluster's Nodes. `None`: they are not watched.
    fn apply_cluster(&mut self) -> Option<Arc<Peers>> {
        let cluster = self.inputs.cluster.as_mut()?;
        let pods_changed = cluster.pods.has_changed().unwrap_or(false);
        let pods = Pods::clone(&cluster.pods.borrow_and_update());
        if pods_changed {
            self.names.pods = Some(pods.index.clone());
            self.pipeline.set_pods(pods.index.clone(), kernel::monotonic());
        }
        self.stats.pods_complete = Some(pods.status.complete);
        self.stats.watches = [pods.status].into_iter().chain(pods.events).collect();
        if let Some(receiver) = &mut cluster.translations
            && receiver.has_changed().unwrap_or(false)
        {
            self.names.translations = receiver.borrow_and_update().clone();
            self.pipeline.set_translations(self.names.translations.clone());
        }
        let peers = cluster.peers.as_mut()?.borrow_and_update().clone();
        self.stats.watches.extend(peers.watches.iter().cloned());
        self.stats.own_node_exists = peers.own_node_exists;
        Some(peers)
    }

    fn set_peers(&mut self, config: &Config, peers: Option<&Peers>) {
        let table = peer_table(&config.peers, &self.inputs.own_addresses, &self.stats.node, peers);
        let most = usize::try_from(config.limits.prefixes()).unwrap_or(usize::MAX);
        let (prefixes, excess) = table.class_prefixes(most);
        if excess > 0 {
            tracing::warn!(
                excess,
                "more peer ranges than limits.prefixes: overflow rows count traffic to the narrowest ranges in the \
                 class of the next wider range; raise limits.prefixes"
            );
        }
        self.source.set_prefixes(prefixes);
        self.names.peers = Arc::new(table);
        self.pipeline.set_peers(self.names.peers.clone());
    }

    /// One tick. Only this function times its stages.
    fn once(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        let headroom = self.memory.follow(&mut self.stats);
        if let Err(error) = self.source.set_headroom(&headroom) {
            tracing::warn!("the bound on socket storage is unchanged: {error:#}");
        }
        self.pipeline.set_memory_level(headroom.level);
        let Some(snapshot) = self.source.sample()? else { return Ok(()) };
        self.follow_close_ups(&snapshot, headroom.level);
        let read = began.elapsed();
        self.count_blind_time(snapshot.at);
        let mut view = self.pipeline.join(&snapshot);
        let joined = began.elapsed();
        self.pipeline.judge(&mut view);
        let judged = began.elapsed();
        log_changed_hints(&self.outputs.view.borrow(), &view);
        let logged = began.elapsed();
        let view = Arc::new(view);
        self.outputs.view.send_replace(view.clone());
        let published = began.elapsed();
        if let Some(recorder) = &mut self.outputs.recorder {
            recorder.take(&snapshot, &self.names, &view.hints);
        }
        let recorded = began.elapsed() - published;
        self.add_stage_times([read, joined - read, judged - joined, published - logged, recorded]);
        self.update_stats();
        self.stats.ticks.last_seconds = Some(began.elapsed().as_secs_f64());
        self.outputs.stats.send_replace(Arc::new(self.stats.clone()));
        Ok(())
    }

    /// Exempts the Pods from sampling that ask for it. Each of their sockets takes memory: near the limit none is exempt.
    fn follow_close_ups(&mut self, snapshot: &Snapshot, level: MemoryLevel) {
        let Some(cluster) = &self.inputs.cluster else { return };
        let pods = cluster.pods.borrow().index.clone();
        let most = match level {
            MemoryLevel::Ok => self.inputs.config.borrow().sampling.close_ups(),
            MemoryLevel::Near | MemoryLevel::Critical => 0,
        };
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let now = Moment { at: snapshot.at, unix_ms: snapshot.unix_ms };
        self.close_ups.follow(&pods, most, now);
        self.source.set_close_ups(&self.close_ups.cgroups(&pods, &snapshot.groups));
        self.stats.close_ups = Some(self.close_ups.stats().clone());
    }

    /// Counts the time in which a snapshot was due and none was taken.
    fn count_blind_time(&mut self, now: Duration) {
        let interval = self.inputs.config.borrow().sampling.tick_seconds();
        let Some(last) = self.last.replace(now) else { return };
        let late = now.saturating_sub(last).saturating_sub(interval);
        if late > interval {
            self.stats.ticks.blind_seconds += late.as_secs_f64();
        }
    }

    fn add_stage_times(&mut self, times: [Duration; STAGES.len()]) {
        for (stage, time) in self.stats.ticks.stages.iter_mut().zip(times) {
            stage.seconds += time.as_secs_f64();
        }
    }

    fn update_stats(&mut self) {
        let (stats, reloads) = (&mut self.stats, &self.inputs.reloads);
        stats.ticks.samples += 1;
        let loaded = self.source.loaded();
        stats.probes.clone_from(&loaded.probes);
        stats.rtt = loaded.rtt_stats();
        stats.churn = loaded.handshake_stats();
        stats.walk = self.source.walk_stats();
        stats.kernel_errors = self.source.kernel_errors();
        stats.cgroup_age_seconds = self.inputs.facts.age.get().map(|age| age.as_secs_f64());
        stats.maps = self.source.map_fill().to_vec();
        if stats.ticks.samples % PROGRAM_STATS_EVERY == 1 {
            stats.programs = self.source.read_program_runs();
        }
        stats.history = self.outputs.recorder.as_ref().map(Recorder::stats);
        stats.config_reloads =
            ConfigReloads { ok: reloads.ok.load(Ordering::Relaxed), failed: reloads.failed.load(Ordering::Relaxed) };
        stats.process = memory::process();
        self.update_memory();
    }

    /// States the memory that the present load needs, and what was shed.
    fn update_memory(&mut self) {
        let view = self.outputs.view.borrow().clone();
        let stats = &mut self.stats;
        let rows = |name: &str| stats.maps.iter().find(|map| map.name == name).map_or(0, |map| map.entries);
        let watched =
            |name: &str| stats.watches.iter().find(|watch| watch.name == name).map_or(0, |watch| watch.objects);
        let gone = view.subjects.iter().filter(|subject| subject.gone_since.is_some()).count();
        let load = Load {
            sockets: stats.walk.map_or(0, |walk| walk.sockets),
            cgroups: self.source.cgroups() as u64,
            edges: rows("edges"),
            scrapers: u64::MAX,
            gone_subjects: gone as u64,
            pods: watched("pods"),
            nodes: watched("nodes"),
        };
        stats.memory.sockets_without_storage = stats.walk.map_or(0, |walk| walk.without_storage);
        stats.memory.folded_subjects = view.folded.as_ref().map_or(0, |folded| folded.subjects);
        self.memory.update(&load, &mut stats.memory);
        self.memory.give_back(kernel::monotonic(), stats.memory.level);
    }
}

/// Logs hints that opened or closed with this view.
fn log_changed_hints(old: &NodeView, new: &NodeView) {
    let before: HashMap<&str, HintState> = old.hints.iter().map(|hint| (hint.id.as_str(), hint.state)).collect();
    for hint in &new.hints {
        if before.get(hint.id.as_str()) != Some(&hint.state) {
            let subject = format!("{}/{}", hint.subject.namespace, hint.subject.name);
            tracing::info!(
                state = ?hint.state, cause = hint.cause, subject, blame = hint.blame.kind.label(),
                name = hint.blame.name, confidence = hint.confidence, "{}", hint.summary
            );
        }
    }
}
