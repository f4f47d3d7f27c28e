//! The tick: one thread reads the kernel, joins, judges and publishes. The only writer of the view.

use crate::{
    app::Source,
    config::Config,
    kernel::{self, ProbeState as State},
    metrics::{
        AgentStats, ChurnWatch, ConfigReloads, MapFill, Privileges, ProbeState, ProbeVerdict, ProcessStats, ProgramRun,
        RttWatch, StageTime, TickStats, WalkStats,
    },
    peers::{Peers, Translations},
    pipeline::{Pipeline, peer_table},
    pods::Pods,
    sample::SampleSource as _,
    state::NodeView,
    tasks::Stopped,
};
use std::{
    net::Ipv6Addr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Ticks between two looks at what is dear to ask for: program statistics.
const RARELY: u64 = 10;
/// From the first tick to the second.
const FIRST: Duration = Duration::from_millis(200);

/// Readings of the configuration file.
#[derive(Debug, Default)]
pub struct Reloads {
    /// Taken over.
    pub ok: AtomicU64,
    /// Refused.
    pub failed: AtomicU64,
}

/// A configuration file and its bytes when last read.
#[derive(Debug)]
pub struct Watched {
    path: PathBuf,
    bytes: Vec<u8>,
    unreadable: bool,
}

impl Watched {
    /// A file that was just read.
    pub fn new(path: PathBuf, bytes: Vec<u8>) -> Self {
        Self { path, bytes, unreadable: false }
    }

    /// Reads the file again if its bytes changed. `None`: they did not. `Err`: mistakes, one a line; each state of the
    /// file is reported once.
    pub fn changed(&mut self) -> Option<Result<Config, String>> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if !self.unreadable => {
                self.unreadable = true;
                return Some(Err(format!("read {}: {error}", self.path.display())));
            }
            Err(_) => return None,
        };
        self.unreadable = false;
        if bytes == self.bytes {
            return None;
        }
        match Config::load(&self.path) {
            Ok((config, bytes)) => {
                self.bytes = bytes;
                Some(Ok(config))
            }
            Err(errors) => {
                self.bytes = bytes;
                Some(Err(errors.to_string()))
            }
        }
    }
}

/// What the API server says, as far as it was heard.
pub struct Cluster {
    /// This Node's Pods.
    pub pods: watch::Receiver<Arc<Pods>>,
    /// The cluster's Nodes. `None`: not watched.
    pub peers: Option<watch::Receiver<Arc<Peers>>>,
    /// What the kernel translated. `None`: not read.
    pub translations: Option<watch::Receiver<Arc<Translations>>>,
}

/// Where a tick's results go.
pub struct Outlet {
    /// What was measured.
    pub view: watch::Sender<Arc<NodeView>>,
    /// How the agent fares.
    pub stats: watch::Sender<Arc<AgentStats>>,
}

/// Everything that the tick works with.
pub struct Tick {
    source: Source,
    pipeline: Pipeline,
    config: watch::Receiver<Arc<Config>>,
    view: watch::Sender<Arc<NodeView>>,
    published: watch::Sender<Arc<AgentStats>>,
    own: Vec<(Ipv6Addr, u8)>,
    cluster: Option<Cluster>,
    /// Version of the peers that the table in use was made from.
    peers_version: u64,
    reloads: Arc<Reloads>,
    stats: AgentStats,
    last: Option<Duration>,
}

impl Tick {
    /// The agent's figures before the first tick.
    pub fn initial_stats(node: &str, source: &Source, privileges: Privileges) -> AgentStats {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        AgentStats {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            kernel: kernel::release().1,
            node: node.to_owned(),
            started_unix_ms: now.as_millis() as u64,
            privileges,
            attached: true,
            probes: source.loaded().probes.iter().map(verdict).collect(),
            ticks: TickStats {
                stages: ["read", "join", "hints", "publish"]
                    .map(|stage| StageTime { stage: stage.to_owned(), seconds: 0.0 })
                    .to_vec(),
                ..TickStats::default()
            },
            ..AgentStats::default()
        }
    }

    /// Ready to run.
    pub fn new(
        source: Source,
        mut pipeline: Pipeline,
        config: watch::Receiver<Arc<Config>>,
        outlet: Outlet,
        own: Vec<(Ipv6Addr, u8)>,
        cluster: Option<Cluster>,
        reloads: Arc<Reloads>,
    ) -> Self {
        let Outlet { view, stats: published } = outlet;
        if let Some(cluster) = &cluster {
            // Before the API server's first word: Pods have no names yet, and get none from their cgroups' paths.
            pipeline.set_pods(cluster.pods.borrow().index.clone(), Duration::ZERO);
        }
        let stats = AgentStats::clone(&published.borrow());
        let peers_version = 0;
        Self { source, pipeline, config, view, published, own, cluster, peers_version, reloads, stats, last: None }
    }

    /// Ticks until stopped.
    ///
    /// # Errors
    /// When the kernel's maps can't be read any more.
    pub fn run(mut self, stopped: &Stopped) -> anyhow::Result<()> {
        let mut next = Instant::now();
        while !stopped.is_stopped() {
            self.configure();
            self.once()?;
            let every = self.config.borrow().sampling.tick_seconds;
            // The second tick follows soon: with it there is a first window, and the agent is ready.
            next += if self.stats.ticks.samples == 1 { every.min(FIRST) } else { every };
            // Late by more than a tick: no catching up, the missed ones are counted as blind time.
            next = next.max(Instant::now());
            while !stopped.is_stopped() && Instant::now() < next {
                std::thread::sleep(next.saturating_duration_since(Instant::now()).min(Duration::from_millis(100)));
            }
        }
        Ok(())
    }

    /// Takes over what changed: the configuration, the Pods, the peers.
    fn configure(&mut self) {
        let changed = self.config.has_changed().unwrap_or(false);
        let config = self.config.borrow_and_update().clone();
        if changed {
            self.pipeline.configure(&config);
        }
        let mut peers = None;
        if let Some(cluster) = &mut self.cluster {
            let pods_changed = cluster.pods.has_changed().unwrap_or(false);
            let pods = Pods::clone(&cluster.pods.borrow_and_update());
            if pods_changed {
                self.pipeline.set_pods(pods.index.clone(), kernel::monotonic());
            }
            self.stats.pods_complete = Some(pods.status.complete);
            self.stats.watches = [pods.status].into_iter().chain(pods.events).collect();
            if let Some(receiver) = &mut cluster.translations
                && receiver.has_changed().unwrap_or(false)
            {
                self.pipeline.set_translations(receiver.borrow_and_update().clone());
            }
            if let Some(receiver) = &mut cluster.peers {
                let now = receiver.borrow_and_update().clone();
                self.stats.watches.extend(now.watches.iter().cloned());
                self.stats.own_node_exists = now.own_node_exists;
                peers = Some(now);
            }
        }
        let version = peers.as_ref().map_or(0, |peers| peers.version);
        if changed || version != self.peers_version {
            self.peers_version = version;
            self.set_peers(&config, peers.as_deref());
        }
    }

    fn set_peers(&mut self, config: &Config, peers: Option<&Peers>) {
        let node = self.stats.node.clone();
        let table = peer_table(config, &self.own, &node, peers);
        let most = usize::try_from(config.limits.prefixes).unwrap_or(usize::MAX);
        let (prefixes, over) = table.class_prefixes(most);
        if over > 0 {
            tracing::warn!(
                over,
                "more peer ranges than limits.prefixes: beyond limits.edges, traffic to the narrowest counts with their wider \
                 range's class"
            );
        }
        if let Err(error) = self.source.loaded_mut().set_prefixes(&prefixes) {
            tracing::error!("the kernel's peer ranges were kept as they were: {error:#}");
        }
        self.pipeline.set_peers(Arc::new(table));
    }

    fn once(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        let Some(snapshot) = self.source.sample()? else { return Ok(()) };
        let read = began.elapsed().as_secs_f64();
        let every = self.config.borrow().sampling.tick_seconds;
        if let Some(last) = self.last.replace(snapshot.at) {
            let late = snapshot.at.saturating_sub(last).saturating_sub(every);
            if late > every {
                self.stats.ticks.blind_seconds += late.as_secs_f64();
            }
        }
        let (view, stages) = self.pipeline.take(&snapshot);
        log_new_hints(&self.view.borrow(), &view);
        let publishing = Instant::now();
        self.view.send_replace(Arc::new(view));
        self.update(read, stages.join, stages.hints, publishing.elapsed().as_secs_f64());
        self.stats.ticks.last_seconds = Some(began.elapsed().as_secs_f64());
        self.published.send_replace(Arc::new(self.stats.clone()));
        Ok(())
    }

    fn update(&mut self, read: f64, join: f64, hints: f64, publish: f64) {
        let stats = &mut self.stats;
        for (stage, seconds) in stats.ticks.stages.iter_mut().zip([read, join, hints, publish]) {
            stage.seconds += seconds;
        }
        stats.ticks.samples += 1;
        stats.probes = self.source.loaded().probes.iter().map(verdict).collect();
        let walk = self.source.walk_stats();
        stats.walk = (walk.walks > 0).then_some(WalkStats {
            sockets: walk.sockets,
            listeners: walk.listeners,
            seconds: walk.seconds,
            interval_seconds: walk.interval_seconds,
        });
        stats.rtt = self.source.loaded().rtt_stats().map(|rtt| RttWatch {
            segments_per_second: rtt.segments_per_second,
            in_windows: !rtt.duty_cycle.is_continuous(),
            part: rtt.duty_cycle.weight(),
            windows: rtt.periods,
            watched_seconds: rtt.attached_seconds,
        });
        stats.churn = self.source.loaded().handshake_stats().map(|churn| ChurnWatch {
            sockets_per_second: churn.sockets_per_second,
            in_part: churn.is_churn_high,
            windows: churn.periods,
            watched_seconds: churn.attached_seconds,
        });
        let fill = |map: &kernel::MapFill| MapFill {
            name: map.name.to_owned(),
            entries: map.entries,
            max_entries: map.max_entries,
            bytes: Some(map.bytes),
        };
        stats.maps = self.source.map_fill().iter().map(fill).collect();
        if stats.ticks.samples % RARELY == 1 {
            let run = |run: kernel::ProgramRun| ProgramRun {
                name: run.name.to_owned(),
                run_ns: run.run_ns,
                run_count: run.run_count,
                missed: run.missed,
            };
            stats.programs = self.source.program_runs().into_iter().map(run).collect();
        }
        stats.config_reloads = ConfigReloads {
            ok: self.reloads.ok.load(Ordering::Relaxed),
            failed: self.reloads.failed.load(Ordering::Relaxed),
        };
        stats.process = process();
    }
}

fn verdict(verdict: &kernel::ProbeStatus) -> ProbeVerdict {
    let state = match verdict.state {
        State::Ok => ProbeState::Ok,
        State::Degraded => ProbeState::Degraded,
        State::Unsupported => ProbeState::Unsupported,
        State::Off => ProbeState::Off,
        State::Broken => ProbeState::Broken,
    };
    ProbeVerdict { name: verdict.name.to_owned(), state, why: verdict.why.clone() }
}

/// Logs hints that began or ended with this view.
fn log_new_hints(old: &NodeView, new: &NodeView) {
    for hint in &new.hints {
        let before = old.hints.iter().find(|h| h.id == hint.id).map(|h| h.state);
        if before != Some(hint.state) {
            let subject = format!("{}/{}", hint.subject.namespace, hint.subject.name);
            tracing::info!(
                state = ?hint.state, cause = hint.cause, subject, blame = hint.blame.kind.label(),
                name = hint.blame.name, confidence = hint.confidence, "{}", hint.summary
            );
        }
    }
}

/// This process's memory and CPU time.
fn process() -> ProcessStats {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
    let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    ProcessStats {
        resident_bytes: pages.map(|pages| pages * rustix::param::page_size() as u64),
        cpu_seconds: Some(cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9),
    }
}
