//! Controls: load and changes that look like faults. Any hint about them is a false alarm.

use super::{Active, path};
use crate::eval::laboratory::{
    topology::World,
    traffic::{API, STORE},
};
use anyhow::Result;
use netwhy_tests::lab::run;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::eval::laboratory) enum Control {
    /// Nothing happens.
    Idle,
    /// One stream as fast as the machine's share allows.
    LineRateBulk,
    /// Six Nodes send to one at the same moment.
    Incast,
    /// All CPUs are used by what has the least weight.
    BusyWithoutVictim,
    /// A Pod without traffic is throttled.
    ThrottledBatch,
    /// Answers that come after 4 s, as agreed.
    LongPoll,
    /// Two servers are restarted, one after the other.
    RollingRestart,
    /// Pods come and go.
    PodChurn,
    /// Probes that end their connections with a reset.
    HealthCheckResets,
    /// One web Pod asks five times as much.
    LoadStep,
    /// A stream fills its own queue until it overflows.
    SelfLoss,
    /// The zones are 2 ms apart, and were before the agents started.
    CrossZoneDelay,
    /// A server stands still for 200 ms now and then.
    Pauses,
    /// An agent is restarted.
    AgentRestart,
}

use Control::*;

/// Port of a stream that has a queue of its own.
const OWN_QUEUE: u16 = 9100;

impl Control {
    pub(in crate::eval::laboratory) const ALL: [Self; 14] = [
        Idle,
        LineRateBulk,
        Incast,
        BusyWithoutVictim,
        ThrottledBatch,
        LongPoll,
        RollingRestart,
        PodChurn,
        HealthCheckResets,
        LoadStep,
        SelfLoss,
        CrossZoneDelay,
        Pauses,
        AgentRestart,
    ];

    pub(in crate::eval::laboratory) const fn name(self) -> &'static str {
        match self {
            Idle => "idle",
            LineRateBulk => "line-rate-bulk",
            Incast => "incast",
            BusyWithoutVictim => "busy-without-victim",
            ThrottledBatch => "throttled-batch",
            LongPoll => "long-poll",
            RollingRestart => "rolling-restart",
            PodChurn => "pod-churn",
            HealthCheckResets => "health-check-resets",
            LoadStep => "load-step",
            SelfLoss => "self-loss",
            CrossZoneDelay => "cross-zone-delay",
            Pauses => "pauses",
            AgentRestart => "agent-restart",
        }
    }

    pub(super) fn begin(self, world: &mut World) -> Result<Active> {
        match self {
            Idle => Ok(Active::default()),
            LineRateBulk => {
                let to = world.address("store-f")?;
                extra(world, "web-e", "bulk", &format!("bulk --to {to}:{STORE} --rate-mbit 250 --cc cubic"))
            }
            Incast => incast(world),
            BusyWithoutVictim => {
                let active = batch(world, "d", "batch-d", "spin --threads 2")?;
                world.pod("batch-d")?.set_cpu_request(Some(0))?;
                Ok(active)
            }
            ThrottledBatch => {
                let active = batch(world, "c", "batch-c", "spin")?;
                world.pod("batch-c")?.set_cpu_quota(Some(0.1))?;
                Ok(active)
            }
            LongPoll => {
                let port = 8090;
                let server = extra(world, "api-f", "poll", &format!("server --port {port} --think-us 4000000"))?;
                let to = world.address("api-f")?;
                let line = format!("client --to {to}:{port} --connections 20 --timeout-ms 20000");
                Ok(server.and(extra(world, "web-a", "poll", &line)?))
            }
            RollingRestart => rolling_restart(),
            PodChurn => pod_churn(world),
            HealthCheckResets => health_check_resets(world),
            LoadStep => load_step(world),
            SelfLoss => self_loss(world),
            CrossZoneDelay => cross_zone(world),
            Pauses => pauses(),
            AgentRestart => {
                world.agents_mut()?.restart("c")?;
                Ok(Active::default())
            }
        }
    }
}

/// Six Nodes send 1 MB each to one Node, every 2 s.
fn incast(world: &World) -> Result<Active> {
    let to = world.address("store-b")?;
    let line = format!("bulk --to {to}:{STORE} --bytes 1000000 --cc cubic");
    let mut next = Duration::ZERO;
    Ok(Active::default().and_tick(move |world, since| {
        if since >= next {
            next = since + Duration::from_secs(2);
            for pod in ["web-a", "web-c", "web-d", "web-e", "web-g", "web-h"] {
                world.launch(&format!("{pod}.incast"), pod, &words(&line))?;
            }
        }
        Ok(())
    }))
    .map(|active| {
        active.heal_by(|world| {
            ["web-a", "web-c", "web-d", "web-e", "web-g", "web-h"]
                .iter()
                .try_for_each(|pod| world.stop(&format!("{pod}.incast")).map(drop))
        })
    })
}

/// Restarts two servers, 5 s apart.
fn rolling_restart() -> Result<Active> {
    let mut left = vec!["api-g", "api-b"];
    Ok(Active::default().and_tick(move |world, since| {
        let due = since > Duration::from_secs(2 + 5 * (2 - left.len() as u64));
        if let (true, Some(pod)) = (due, left.pop()) {
            let spec = world.stop(pod)?;
            world.restart(pod, &spec)?;
        }
        Ok(())
    }))
}

/// Replaces a Pod with a new one every 1.5 s.
fn pod_churn(world: &mut World) -> Result<Active> {
    let to = world.address("api-e")?;
    let line = format!("client --to {to}:{API} --rate 50 --cc cubic");
    let (mut number, mut last) = (0, None::<String>);
    world.add_pod("a", "job-0")?;
    world.remove_pod("job-0")?;
    let mut next = Duration::ZERO;
    Ok(Active::default()
        .and_tick(move |world, since| {
            if since < next {
                return Ok(());
            }
            next = since + Duration::from_millis(1500);
            if let Some(old) = last.take() {
                world.stop(&old)?;
                world.remove_pod(&old)?;
            }
            number += 1;
            let pod = format!("job-{number}");
            world.add_pod("a", &pod)?;
            world.launch(&pod, &pod, &words(&line))?;
            last = Some(pod);
            Ok(())
        })
        .heal_by(|world| world.remove_pods("job-")))
}

/// Health checks that end each connection with a reset.
fn health_check_resets(world: &mut World) -> Result<Active> {
    let apis = ["api-a", "api-b", "api-f"].map(|pod| world.address(pod));
    let to = apis.into_iter().map(|ip| ip.map(|ip| format!(" --to {ip}:{API}"))).collect::<Result<String>>()?;
    extra(world, "web-d", "probe", &format!("client{to} --rate 3 --close=reset"))
}

/// One web Pod sends five times as many requests.
fn load_step(world: &mut World) -> Result<Active> {
    let apis = ["api-b", "api-c", "api-e", "api-g", "api-h"].map(|pod| world.address(pod));
    let to = apis.into_iter().map(|ip| ip.map(|ip| format!(" --to {ip}:{API}"))).collect::<Result<String>>()?;
    extra(world, "web-a", "step", &format!("client{to} --connections 4 --rate 800 --response-bytes 4000 --cc cubic"))
}

/// Stops a server for 200 ms, every 6 s.
fn pauses() -> Result<Active> {
    let mut stopped: Option<Duration> = None;
    Ok(Active::default()
        .and_tick(move |world, since| {
            let phase = since.as_secs_f64() % 6.0;
            if stopped.is_none() && phase > 2.0 && phase < 3.0 {
                world.signal("api-c", rustix::process::Signal::STOP)?;
                std::thread::sleep(Duration::from_millis(200));
                world.signal("api-c", rustix::process::Signal::CONT)?;
                stopped = Some(since);
            } else if phase > 4.0 {
                stopped = None;
            }
            Ok(())
        })
        .heal_by(|world| world.signal("api-c", rustix::process::Signal::CONT)))
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// A further program in a Pod.
fn extra(world: &mut World, pod: &str, what: &str, line: &str) -> Result<Active> {
    let name = format!("{pod}.{what}");
    world.start(&name, pod, &words(line))?;
    Ok(Active::default().heal_by(move |world| world.stop(&name).map(drop)))
}

/// A further Pod without traffic.
fn batch(world: &mut World, node: &str, pod: &'static str, line: &str) -> Result<Active> {
    world.add_pod(node, pod)?;
    world.launch(pod, pod, &words(line))?;
    Ok(Active::default().heal_by(move |world| {
        world.stop(pod)?;
        world.remove_pod(pod)
    }))
}

/// One CPU processes all packets that a Node receives. Otherwise any CPU may empty the queue in front of a virtual
/// interface and process the packets that it took: they would overtake each other, as behind no NIC.
fn one_after_the_other(world: &World, node: &str) -> Result<Active> {
    let file = format!("/sys/class/net/{}/queues/rx-0/rps_cpus", world.lab().node(node)?.device);
    let node = node.to_owned();
    let set = move |world: &World, cpus: &str| {
        world.lab().node(&node)?.run(&["sh", "-c", &format!("echo {cpus} > {file}")]).map(drop)
    };
    set(world, "1")?;
    Ok(Active::default().heal_by(move |world| set(world, "0")))
}

/// A stream whose packets alone wait in a short queue in front of a rate limit.
fn self_loss(world: &mut World) -> Result<Active> {
    let (switch, port) = (world.lab().net().switch().to_owned(), world.lab().node("h")?.port.clone());
    let tc = |line: &str| run(&[&["tc", "-n", &switch], words(line).as_slice()].concat());
    let active = one_after_the_other(world, "h")?;
    let queue = || -> Result<()> {
        tc(&format!("qdisc replace dev {port} root handle 1: htb default 0"))?;
        // Everything passes at once but the class that the switch marks its packets with.
        tc(&format!("class add dev {port} parent 1: classid 1:3 htb rate 10gbit quantum 60000"))?;
        tc(&format!("qdisc add dev {port} parent 1:3 handle 30: tbf rate 30mbit burst 8k limit 60k")).map(drop)
    };
    let made = queue();
    let (netns, device) = (switch.clone(), port.clone());
    let active = active.heal_by(move |_| run(&["tc", "-n", &netns, "qdisc", "del", "dev", &device, "root"]).map(drop));
    if let Err(error) = made {
        return active.heal(world).and(Err(error));
    }
    let active = active.and(path::forwarded(world, &[format!("tcp dport {OWN_QUEUE} meta priority set 1:3")])?);
    let active = active.and(extra(world, "store-h", "own", &format!("sink --port {OWN_QUEUE}"))?);
    let to = world.address("store-h")?;
    Ok(active.and(extra(world, "web-e", "own", &format!("bulk --to {to}:{OWN_QUEUE} --cc cubic"))?))
}

/// A forwarder between the two bridges; the agents start anew, so that it has always been there for them.
fn cross_zone(world: &mut World) -> Result<Active> {
    let active = path::between_zones(world, 2.0)?;
    match world.start_agents() {
        Ok(()) => Ok(active.finish_by(World::start_agents)),
        Err(error) => active.heal(world).and(Err(error)),
    }
}
