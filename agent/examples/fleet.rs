//! Many synthetic agents in one process, and a stand-in for the API server in front of them: what `kubectl netwhy` is
//! measured and tested against where no machine could run as many Nodes.
//!
//! Every agent is the real HTTP server of `netwhy-agent` on a port of its own, with a made-up view; the stand-in lists
//! their Pods, and passes `…/pods/NAME:9810/proxy/…` and `…/pods/NAME/portforward` on to them over TCP. Without TLS and without authorisation, unlike
//! a real one. Prints one line of JSON when it is ready: `{"url": …, "agents": N}`. Ends when its standard input does.

#[path = "fleet/calls.rs"]
mod calls;
#[path = "fleet/forward.rs"]
mod forward;
#[path = "fleet/front.rs"]
mod front;
#[path = "fleet/hostile.rs"]
mod hostile;
#[path = "fleet/versions.rs"]
mod versions;
#[path = "fleet/views.rs"]
mod views;

use clap::Parser;
use front::{Fleet, Member};
use netwhy_agent::{
    api::AgentStats,
    http::{self, ApiPlace, Shared},
    metrics::MetricsOptions,
};
use std::{
    future::pending,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::{net::TcpListener, sync::watch};
use versions::Neighbour;

/// Synthetic agents behind a stand-in API server
#[derive(Parser)]
struct Args {
    /// Agents
    #[arg(long, default_value_t = 100)]
    agents: usize,
    /// Pods on each Node
    #[arg(long, default_value_t = 10)]
    pods: usize,
    /// Edges of each Pod
    #[arg(long, default_value_t = 4)]
    edges: usize,
    /// Agents that accept connections and never answer: the last ones
    #[arg(long, default_value_t = 0)]
    mute: usize,
    /// Agents that answer with more than a client can hold: those before the mute ones
    #[arg(long, default_value_t = 0)]
    hostile: usize,
    /// Agents of the next version: those before the hostile ones
    #[arg(long, default_value_t = 0)]
    newer: usize,
    /// Agents of the version before: those before the newer ones
    #[arg(long, default_value_t = 0)]
    earlier: usize,
    /// Pods whose main listener answers the API, for requests by the Pod proxy
    #[arg(long)]
    proxy: bool,
    /// Response times between the Pods
    #[arg(long)]
    calls: bool,
}

impl Args {
    /// The other version of an agent that is neither mute nor hostile. `None`: it is today's.
    fn neighbour(&self, number: usize) -> Option<Neighbour> {
        let newer = self.agents.saturating_sub(self.mute + self.hostile + self.newer);
        let is_earlier = number + self.earlier >= newer;
        if number >= newer { Some(Neighbour::Newer) } else { is_earlier.then_some(Neighbour::Earlier) }
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(&args))
}

async fn run(args: &Args) -> anyhow::Result<()> {
    let mut members = Vec::new();
    // Views end with the channels that hold them.
    let mut views = Vec::new();
    for number in 0..args.agents {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        members.push(Member { node: views::node(number), address: listener.local_addr()? });
        if number + args.mute >= args.agents {
            tokio::spawn(mute(listener));
            continue;
        }
        if number + args.mute + args.hostile >= args.agents {
            tokio::spawn(hostile::serve(listener, number));
            continue;
        }
        if let Some(neighbour) = args.neighbour(number) {
            tokio::spawn(versions::serve(listener, neighbour, views::node(number)));
            continue;
        }
        let mut view = views::view(number, args.agents, args.pods, args.edges);
        if args.calls {
            calls::add(&mut view, number, args.agents);
        }
        let view = watch::channel(Arc::new(view));
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let stats = AgentStats { version, node: views::node(number), attached: true, ..AgentStats::default() };
        let agent = watch::channel(Arc::new(stats));
        let options = watch::channel(MetricsOptions::default());
        let started = std::time::Duration::ZERO;
        let shared = Shared { view: view.1, agent: agent.1, options: options.1, started, past: None };
        views.push((view.0, agent.0, options.0));
        let listener = listener.into_std()?;
        tokio::spawn(async move {
            let (limits, plain) = (http::Limits::default(), http::Protection::default());
            if let Err(error) = http::serve(limits, (listener, ApiPlace::Main), shared, plain, pending()).await {
                eprintln!("agent {number}: {error:#}");
            }
        });
    }
    let front = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address: SocketAddr = front.local_addr()?;
    let fleet = Arc::new(Fleet { members, pods: args.pods, is_loopback: !args.proxy });
    let serving = tokio::spawn(async move { axum::serve(front, front::router(fleet)).await });
    println!("{}", serde_json::json!({ "url": format!("http://{address}"), "agents": args.agents }));
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    serving.abort();
    Ok(())
}

/// Holds its connections open and says nothing.
async fn mute(listener: TcpListener) {
    let mut held = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        held.push(stream);
    }
}
