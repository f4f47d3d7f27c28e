//! An agent with the chart's memory limit among more sockets than its limit holds storage for.

use crate::{
    memory::{MemoryCgroup, memory, raise_descriptors},
    program::{Agent, Scratch},
    socket::Pair,
    stage::{PATIENCE, Stage, needs, stage, wait_until},
};
use netwhy_tests::lab::Program;
use std::fs;

/// Programs that hold connections, because one may not have descriptors for all.
const HOLDERS: u16 = 4;
/// Connections that each holds, older than the agent: twice as many sockets.
const EACH: u64 = 8_000;
/// Sockets of them all.
const OLDER: u64 = 2 * EACH * HOLDERS as u64;

/// The chart's memory limit, bytes.
fn chart_limit() -> u64 {
    let values = include_str!("../../../charts/netwhy/values.yaml");
    let memory = values.split_once("limits: {memory: ").unwrap().1;
    memory.split_once("Mi}").unwrap().0.parse::<u64>().unwrap() << 20
}

/// Those that it can't keep apart are found at the first walk. It starts, again too, says what it sheds, and counts what
/// comes after.
#[test]
fn an_agent_starts_among_more_sockets_than_its_limit_holds() {
    needs!(LIVING);
    let stage = stage!("a", "b");
    let _held = hold(&stage);
    let cgroup = MemoryCgroup::new("many");
    let scratch = Scratch::new("many");
    let file = scratch.file("netwhy.yaml");
    // Whatever else this machine does, each handshake counts once.
    fs::write(&file, "sampling: {churn_above: 1000000000}\n").unwrap();
    for turn in 0..2 {
        cgroup.set_limit(chart_limit());
        let agent = cgroup.agent_with(&stage, &["--config".as_ref(), file.as_ref()]);
        let found = || agent.sum("netwhy_agent_sockets", &[]) + without(&agent);
        wait_until("all sockets are found", || found() >= OLDER as f64);
        // Four fifths of it, whatever the start left.
        cgroup.set_limit(cgroup.used() * 5 / 4);
        wait_until("the limit is near", || memory(&agent)["level"] != "ok");
        let (client, server) = (stage.pod("a", &format!("client-{turn}")), stage.pod("b", &format!("server-{turn}")));
        let listener = stage.listen(&server);
        let to = stage.address(&server, &listener);
        let mut pairs: Vec<Pair> = (0..2_000).map(|_| Pair::open(&stage, &client, &listener, to)).collect();
        pairs.iter_mut().for_each(|pair| pair.exchange(100, 100));
        // From here on this process's own connections, to the agent, are nobody's.
        stage.leave();
        wait_until("sockets are without storage", || without(&agent) > 0.0);
        assert!(agent.sum("netwhy_agent_kernel_events_total", &["storage_shed"]) > 0.0);
        drop(pairs);
        let connects = || agent.sum("netwhy_tcp_connects_total", &[&client.name, "role=\"client\""]);
        wait_until("all of its connections are counted", || connects() >= 2_000.0);
        assert_eq!((connects(), cgroup.kills()), (2_000.0, 0));
        assert_eq!(agent.get("/livez", "*/*").map(|(status, _)| status), Some(200));
    }
}

/// Programs with all the older connections.
fn hold(stage: &Stage) -> Vec<Program> {
    raise_descriptors(EACH + 100);
    let (client, server) = (stage.pod("a", "holder"), stage.pod("b", "held"));
    let to = stage.node("b").ipv4;
    let mut all = Vec::new();
    for port in 9_100..9_100 + HOLDERS {
        let answers = stage.lab.start(&server, &["server", "--port", &port.to_string()]).unwrap();
        answers.wait_ready(PATIENCE).unwrap();
        let (to, idle) = (format!("{to}:{port}"), EACH.to_string());
        let args = ["client", "--to", &to, "--connections", "1", "--rate", "1", "--idle", &idle];
        let asks = stage.lab.start(&client, &args).unwrap();
        asks.wait_for(PATIENCE, |report| report.total.connects > EACH).unwrap();
        all.extend([answers, asks]);
    }
    all
}

/// Sockets that the newest walk found without storage.
fn without(agent: &Agent) -> f64 {
    memory(agent)["sockets_without_storage"].as_f64().unwrap_or(0.0)
}
