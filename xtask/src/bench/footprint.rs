//! The real agent: CPU time, memory, scrapes, start-up.

use super::{
    Context,
    effect::wait,
    load::{Kind, Load},
    statistics::Spread,
    until::Until,
};
use crate::{
    demo::{agent::Agent, http},
    progress::Step,
};
use anyhow::{Context as _, Result, bail, ensure};
use netwhy_tests::lab::{Lab, Pod, Program};
use serde_json::{Value, json};
use std::{
    ffi::OsString,
    fs,
    time::{Duration, Instant},
};

/// How long the agent may take to be ready.
pub(super) const READY: Duration = Duration::from_secs(30);
/// Nodes that Pods talk to.
const PEERS: [&str; 4] = ["b", "c", "d", "e"];
/// Silent connections of each of the first Pods to each peer.
const IDLE: &str = "9";
/// Pods of the first step, with the connections above, and of the second, with one connection to each peer.
const STEPS: [usize; 2] = [250, 1000];
/// Media types of a scrape.
const FORMATS: [(&str, &str); 2] =
    [("openmetrics", "application/openmetrics-text;version=1.0.0"), ("prometheus", "text/plain;version=0.0.4")];

/// CPU time of the running agent while keep-alive requests flow.
pub(super) struct Cpu {
    /// Cores, as a mean.
    pub(super) cores: Spread,
    /// Requests per second meanwhile.
    pub(super) rate: f64,
}

/// Measures the agent's own CPU time.
pub(super) fn cpu(context: &Context, lab: &Lab, until: &Until) -> Result<Cpu> {
    let load = Load::start(lab, Kind::Keepalive)?;
    let agent = Agent::start(&context.bin, lab, context.logs.join("agent-cpu.log"))?;
    agent.wait_ready(READY)?;
    // Start-up is not what running costs.
    wait(Duration::from_secs(2))?;
    let step = Step::begin(&format!("agent's CPU time, {}", until.text()), None);
    let (begun, count) = (Instant::now(), load.count()?);
    let mut cores = Vec::new();
    // In turns, because what is done now and then is done in some of them only.
    while !until.is_enough_for(Spread::of_mean, &cores) {
        let (at, ns) = (Instant::now(), cpu_ns(agent.pid())?);
        wait(2 * until.pace.window)?;
        cores.push(cpu_ns(agent.pid())?.saturating_sub(ns) as f64 / 1e9 / at.elapsed().as_secs_f64());
        step.set_units(cores.len() as u64, until.most as u64);
    }
    let rate = (load.count()? - count) as f64 / begun.elapsed().as_secs_f64();
    step.end(true);
    Ok(Cpu { cores: Spread::of_mean(&cores).context("no windows")?, rate })
}

/// CPU time of all threads of a process, ns.
fn cpu_ns(pid: u32) -> Result<u64> {
    let dir = format!("/proc/{pid}/task");
    let mut sum = 0;
    for task in fs::read_dir(&dir).with_context(|| format!("read {dir}"))? {
        // First field: time on a CPU, ns. A thread may end meanwhile.
        let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        sum += text.split_whitespace().next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
    }
    ensure!(sum > 0, "the kernel tells no CPU time in {dir}/*/schedstat");
    Ok(sum)
}

/// Memory and scrapes by number of cgroups.
pub(super) struct Steps {
    /// `{"250": bytes, "1000": bytes}`.
    pub(super) rss: Value,
    /// Sockets that the agent saw, by step.
    pub(super) sockets: Value,
    /// Of the first step.
    pub(super) scrape: Spread,
    /// Bytes of one scrape.
    pub(super) scrape_bytes: usize,
    /// Per format and step.
    pub(super) scrapes: Value,
}

/// Starts the agent, then Pods in steps, and measures after each.
pub(super) fn steps(context: &Context, lab: &Lab, settle: Duration, scrapes: usize) -> Result<Steps> {
    let agent = Agent::start(&context.bin, lab, context.logs.join("agent-footprint.log"))?;
    agent.wait_ready(READY)?;
    let mut targets = Vec::new();
    let mut programs = Vec::new();
    for peer in PEERS {
        let pod = lab.pod(peer, &format!("hub-{peer}"))?;
        let program = hub(lab, &pod)?;
        let port = program.wait_ready(READY)?.port.context("a server tells no port")?;
        targets.extend(["--to".to_owned(), format!("{}:{port}", lab.node(peer)?.ipv4)]);
        programs.push(program);
    }
    let (mut rss, mut sockets, mut all) = (json!({}), json!({}), json!({}));
    let mut first = None;
    let mut made = 0;
    for step in STEPS {
        while made + PEERS.len() < step {
            let pod = lab.pod("a", &format!("pod-{made}"))?;
            let idle = if step == STEPS[0] { IDLE } else { "0" };
            let mut args = vec!["client", "--rate", "1", "--timeout-ms", "20000", "--idle", idle];
            args.extend(targets.iter().map(String::as_str));
            programs.push(lab.start(&pod, &args)?);
            made += 1;
            if made % 50 == 0 {
                wait(Duration::ZERO)?;
            }
        }
        settled(&agent, step)?;
        wait(settle)?;
        let key = step.to_string();
        rss[&key] = json!(resident(agent.pid())?);
        sockets[&key] = agent.get_json("/api/v1/info")?.pointer("/walk/sockets").cloned().unwrap_or_default();
        all[&key] = json!({});
        for (format, accept) in FORMATS {
            let (times, bytes) = scrape(&agent, accept, scrapes)?;
            let spread = Spread::of(&times).context("nothing was scraped")?;
            all[&key][format] = json!({ "seconds": spread.json(), "bytes": bytes });
            first.get_or_insert((spread, bytes));
        }
    }
    // All at once: waiting for one after the other would take long.
    drop(programs);
    let (scrape, scrape_bytes) = first.context("nothing was scraped")?;
    Ok(Steps { rss, sockets, scrape, scrape_bytes, scrapes: all })
}

/// A server with room for many sockets: as many as this machine allows.
fn hub(lab: &Lab, pod: &Pod) -> Result<Program> {
    let mut command: Vec<OsString> =
        ["sh", "-c", "ulimit -S -n \"$(ulimit -H -n)\"; exec \"$0\" \"$@\""].map(OsString::from).into();
    command.push(lab.traffic().into());
    command.extend(["server", "--backlog", "4096"].map(OsString::from));
    lab.start_command(Some(&lab.node(&pod.node)?.netns), Some(pod), &command)
}

/// Waits until the agent shows as many Pods with handshakes as there are.
fn settled(agent: &Agent, pods: usize) -> Result<()> {
    let end = Instant::now() + READY;
    loop {
        let rows = agent.get_json("/api/v1/pods")?;
        let connected = |row: &&Value| {
            let roles = row["totals"]["connects"].as_object();
            roles.is_some_and(|roles| roles.values().any(|n| n.as_u64().unwrap_or(0) > 0))
        };
        let seen = rows.as_array().map_or(0, |rows| rows.iter().filter(connected).count());
        if seen >= pods {
            return Ok(());
        }
        if Instant::now() > end {
            bail!("the agent shows {seen} of {pods} pods after {} s", READY.as_secs());
        }
        wait(Duration::from_millis(250))?;
    }
}

/// Resident memory, bytes.
fn resident(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/statm");
    let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let pages = text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    Ok(pages.with_context(|| format!("{path} is not understood"))? * rustix::param::page_size() as u64)
}

/// Scrapes over HTTP, each on a connection of its own; times and the size of the last.
fn scrape(agent: &Agent, accept: &str, times: usize) -> Result<(Vec<f64>, usize)> {
    let mut seconds = Vec::with_capacity(times);
    let mut bytes = 0;
    for _ in 0..times {
        let begun = Instant::now();
        let answer = http::get_as(agent.address(), "/metrics", accept)?;
        seconds.push(begun.elapsed().as_secs_f64());
        ensure!(answer.status == 200, "a scrape was answered with {}", answer.status);
        bytes = answer.body.len();
        // Scrapes come now and then, not in a row.
        wait(Duration::from_millis(20))?;
    }
    Ok((seconds, bytes))
}

/// Times from start to ready, s.
pub(super) fn ready(context: &Context, lab: &Lab, until: &Until) -> Result<Vec<f64>> {
    let mut seconds = Vec::new();
    while !until.is_enough(&seconds) {
        let begun = Instant::now();
        let agent = Agent::start(&context.bin, lab, context.logs.join("agent-ready.log"))?;
        while !http::get(agent.address(), "/readyz").is_ok_and(|answer| answer.status == 200) {
            agent.check()?;
            ensure!(begun.elapsed() < READY, "the agent isn't ready after {} s", READY.as_secs());
            wait(Duration::from_millis(2))?;
        }
        seconds.push(begun.elapsed().as_secs_f64());
    }
    Ok(seconds)
}
