//! `run`: starts the tasks and supervises them.

use super::{
    Failure,
    attach::{Opened, open_and_drop_privileges, own_addresses},
    cluster::{self, Watches},
    configuration, history,
    listeners::Listeners,
    node_name,
    reload::Reload,
    runtime,
    settings::metrics_options,
    signals::{Signals, Starting},
};
use crate::{
    budget::{Budget, cpus},
    config::{Config, ConfigFile, ReloadCounters, cli::Cli},
    http, kernel,
    kube::Prepared,
    memory::{Limit, Pressure},
    peers,
    pipeline::Pipeline,
    state::NodeView,
    tasks::{Stop, Tasks},
    tick::{Inputs, MemoryWatch, Outputs, Tick},
};
use netwhy_abi::memory::States;
use std::{fs::File, net::Ipv6Addr, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Time that tasks have for stopping.
const GRACE: Duration = Duration::from_secs(5);
/// Time that threads have after it. A thread that hangs in the kernel is left behind.
const UNWIND: Duration = Duration::from_millis(500);

/// Everything that is ready before the first task starts.
struct Ready<'a> {
    cli: &'a Cli,
    config: Arc<Config>,
    /// `None`: there is no configuration file.
    file: Option<ConfigFile>,
    starting: Starting,
    listeners: Listeners,
    /// `None`: without Kubernetes.
    kube: Option<Prepared>,
    /// The connection tracking table. `None`: not wanted, or there is none.
    conntrack: Option<File>,
    opened: Opened,
    own_addresses: Vec<(Ipv6Addr, u8)>,
}

/// Observes this machine and serves until stopped. `starting` handles signals until the tasks run.
///
/// # Errors
/// [`Failure`]. Everything is detached then.
pub fn run(cli: &Cli, starting: Starting) -> Result<(), Failure> {
    kernel::memory::keep_little();
    let (config, bytes) = configuration(cli)?;
    let listeners = Listeners::bind(&config.http)?;
    let kube = cluster::find(&config)?.map(|source| cluster::prepare(&source)).transpose()?;
    let conntrack = kube.as_ref().filter(|_| config.kube.conntrack());
    let conntrack = conntrack.and_then(|_| peers::open_conntrack(&cli.global.procfs));
    let opened = open_and_drop_privileges(cli, &config)?;
    kube.as_ref().map_or(Ok(()), Prepared::check_renewal).map_err(Failure::usage)?;
    listeners.check_renewal().map_err(Failure::usage)?;
    let file = cli.global.config.clone().zip(bytes).map(|(path, bytes)| ConfigFile::new(path, bytes));
    // Tasks read no file, so this is done before there are any.
    let own_addresses = own_addresses(cli);
    let runtime = runtime()?;
    let config = Arc::new(config);
    let ready = Ready { cli, config, file, starting, listeners, kube, conntrack, opened, own_addresses };
    let result = runtime.block_on(ready.run());
    runtime.shutdown_timeout(UNWIND);
    result
}

impl Ready<'_> {
    /// Starts every task and waits for a signal, or for the first task that ends.
    async fn run(self) -> Result<(), Failure> {
        let Self { cli, config, file, starting, mut listeners, kube, conntrack, opened, own_addresses } = self;
        let Opened { source, facts, peers, privileges } = opened;
        let node = node_name(&config);
        let (stop, stopped) = Stop::new();
        let mut tasks = Tasks::default();

        let (config_sender, config_receiver) = watch::channel(config.clone());
        let (options_sender, options) = watch::channel(metrics_options(&config));
        let (view_sender, view) = watch::channel(Arc::new(NodeView { node: node.clone(), ..NodeView::default() }));
        let stats = Tick::initial_stats(&node, &source, privileges);
        let (stats_sender, agent) = watch::channel(Arc::new(stats));
        let reloads = Arc::new(ReloadCounters::default());

        let cluster = kube.map(|kube| {
            let (tasks, stopped, cluster) = (&mut tasks, &stopped, kube.start());
            listeners.authorization = cluster::authorization(&config, &cluster);
            let mut watches = Watches { tasks, stopped, cluster: &cluster, node: &node, config: &config };
            watches.publish(&view);
            watches.start(conntrack)
        });

        let recorded = history::start(&config, &node, &source, &mut tasks, &stopped);
        let (recorder, past) = recorded.unzip();
        let mut pipeline = Pipeline::new(&node, &config);
        let peers = Arc::new(peers);
        pipeline.set_peers(peers.clone());
        pipeline.set_drop_reasons(Arc::new(source.loaded().drop_reasons.clone()));
        let inputs = Inputs { config: config_receiver, cluster, own_addresses, reloads: reloads.clone(), facts };
        let outputs = Outputs { view: view_sender, stats: stats_sender, recorder };
        let memory = memory(cli, &config, source.loaded().states);
        let tick = Tick::new(source, (pipeline, peers), inputs, outputs, memory);
        let ticking = stopped.clone();
        tasks.spawn_blocking("tick", move || tick.run(&ticking));

        let shared = http::Shared { view, agent, options, started: kernel::monotonic(), past };
        listeners.serve(&mut tasks, &config.http, shared, &stopped);

        let (options, counters, started) = (options_sender, reloads, config.clone());
        let reload = Reload { cli: cli.clone(), file, started, config: config_sender, options, counters };
        tasks.spawn("config", reload.run(stopped));

        let signals = Signals::receive()?;
        starting.end(&signals);
        tracing::info!(node, listen = %config.http.listen(), "observing");
        let result = tasks.supervise(stop, signals.shutdown(), GRACE).await;
        tracing::info!("stopped");
        result.map_err(Failure::from)
    }
}

/// Follows the agent's memory.
fn memory(cli: &Cli, config: &Config, states: States) -> MemoryWatch {
    let budget = Budget::new(config, cpus()).with_states(states);
    MemoryWatch::new(Limit::find(&cli.global.procfs), Pressure::default(), budget)
}
