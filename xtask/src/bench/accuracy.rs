//! Whether the agent's figures are right: delays that were put in, and the kernel's own count of retransmissions.

use super::{Context, effect::wait, footprint::READY, load::net_counter};
use crate::demo::agent::Agent;
use anyhow::{Context as _, Result, ensure};
use netwhy_tests::lab::Lab;
use serde_json::{Value, json};
use std::time::Duration;

/// Delays put in, ms of round trip.
const DELAYS_MS: [f64; 3] = [1.0, 10.0, 50.0];
/// Share of packets lost, in parts per million.
const LOSS_PPM: u32 = 20_000;
/// A type of retransmission that is a subset of the others.
const NOT_ADDED: &str = "spurious";

/// Largest relative error, and each.
pub(super) struct Error {
    /// Largest.
    pub(super) largest: f64,
    /// Expected and observed values.
    pub(super) cases: Value,
}

/// Median RTT that the agent shows against delays of a forwarder on the path.
pub(super) fn rtt(context: &Context, lab: &Lab, length: Duration) -> Result<Error> {
    let agent = Agent::start(&context.bin, lab, context.logs.join("agent-rtt.log"))?;
    agent.wait_ready(READY)?;
    let node = lab.node("b")?;
    let server = lab.start(&lab.pod("b", "rtt-server")?, &["server"])?;
    let port = server.wait_ready(READY)?.port.context("the server tells no port")?;
    let to = format!("{}:{port}", node.ipv4);
    let (mut largest, mut cases) = (0.0f64, Vec::new());
    for delay_ms in DELAYS_MS {
        let forwarder = lab.delay(node, &["--delay-ms", &(delay_ms / 2.0).to_string()])?;
        let name = format!("rtt-{delay_ms}");
        // A Pod per delay: its window holds this delay only.
        let client =
            lab.start(&lab.pod("a", &name)?, &["client", "--to", &to, "--connections", "4", "--rate", "200"])?;
        client.wait_ready(READY)?;
        wait(length)?;
        let pod = pod(&agent, &name)?;
        let seen = pod["window"]["rtt_p50_seconds"].as_f64().with_context(|| format!("no RTT of {name} was seen"))?;
        let application = client.latest().and_then(|report| report.latency).map(|latency| latency.p50_us as f64 / 1e6);
        let error = (seen - delay_ms / 1e3).abs() / (delay_ms / 1e3);
        largest = largest.max(error);
        cases.push(json!({
            "injected_seconds": delay_ms / 1e3, "p50_seconds": seen, "relative_error": error,
            "samples": pod["window"]["rtt_samples"], "application_p50_seconds": application,
        }));
        drop((client, forwarder));
        lab.net().unsplice(node)?;
    }
    Ok(Error { largest, cases: Value::Array(cases) })
}

/// Retransmitted segments that the agent counts against TcpRetransSegs of both Nodes' kernels.
pub(super) fn segments(context: &Context, lab: &Lab, length: Duration) -> Result<Error> {
    let agent = Agent::start(&context.bin, lab, context.logs.join("agent-segments.log"))?;
    agent.wait_ready(READY)?;
    let node = lab.node("b")?;
    let mut sink = lab.start(&lab.pod("b", "loss-sink")?, &["sink"])?;
    let port = sink.wait_ready(READY)?.port.context("the sink tells no port")?;
    let client_pod = lab.pod("a", "loss-client")?;
    // Keeps the client's namespace readable after the client has ended.
    let anchor = lab.start(&client_pod, &["sink"])?;
    anchor.wait_ready(READY)?;
    let kernel = || -> Result<u64> {
        let one = |pid| net_counter(pid, "snmp", "Tcp:", "RetransSegs");
        Ok(one(sink.pid())? + one(anchor.pid())?)
    };
    let agents =
        || -> Result<u64> { Ok(retransmits(&pod(&agent, "loss-client")?) + retransmits(&pod(&agent, "loss-sink")?)) };
    let before = kernel()?;
    let device = node.device;
    node.nft(&format!(
        "add table netdev netwhy_bench\n\
         add chain netdev netwhy_bench c {{ type filter hook ingress device {device} priority 0; }}\n\
         add rule netdev netwhy_bench c meta l4proto tcp numgen random mod 1000000 < {LOSS_PPM} drop\n"
    ))?;
    let to = format!("{}:{port}", node.ipv4);
    let mut client =
        lab.start(&client_pod, &["bulk", "--to", &to, "--connections", "4", "--rate-mbit", "200", "--cc", "cubic"])?;
    client.wait_ready(READY)?;
    wait(length)?;
    client.stop();
    node.nft("delete table netdev netwhy_bench")?;
    // The last packets arrive, then a tick reads them.
    wait(Duration::from_millis(2500))?;
    let truth = kernel()? - before;
    let seen = agents()?;
    ensure!(truth > 0, "nothing was retransmitted");
    sink.stop();
    let error = (seen as f64 - truth as f64).abs() / truth as f64;
    Ok(Error { largest: error, cases: json!([{ "TcpRetransSegs": truth, "agent": seen, "relative_error": error }]) })
}

/// A Pod's row.
fn pod(agent: &Agent, name: &str) -> Result<Value> {
    let rows = agent.get_json("/api/v1/pods")?;
    let row = rows.as_array().and_then(|rows| rows.iter().find(|row| row["name"] == name));
    row.cloned().with_context(|| format!("the agent shows no pod {name}"))
}

fn retransmits(pod: &Value) -> u64 {
    let types = pod["totals"]["retransmitted_segments"].as_object();
    types.map_or(0, |types| types.iter().filter(|(name, _)| *name != NOT_ADDED).filter_map(|(_, n)| n.as_u64()).sum())
}

#[cfg(test)]
mod tests;
