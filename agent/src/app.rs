//! Running: the only place that knows every part.

mod cluster;

use crate::{
    cgroup::{CgroupTable, FactsReader, Mounts, Reader},
    config::{Config, Exit, RunQueue, Switch, cli::Cli, reloadable},
    http,
    kernel::{self, KernelSource, Loaded, Mode, SourceSettings, Subtree},
    metrics::{MetricsOptions, Privileges},
    node::{HostPaths, HostReader},
    peers,
    pipeline::{self, Pipeline},
    privileges,
    sample::{CgroupFacts, Header, Recorder},
    state::NodeView,
    tasks::{Stop, Stopped, Tasks},
    tick::{Outlet, Reloads, Tick, Watched},
};
use anyhow::Context as _;
use std::{
    net::Ipv6Addr,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{signal::unix::SignalKind, sync::watch};

/// How long tasks may take to stop.
const GRACE: Duration = Duration::from_secs(5);
/// How often the configuration file is looked at.
const RELOAD: Duration = Duration::from_secs(2);
/// Share of a tick that reading cgroup files may take.
const FACTS_SHARE: f64 = 0.003;

/// Failure with its exit code.
#[derive(Debug)]
pub struct Failure {
    /// Exit code.
    pub exit: Exit,
    /// What happened, on one line.
    pub error: anyhow::Error,
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { exit: Exit::Failure, error: error.into() }
    }
}

impl Failure {
    /// A mistake of the one who called.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Usage, error: error.into() }
    }

    /// Something that this machine or its permissions lack.
    pub fn unsupported(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Unsupported, error: error.into() }
    }
}

/// Tells what the cgroup file system says, at a monotonic time, of these cgroups and of all that live.
type Facts = Box<dyn FnMut(Duration, &[u64]) -> Vec<CgroupFacts> + Send>;

/// A source over this machine's kernel.
pub type Source = KernelSource<Facts>;

/// Configuration from file, environment and flags. `None` bytes: no file.
///
/// # Errors
/// [`Exit::Usage`] with every mistake in the file.
pub fn configuration(cli: &Cli) -> Result<(Config, Option<Vec<u8>>), Failure> {
    let (file, bytes) = match cli.global.config_file() {
        Some(path) => Config::load(path).map(|(config, bytes)| (config, Some(bytes))).map_err(Failure::usage)?,
        None => (Config::default(), None),
    };
    Ok((crate::config::cli::effective(cli, file), bytes))
}

/// Name of this Node: configured, else the host name.
pub fn node_name(config: &Config) -> String {
    let host = || rustix::system::uname().nodename().to_string_lossy().into_owned();
    config.kube.node_name.clone().unwrap_or_else(host)
}

/// Observes this machine and serves until stopped.
///
/// # Errors
/// [`Failure`]; everything is detached then.
pub fn run(cli: &Cli) -> Result<(), Failure> {
    kernel::memory::keep_little();
    let (config, bytes) = configuration(cli)?;
    let listener = http::bind(config.http.listen)?;
    let place = cluster::place(&config)?;
    let (source, peers, privileges) = open_then_give_up(cli, &config)?;
    let runtime = runtime()?;
    let result = runtime.block_on(async {
        let node = node_name(&config);
        let cluster = match place {
            Some(place) => Some(cluster::connect(&node, &place).await?),
            None => None,
        };
        let config = Arc::new(config);
        let (config_sender, config_seen) = watch::channel(config.clone());
        let (options_sender, options) = watch::channel(metrics_options(&config));
        let (view_sender, view) = watch::channel(Arc::new(NodeView { node: node.clone(), ..NodeView::default() }));
        let stats = Tick::initial_stats(&node, &source, privileges);
        let (stats_sender, agent) = watch::channel(Arc::new(stats));
        let mut pipeline = Pipeline::new(&node, &config);
        pipeline.set_peers(Arc::new(peers));
        pipeline.set_drop_reasons(Arc::new(source.loaded().drop_reasons.clone()));
        let own = own_addresses(cli);
        let reloads = Arc::new(Reloads::default());
        let (stop, stopped) = Stop::new();
        let mut tasks = Tasks::default();
        let conntrack = config.kube.conntrack.then(|| cli.global.procfs.clone());
        if let Some(cluster) = &cluster {
            cluster::tell(&mut tasks, &stopped, cluster, &config.kube, &view);
        }
        let cluster =
            cluster.map(|cluster| cluster::watch(&mut tasks, &stopped, cluster, &node, &config.kube, conntrack));
        let outlet = Outlet { view: view_sender, stats: stats_sender };
        let tick = Tick::new(source, pipeline, config_seen, outlet, own, cluster, reloads.clone());
        let ticking = stopped.clone();
        tasks.spawn_blocking("tick", move || tick.run(&ticking));
        let shared = http::Shared { view, agent, options };
        tasks.spawn("http", http::serve(listener, shared, stopped.clone().wait()));
        if let (Some(path), Some(bytes)) = (cli.global.config.clone(), bytes) {
            let watched = Watched::new(path, bytes);
            tasks
                .spawn("config", reload(cli.clone(), watched, config_sender, options_sender, reloads, stopped.clone()));
        } else {
            // Keeps both channels open for as long as the tasks run.
            let stopped = stopped.clone();
            tasks.spawn("config", async move {
                stopped.wait().await;
                drop((config_sender, options_sender));
                Ok(())
            });
        }
        tracing::info!(node, listen = %config.http.listen, "observing");
        let result = tasks.supervise(stop, signal(), GRACE).await;
        tracing::info!("stopped");
        result.map_err(Failure::from)
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// Writes snapshots to a file until stopped.
///
/// # Errors
/// [`Failure`]; also when the file exists already.
pub fn record(cli: &Cli, file: &Path, seconds: Option<u64>) -> Result<(), Failure> {
    let (config, _) = configuration(cli)?;
    let out = std::fs::File::create_new(file)
        .with_context(|| format!("failed to make the recording {}: choose a file that does not exist", file.display()))
        .map_err(Failure::usage)?;
    let opened = open_then_give_up(cli, &config);
    let (mut source, peers, _) = opened.inspect_err(|_| {
        // Nothing was recorded: an empty file would only be in the way.
        let _ = std::fs::remove_file(file);
    })?;
    let header = Header {
        node: node_name(&config),
        kernel: kernel::release().1,
        drop_reasons: source.loaded().drop_reasons.clone(),
        prefixes: peers.prefixes().into_iter().map(|(addr, bits, class)| (addr, bits, class as u32)).collect(),
        nodes: peers.nodes(),
        ..Header::default()
    };
    let name = file.display().to_string();
    let mut recorder = Recorder::begin(std::io::BufWriter::new(out), &name, &header)?;
    let runtime = runtime()?;
    let tick = config.sampling.tick_seconds;
    let result: anyhow::Result<u64> = runtime.block_on(async {
        let mut interval = tokio::time::interval(tick);
        let mut signal = std::pin::pin!(signal());
        let mut snapshots = 0;
        let begin = kernel::monotonic();
        loop {
            tokio::select! {
                () = &mut signal => return Ok(snapshots),
                _ = interval.tick() => {
                    use crate::sample::SampleSource as _;
                    if let Some(snapshot) = source.sample()? {
                        recorder.push(&snapshot)?;
                        snapshots += 1;
                    }
                    let over = kernel::monotonic().saturating_sub(begin);
                    if seconds.is_some_and(|limit| over >= Duration::from_secs(limit)) {
                        return Ok(snapshots);
                    }
                }
            }
        }
    });
    let snapshots = result?;
    recorder.finish()?;
    eprintln!("{name}: {snapshots} snapshots");
    Ok(())
}

/// Attaches to this machine's kernel, and begins to follow its cgroups.
///
/// # Errors
/// [`Exit::Unsupported`] when the kernel, a mount or a permission is missing.
pub fn open(cli: &Cli, config: &Config) -> Result<(Source, peers::PeerTable), Failure> {
    let attached = attach(cli, config)?;
    follow(cli, config, attached)
}

/// The same by an agent that keeps no right that only attaching needs.
fn open_then_give_up(cli: &Cli, config: &Config) -> Result<(Source, peers::PeerTable, Privileges), Failure> {
    let mut attached = attach(cli, config)?;
    // Threads inherit what the one that starts them may do: every thread begins after this.
    let privileges = privileges::give_up(|| attached.loaded.check());
    let (source, peers) = follow(cli, config, attached)?;
    Ok((source, peers, privileges))
}

/// Programs that count, and what they were given.
struct Attached {
    mounts: Mounts,
    loaded: Loaded,
    peers: peers::PeerTable,
}

fn attach(cli: &Cli, config: &Config) -> Result<Attached, Failure> {
    let root = cli.global.cgroup_root.as_deref();
    let mounts = Mounts::discover(&cli.global.procfs, root).map_err(Failure::unsupported)?;
    let subtree = subtree(&mounts)?;
    let modes = modes(config);
    let cgroup_dir = mounts.subtree_dir();
    let settings = kernel::Settings {
        sysfs: &cli.global.sysfs,
        rtt_every: u32::try_from(config.sampling.rtt_every).unwrap_or(u32::MAX),
        rtt_duty_above: config.sampling.rtt_windows_above,
        rtt_low_duty_above: config.sampling.rtt_rare_above,
        churn_above: config.sampling.churn_above,
        modes: &modes,
        limits: config.limits.maps(),
        subtree,
        cgroup_dir: &cgroup_dir,
    };
    let mut loaded = Loaded::load(&settings).map_err(|error| match error {
        kernel::LoadError::Demanded { .. } => Failure::usage(error),
        _ => Failure::unsupported(error),
    })?;
    let peers = pipeline::peer_table(config, &own_addresses(cli), &node_name(config), None);
    loaded.set_prefixes(&peers.class_prefixes(config.limits.maps().prefixes).0)?;
    Ok(Attached { mounts, loaded, peers })
}

fn follow(cli: &Cli, config: &Config, attached: Attached) -> Result<(Source, peers::PeerTable), Failure> {
    let Attached { mounts, loaded, peers } = attached;
    let table = CgroupTable::open(&mounts)?;
    let sampling = &config.sampling;
    let budget = sampling.tick_seconds.mul_f64(FACTS_SHARE);
    let files = config.signals.cgroup_files != Switch::Off;
    let mut facts = FactsReader::new(table, Reader::new(&mounts), sampling.facts_seconds, budget, files);
    let settings = SourceSettings {
        walk_min_interval: sampling.walk_seconds,
        walk_cpu_share: sampling.walk_cpu_share,
        edge_idle: config.limits.edge_idle_seconds,
    };
    let facts: Facts = Box::new(move |now, named| facts.read(now, named));
    let host = HostReader::new(host_paths(cli), Some(kernel::ethtool_calls()));
    Ok((KernelSource::new(loaded, facts, settings)?.with_host(host), peers))
}

/// Where the Node's own signals are read.
pub fn host_paths(cli: &Cli) -> HostPaths {
    let global = &cli.global;
    HostPaths { procfs: global.procfs.clone(), sysfs: global.sysfs.clone(), process: global.net_process.clone() }
}

/// The part of the tree that the kernel programs look at. `None`: all of it.
fn subtree(mounts: &Mounts) -> Result<Option<Subtree>, Failure> {
    if mounts.subtree == "/" {
        return Ok(None);
    }
    let id = mounts.subtree_id().with_context(|| format!("failed to look up cgroup {}", mounts.subtree))?;
    let level = mounts.subtree.split('/').filter(|part| !part.is_empty()).count();
    Ok(Some(Subtree { level: u32::try_from(level).unwrap_or(u32::MAX), id }))
}

fn modes(config: &Config) -> [(&'static str, Mode); 8] {
    let mode = |switch| match switch {
        Switch::Auto => Mode::Auto,
        Switch::On => Mode::On,
        Switch::Off => Mode::Off,
    };
    let signals = &config.signals;
    [
        ("rtt", mode(signals.rtt)),
        ("retransmits", mode(signals.retransmits)),
        ("connects", mode(signals.connects)),
        ("resets", mode(signals.resets)),
        ("sockets", mode(signals.sockets)),
        ("drops", mode(signals.drops)),
        ("dns", mode(signals.dns)),
        (
            "run_queue",
            match signals.run_queue {
                RunQueue::Off => Mode::Off,
                RunQueue::On => Mode::On,
                RunQueue::Pressure => Mode::Auto,
            },
        ),
    ]
}

fn metrics_options(config: &Config) -> MetricsOptions {
    MetricsOptions {
        fine_rtt: config.labels.rtt_buckets == crate::config::RttBuckets::Fine,
        workload: config.labels.workload,
        peer: config.labels.peer,
        max_series: usize::try_from(config.limits.series).unwrap_or(usize::MAX),
    }
}

/// This machine's addresses; empty where procfs does not tell.
fn own_addresses(cli: &Cli) -> Vec<(Ipv6Addr, u8)> {
    let net = cli.global.procfs.join(&cli.global.net_process).join("net");
    let text = |file: &str| std::fs::read_to_string(net.join(file)).unwrap_or_default();
    peers::local_addresses(&text("fib_trie"), &text("if_inet6"))
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()
}

/// Waits for the first SIGINT or SIGTERM; a second one ends the process at once.
async fn signal() {
    interrupted().await;
    tracing::info!("stopping");
    tokio::spawn(async {
        interrupted().await;
        std::process::exit(i32::from(Exit::Failure.code()));
    });
}

async fn interrupted() {
    tokio::select! {
        () = received(SignalKind::interrupt()) => {}
        () = received(SignalKind::terminate()) => {}
    }
}

async fn received(kind: SignalKind) {
    match tokio::signal::unix::signal(kind) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(error) => {
            tracing::error!(%error, "no signal handler: stop with SIGKILL");
            std::future::pending::<()>().await;
        }
    }
}

/// Reads the configuration file again when its bytes change.
async fn reload(
    cli: Cli,
    mut watched: Watched,
    config: watch::Sender<Arc<Config>>,
    options: watch::Sender<MetricsOptions>,
    reloads: Arc<Reloads>,
    stopped: Stopped,
) -> anyhow::Result<()> {
    let mut stop = std::pin::pin!(stopped.wait());
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            () = tokio::time::sleep(RELOAD) => {}
        }
        let Some(read) = watched.changed() else { continue };
        match read {
            Ok(file) => {
                let new = crate::config::cli::effective(&cli, file);
                let restart = reloadable(&config.borrow(), &new);
                if !restart.is_empty() {
                    tracing::warn!(keys = restart.join(", "), "configuration: these changes need a restart");
                }
                options.send_replace(metrics_options(&new));
                config.send_replace(Arc::new(new));
                reloads.ok.fetch_add(1, Ordering::Relaxed);
                tracing::info!("configuration read again");
            }
            Err(errors) => {
                reloads.failed.fetch_add(1, Ordering::Relaxed);
                for line in errors.lines() {
                    tracing::error!("configuration kept as it was: {line}");
                }
            }
        }
    }
}
