//! Changes that are no faults. Any hint about them is a false alarm.

use super::{
    inflict::stand_off,
    plan::{Control, Plan},
    traffic::{client, extra_client, extra_stream, servers},
    world::World,
};
use anyhow::Result;
use rustix::process::Signal;
use std::time::Duration;

/// Port of a server of long polls that a control starts.
const POLL: u16 = 8199;

/// Work to do over and over; gets the seconds since the onset.
pub(super) type Tick = Box<dyn FnMut(&mut World, f64) -> Result<()>>;

/// Must be there before the agents start.
pub(super) fn before(world: &mut World, control: &Control) -> Result<()> {
    match control {
        Control::Distance { node, ms } => stand_off(world, node, *ms),
        _ => Ok(()),
    }
}

/// Begins a control.
pub(super) fn begin(world: &mut World, plan: &Plan, control: &Control) -> Result<Tick> {
    match control {
        Control::Idle | Control::Distance { .. } => {}
        Control::LoadStep { flow, factor } => {
            let line = client(world, plan, *flow, factor - 1.0)?;
            world.launch("step", &plan.traffic.flows[*flow].from, &line)?;
        }
        Control::Batch { node, threads } => {
            world.add_pod(node, "batch")?;
            world.pod("batch")?.set_cpu_request(Some(0))?;
            world.launch("batch", "batch", &format!("spin --threads {threads}"))?;
        }
        Control::HealthChecks { from, to, rate } => {
            let line = extra_client(world, plan, from, to, &format!("--rate {rate} --close=reset"))?;
            world.launch("probe", from, &line)?;
        }
        Control::LongPoll { from, to, seconds } => {
            world.start("poll", to, &format!("server --port {POLL} --think-us {}", seconds * 1_000_000))?;
            let (to, from_address) = (world.address(to)?, world.address(from)?);
            let line = format!("client --to {to}:{POLL} --connections 10 --timeout-ms 20000 --from {from_address}");
            world.launch("polls", from, &line)?;
        }
        Control::Stream { from, to, mbit } => {
            let line = extra_stream(world, from, to, *mbit)?;
            world.launch("stream", from, &line)?;
        }
        Control::AgentRestart { node } => world.agents_mut()?.restart(node)?,
        Control::Restart { pod } => return Ok(restarts(vec![pod.clone()], 1.0)),
        Control::Rollout { seconds } => return Ok(restarts(servers(plan), *seconds)),
        Control::Churn { node, to, seconds } => return churn(world, plan, (node, to), *seconds),
        Control::Pauses { pod, ms, seconds } => return Ok(pauses(pod.clone(), *ms, *seconds)),
        Control::Autoscale { flow, seconds } => return autoscale(world, plan, *flow, *seconds),
    }
    Ok(Box::new(|_, _| Ok(())))
}

/// Restarts servers, one each so many seconds.
fn restarts(mut left: Vec<String>, seconds: f64) -> Tick {
    let mut due = seconds;
    Box::new(move |world, now| {
        if now >= due
            && let Some(pod) = left.pop()
        {
            due += seconds;
            let spec = world.stop(&pod)?;
            world.restart(&pod, &spec)?;
        }
        Ok(())
    })
}

/// Replaces a Pod with a new one each so many seconds.
fn churn(world: &World, plan: &Plan, (node, to): (&str, &str), seconds: f64) -> Result<Tick> {
    let port = plan.traffic.port;
    let line = format!("client --to {}:{port} --rate 30", world.address(to)?);
    let (node, mut number, mut due) = (node.to_owned(), 0_u32, 0.0);
    Ok(Box::new(move |world, now| {
        if now < due {
            return Ok(());
        }
        due += seconds;
        if number > 0 {
            world.remove_pod(&format!("job-{number}"))?;
        }
        number += 1;
        let name = format!("job-{number}");
        world.add_pod(&node, &name)?;
        world.launch(&name, &name, &line)
    }))
}

/// Stops a server for a moment each so many seconds.
fn pauses(pod: String, ms: u64, seconds: f64) -> Tick {
    let mut due = seconds / 2.0;
    Box::new(move |world, now| {
        if now >= due {
            due += seconds;
            world.signal(&pod, Signal::STOP)?;
            std::thread::sleep(Duration::from_millis(ms));
            world.signal(&pod, Signal::CONT)?;
        }
        Ok(())
    })
}

/// Adds a client like a flow's each so many seconds.
fn autoscale(world: &World, plan: &Plan, flow: usize, seconds: f64) -> Result<Tick> {
    let (line, pod) = (client(world, plan, flow, 1.0)?, plan.traffic.flows[flow].from.clone());
    let (mut number, mut due) = (0_u32, 0.0);
    Ok(Box::new(move |world, now| {
        if now >= due {
            due += seconds;
            number += 1;
            world.launch(&format!("more-{number}"), &pod, &line)?;
        }
        Ok(())
    }))
}
