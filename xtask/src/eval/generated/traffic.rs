//! Starts the programs of a case.

use super::{
    plan::{EXTERNAL, Flow, Plan, Role, Style, Target},
    world::{SERVICE, World},
};
use anyhow::{Result, bail};

const SINK: u16 = 9000;
const DNS: u16 = 53;
/// Port of the first server of long polls; each flow has its own.
const POLL: u16 = 8200;

/// Name of a flow's program.
pub(super) fn flow_name(at: usize) -> String {
    format!("flow-{at}")
}

fn poll_name(pod: &str, at: usize) -> String {
    format!("{pod}.poll-{at}")
}

/// Programs of a Pod that answers.
pub(super) fn programs_of(plan: &Plan, pod: &str) -> Vec<String> {
    let polls = plan.traffic.flows.iter().enumerate().filter(|(_, flow)| is_poll_of(flow, pod));
    std::iter::once(pod.to_owned()).chain(polls.map(|(at, _)| poll_name(pod, at))).collect()
}

fn is_poll_of(flow: &Flow, pod: &str) -> bool {
    matches!(flow.style, Style::Poll { .. }) && matches!(&flow.to, Target::Pod(to) if to == pod)
}

/// Starts servers, then clients.
pub(super) fn start(world: &mut World, plan: &Plan) -> Result<()> {
    let port = plan.traffic.port;
    for pod in &plan.topology.pods {
        let line = match pod.role {
            Role::Client => continue,
            Role::Server => format!("server --port {port} --think-us {}", plan.traffic.think_us),
            Role::Sink => format!("sink --port {SINK}"),
            Role::Resolver => format!("dns-server --port {DNS} --address {}", world.address(&pod.name)?),
        };
        world.start(&pod.name, &pod.name, &line)?;
    }
    for (at, flow) in plan.traffic.flows.iter().enumerate() {
        if let (Style::Poll { think_ms, .. }, Target::Pod(pod)) = (&flow.style, &flow.to) {
            let line = format!("server --port {} --think-us {}", poll_port(at), think_ms * 1000);
            world.start(&poll_name(pod, at), pod, &line)?;
        }
    }
    for (at, flow) in plan.traffic.flows.iter().enumerate() {
        let line = client(world, plan, at, 1.0)?;
        world.start(&flow_name(at), &flow.from, &line)?;
    }
    Ok(())
}

const fn poll_port(at: usize) -> u16 {
    POLL + at as u16
}

/// Command line of a flow's client, at a multiple of its rate.
pub(super) fn client(world: &World, plan: &Plan, at: usize, factor: f64) -> Result<String> {
    let Some(flow) = plan.traffic.flows.get(at) else { bail!("there is no flow {at}") };
    let to = match &flow.to {
        Target::Pod(pod) => world.address(pod)?,
        Target::Service => SERVICE,
    };
    let (port, cc) = (plan.traffic.port, plan.traffic.congestion_control);
    let from = format!("--from {} --cc {cc}", world.address(&flow.from)?);
    let patience = format!("--timeout-ms {}", plan.traffic.patience_ms);
    Ok(match &flow.style {
        Style::Kept { rate, connections, bytes } => format!(
            "client --to {to}:{port} --rate {} --connections {connections} --response-bytes {bytes} {patience} \
             {from}",
            rate * factor
        ),
        // A second thread goes on where the first waits for a handshake.
        Style::Fresh { rate, bytes } => format!(
            "client --to {to}:{port} --rate {} --connections 2 --response-bytes {bytes} --close=server \
             {patience} {from}",
            rate * factor
        ),
        Style::Bulk { mbit } => {
            format!("bulk --to {to}:{SINK} --rate-mbit {} --timeout-ms 8000 {from}", mbit * factor)
        }
        Style::Poll { connections, .. } => {
            format!("client --to {to}:{} --connections {connections} --timeout-ms 20000 {from}", poll_port(at))
        }
        Style::Lookup { rate } => format!("dns-client --to {to}:{DNS} --rate {}", rate * factor),
    })
}

/// Command line of a client beside the drawn ones.
pub(super) fn extra_client(world: &World, plan: &Plan, from: &str, to: &str, options: &str) -> Result<String> {
    let (to, from) = (world.address(to)?, world.address(from)?);
    Ok(format!("client --to {to}:{} --from {from} {options}", plan.traffic.port))
}

/// Command line of a stream beside the drawn ones.
pub(super) fn extra_stream(world: &World, from: &str, to: &str, mbit: f64) -> Result<String> {
    Ok(format!("bulk --to {}:{SINK} --from {} --rate-mbit {mbit}", world.address(to)?, world.address(from)?))
}

/// Whether a fault of a server's settings reaches a flow: long polls have programs of their own.
pub(super) fn asks_main_program(flow: &Flow) -> bool {
    !matches!(flow.style, Style::Poll { .. })
}

/// Pods that hold a server of the cluster.
pub(super) fn servers(plan: &Plan) -> Vec<String> {
    let inside = plan.topology.pods.iter().filter(|pod| pod.role == Role::Server && pod.name != EXTERNAL);
    inside.map(|pod| pod.name.clone()).collect()
}
