//! Programs that stop, wait, refuse, or may use little CPU.

use super::{Active, switch};
use crate::eval::generated::{
    draw::{process, requests},
    plan::{Fault, Flow, Mechanism, Plan, Style, Target},
    traffic::{extra_client, programs_of},
    world::World,
};
use anyhow::{Context as _, Result, bail};
use netwhy_tests::lab::run;
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use std::{fs, thread, time::Duration};

/// CPU time of a request beside its work, µs.
const OVERHEAD_US: f64 = 50.0;
/// First of the local ports of a Pod that has few.
const LOWEST_PORT: u16 = 61_000;
/// Longest work of one request, µs: one thread answers all.
const LONGEST_WORK_US: f64 = 200_000.0;

pub(super) fn prepare(plan: &Plan, fault: &Fault) -> Result<Active> {
    let pod = process(fault).context("no program is at fault")?.to_owned();
    let usual = plan.traffic.think_us as f64;
    Ok(match fault.mechanism {
        Mechanism::Stop => {
            let programs = programs_of(plan, &pod);
            switch(move |world, on| {
                let signal = if on { Signal::STOP } else { Signal::CONT };
                programs.iter().try_for_each(|name| world.signal(name, signal))
            })
        }
        Mechanism::SlowSometimes { every, ms } => {
            Active::new(move |world, level| world.tell(&pod, &slow(every, ms, level)))
        }
        Mechanism::Think { ms } => Active::new(move |world, level| {
            world.tell(&pod, &format!("think-us {:.0}", usual + ms as f64 * level * 1e3))
        }),
        Mechanism::Lock { every, ms } => Active::new(move |world, level| {
            let (every, us) = if level > 0.0 { (every, ms as f64 * level * 1e3) } else { (0, 0.0) };
            world.tell(&pod, &format!("hold {every} {us:.0}"))
        }),
        Mechanism::Descriptors { more } => switch(move |world, _| few_descriptors(world, &pod, more)),
        Mechanism::Ports { count } => {
            let (plan, flow) = (plan.clone(), holder(plan, &pod)?);
            switch(move |world, _| few_ports(world, &plan, flow, count))
        }
        Mechanism::DnsErrors { every } => Active::new(move |world, level| {
            let every = if level > 0.0 { (every as f64 / level).round() } else { 0.0 };
            world.tell(&pod, &format!("fail {every:.0}"))
        }),
        Mechanism::Quota { percent, need } => {
            let rate = requests(plan, &pod).max(0.5);
            let work_us = (need * percent * 1e4 / rate - OVERHEAD_US).clamp(0.0, LONGEST_WORK_US);
            switch(move |world, on| quota(world, &pod, on.then_some((percent, work_us))))
        }
        Mechanism::Backlog { places } => switch(move |world, on| {
            let (queue, accept) = if on { (places, "off") } else { (1024, "on") };
            world.tell(&pod, &format!("backlog {queue}"))?;
            world.tell(&pod, &format!("accept {accept}"))
        }),
        Mechanism::Gone => {
            let programs = programs_of(plan, &pod);
            switch(move |world, _| programs.iter().try_for_each(|name| world.stop(name).map(drop)))
        }
        Mechanism::SlowReader { bytes } => Active::new(move |world, level| {
            let limit = if level > 0.0 { bytes as f64 / level } else { 0.0 };
            world.tell(&pod, &format!("slow-bytes-per-second {limit:.0}"))
        }),
        Mechanism::DnsDelay { ms } => {
            Active::new(move |world, level| world.tell(&pod, &format!("delay-us {:.0}", ms as f64 * level * 1e3)))
        }
        _ => bail!("{} is no fault of a program", fault.mechanism.name()),
    })
}

fn slow(every: u64, ms: u64, level: f64) -> String {
    if level > 0.0 { format!("slow {every} {:.0}", ms as f64 * level * 1e3) } else { "slow 0 0".to_owned() }
}

/// Limits a Pod to a share of a CPU (%), and gives each request work.
fn quota(world: &mut World, pod: &str, limit: Option<(f64, f64)>) -> Result<()> {
    world.pod(pod)?.set_cpu_quota(limit.map(|(percent, _)| percent / 100.0))?;
    world.tell(pod, &format!("work-us {:.0}", limit.map_or(0.0, |(_, work_us)| work_us)))
}

/// A flow of connections from a Pod to one server.
fn holder(plan: &Plan, pod: &str) -> Result<usize> {
    let is_fresh = |flow: &Flow| matches!((&flow.style, &flow.to), (Style::Fresh { .. }, Target::Pod(_)));
    let mut flows = plan.traffic.flows.iter();
    flows.position(|flow| flow.from == pod && is_fresh(flow)).with_context(|| format!("{pod} opens no connections"))
}

/// Leaves a Pod few local ports, and lets another program in it hold them towards the same server.
fn few_ports(world: &mut World, plan: &Plan, flow: usize, count: u16) -> Result<()> {
    let Some(Flow { from, to: Target::Pod(to), .. }) = plan.traffic.flows.get(flow) else {
        bail!("flow {flow} asks no Pod");
    };
    let range = format!("net.ipv4.ip_local_port_range={LOWEST_PORT} {}", LOWEST_PORT + count - 1);
    run(&["ip", "netns", "exec", world.netns(from)?, "sysctl", "-qw", &range])?;
    let line = extra_client(world, plan, from, to, &format!("--rate 0.2 --idle {count}"))?;
    world.launch("holder", from, &line)
}

/// Limits the descriptors of a program to those that it always has and this many more.
fn few_descriptors(world: &World, pod: &str, more: u64) -> Result<()> {
    let pid = world.program(pod)?.pid();
    let mut always = u64::MAX;
    for _ in 0..20 {
        // Connections of one request come and go.
        let open = fs::read_dir(format!("/proc/{pid}/fd")).with_context(|| format!("list the descriptors of {pod}"))?;
        always = always.min(open.count() as u64);
        thread::sleep(Duration::from_millis(10));
    }
    let limit = Some(always + more);
    let pid = Pid::from_raw(pid.cast_signed()).context("a program without an id")?;
    prlimit(Some(pid), Resource::Nofile, Rlimit { current: limit, maximum: limit })
        .with_context(|| format!("limit the descriptors of {pod}"))?;
    Ok(())
}
