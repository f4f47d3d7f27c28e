//! `run`: starts the tasks and supervises them.

use super::{
    Failure,
    attach::{Opened, open_and_drop_privileges, own_addresses},
    cluster::{self, Watches},
    configuration, node_name,
    reload::Reload,
    runtime,
    settings::metrics_options,
    signals,
};
use crate::{
    config::{Config, ConfigFile, ReloadCounters, cli::Cli},
    http, kernel,
    kube::ConfigSource,
    pipeline::Pipeline,
    state::NodeView,
    tasks::{Stop, Tasks},
    tick::{Inputs, Outputs, Tick},
};
use std::{net::TcpListener, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Time that tasks have for stopping.
const GRACE: Duration = Duration::from_secs(5);

/// Everything that is ready before the first task starts.
struct Prepared<'a> {
    cli: &'a Cli,
    config: Arc<Config>,
    /// `None`: there is no configuration file.
    file: Option<ConfigFile>,
    listener: TcpListener,
    /// `None`: without Kubernetes.
    kube: Option<ConfigSource>,
    opened: Opened,
}

/// Observes this machine and serves until stopped.
///
/// # Errors
/// [`Failure`]. Everything is detached then.
pub fn run(cli: &Cli) -> Result<(), Failure> {
    kernel::memory::keep_little();
    let (config, bytes) = configuration(cli)?;
    let listener = http::bind(config.http.listen())?;
    let kube = cluster::find(&config)?;
    let opened = open_and_drop_privileges(cli, &config)?;
    let file = cli.global.config.clone().zip(bytes).map(|(path, bytes)| ConfigFile::new(path, bytes));
    let runtime = runtime()?;
    let prepared = Prepared { cli, config: Arc::new(config), file, listener, kube, opened };
    let result = runtime.block_on(prepared.run());
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

impl Prepared<'_> {
    /// Starts every task and waits for a signal, or for the first task that ends.
    async fn run(self) -> Result<(), Failure> {
        let Self { cli, config, file, listener, kube, opened } = self;
        let Opened { source, peers, privileges } = opened;
        let node = node_name(&config);
        let (stop, stopped) = Stop::new();
        let mut tasks = Tasks::default();

        let (config_sender, config_receiver) = watch::channel(config.clone());
        let (options_sender, options) = watch::channel(metrics_options(&config));
        let (view_sender, view) = watch::channel(Arc::new(NodeView { node: node.clone(), ..NodeView::default() }));
        let stats = Tick::initial_stats(&node, &source, privileges);
        let (stats_sender, agent) = watch::channel(Arc::new(stats));
        let reloads = Arc::new(ReloadCounters::default());

        let cluster = match &kube {
            None => None,
            Some(kube) => {
                let cluster = cluster::connect(&node, kube).await?;
                let (tasks, stopped) = (&mut tasks, &stopped);
                let mut watches = Watches { tasks, stopped, cluster: &cluster, node: &node, config: &config };
                watches.publish(&view);
                Some(watches.start(cli.global.procfs.clone()))
            }
        };

        let mut pipeline = Pipeline::new(&node, &config);
        pipeline.set_peers(Arc::new(peers));
        pipeline.set_drop_reasons(Arc::new(source.loaded().drop_reasons.clone()));
        let own_addresses = own_addresses(cli);
        let inputs = Inputs { config: config_receiver, cluster, own_addresses, reloads: reloads.clone() };
        let tick = Tick::new(source, pipeline, inputs, Outputs { view: view_sender, stats: stats_sender });
        let ticking = stopped.clone();
        tasks.spawn_blocking("tick", move || tick.run(&ticking));

        let shared = http::Shared { view, agent, options };
        let limits = http::Limits::from(&config.http);
        tasks.spawn("http", http::serve(limits, listener, shared, stopped.clone().wait()));

        let (options, counters) = (options_sender, reloads);
        let reload = Reload { cli: cli.clone(), file, config: config_sender, options, counters };
        tasks.spawn("config", reload.run(stopped));

        tracing::info!(node, listen = %config.http.listen(), "observing");
        let result = tasks.supervise(stop, signals::shutdown(), GRACE).await;
        tracing::info!("stopped");
        result.map_err(Failure::from)
    }
}
