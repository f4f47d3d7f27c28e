//! Pods that are held up, or hold others up.

use super::{Active, caller_of, machine, node_of};
use crate::eval::laboratory::{
    score::{ANY, Expected},
    topology::World,
    traffic::{API, STORE},
    who::Who,
};
use anyhow::{Context as _, Result};

/// Requests per second that an api Pod answers.
const REQUESTS: f64 = 212.0;
/// CPU time of a request beside its work, µs.
const OVERHEAD_US: f64 = 50.0;
/// Work per request in normal times, µs; as [`traffic`](crate::eval::laboratory::traffic) has it.
const USUAL_WORK_US: u64 = 100;
const USUAL_THINK_US: u64 = 1000;
const USUAL_EXTERNAL_US: u64 = 2000;
/// Memory of a Pod whose page cache thrashes, and what it reads, MB.
const THRASH_LIMIT_MB: u64 = 24;
const THRASH_FILE_MB: u64 = 96;
/// Memory of a Pod that is killed for it, and what it takes, MB.
const OOM_LIMIT_MB: u64 = 48;
const OOM_TAKES_MB: u64 = 160;

#[derive(Clone, Debug, PartialEq)]
pub(in crate::eval::laboratory) enum PodFault {
    /// An api Pod's work needs half as much again as its quota, % of a CPU.
    CpuQuota(String, f64),
    /// Two programs read more than its memory holds.
    MemoryThrash(String),
    /// Takes more memory than it may, again and again.
    OomLoop(String),
    /// Its reads are limited, kB/s.
    IoThrottle(String, u64),
    /// A store Pod reads this many bytes per second from each connection.
    SlowReader(String, u64),
    /// A bulk Pod sends through a send buffer of this size, bytes, over 5 ms each way. It is paced, because the kernel
    /// calls a sender limited by its buffer when the last byte leaves while the program waits for room.
    SmallSendBuffer(String, u64),
    /// An api Pod accepts nothing.
    AcceptQueue(String),
    /// An api Pod's process is gone.
    ListenerGone(String),
    /// An api Pod's address answers everything with a reset.
    RstStorm(String),
    /// A resolver thinks, ms.
    DnsDelay(String, u64),
    /// An api Pod thinks, ms.
    ApplicationLock(String, u64),
    /// The server outside the cluster thinks, ms.
    ExternalSlow(u64),
}

use PodFault::*;

impl PodFault {
    pub(super) fn inject(&self, world: &mut World) -> Result<Active> {
        match self {
            CpuQuota(pod, percent) => cpu_quota(world, pod, *percent),
            MemoryThrash(pod) => memory_thrash(world, pod),
            OomLoop(pod) => oom_loop(world, pod),
            IoThrottle(pod, kbytes) => {
                let (device, file) = (machine::scratch_device()?, machine::scratch("io")?);
                world.pod(pod)?.set_read_limit(&device, Some(kbytes * 1000))?;
                let healed = pod.clone();
                let active = Active::default().heal_by(move |world| world.pod(&healed)?.set_read_limit(&device, None));
                Ok(active.and(run_beside(world, pod, &format!("disk --file {file} --mbytes 16 --direct"))?))
            }
            SlowReader(pod, bytes) => {
                tell(world, pod, &format!("slow-bytes-per-second {bytes}"), "slow-bytes-per-second 0")
            }
            SmallSendBuffer(pod, bytes) => small_send_buffer(world, pod, *bytes),
            AcceptQueue(pod) => {
                let backlog = tell(world, pod, "backlog 1", "backlog 1024")?;
                Ok(backlog.and(tell(world, pod, "accept off", "accept on")?))
            }
            ListenerGone(pod) => {
                let spec = world.stop(pod)?;
                let pod = pod.clone();
                Ok(Active::default().heal_by(move |world| world.restart(&pod, &spec)))
            }
            RstStorm(pod) => {
                let (node, address) = (world.lab().node(node_of(pod))?.clone(), world.address(pod)?);
                node.nft(&format!(
                    "add table ip netwhy_reset\n\
                     add chain ip netwhy_reset input {{ type filter hook input priority 0; }}\n\
                     add rule ip netwhy_reset input ip daddr {address} tcp dport {API} reject with tcp reset\n"
                ))?;
                Ok(Active::default().heal_by(move |_| node.nft("delete table ip netwhy_reset\n")))
            }
            DnsDelay(pod, ms) => tell(world, pod, &format!("delay-us {}", ms * 1000), "delay-us 0"),
            ApplicationLock(pod, ms) => {
                tell(world, pod, &format!("think-us {}", ms * 1000), &format!("think-us {USUAL_THINK_US}"))
            }
            ExternalSlow(ms) => {
                tell(world, "ext", &format!("think-us {}", ms * 1000), &format!("think-us {USUAL_EXTERNAL_US}"))
            }
        }
    }

    pub(super) fn expected(&self) -> Expected {
        // Whatever else is said of the Pod at fault is true of it too: callers wait for it, its queue fills.
        let of = |pod: &String, causes: &[&'static str]| Expected {
            right: causes.iter().map(|cause| (Who::pod(pod), *cause)).collect(),
            also: vec![(Who::pod(pod), ANY)],
        };
        match self {
            CpuQuota(pod, _) => of(pod, &["pod_cpu_throttled"]),
            MemoryThrash(pod) => of(pod, &["pod_memory_pressure"]),
            OomLoop(pod) => of(pod, &["pod_oom_killed"]),
            IoThrottle(pod, _) => of(pod, &["pod_io_pressure"]),
            // Both ends see it, each with its own name for it.
            SlowReader(pod, _) => of(pod, &["pod_slow_reader", "peer_receiver_limited"]),
            SmallSendBuffer(pod, _) => of(pod, &["pod_send_buffer_limited"]),
            AcceptQueue(pod) => of(pod, &["pod_accept_queue_full"]),
            ListenerGone(pod) | RstStorm(pod) => of(pod, &["peer_refusing"]),
            DnsDelay(pod, _) => of(pod, &["dns_slow"]),
            // The Pod knows by its own stalls, its callers by their waiting.
            ApplicationLock(pod, _) => of(pod, &["pod_application_slow", "peer_slow"]),
            ExternalSlow(_) => {
                Expected { right: vec![(Who::External, "external_slow")], also: vec![(Who::External, ANY)] }
            }
        }
    }

    pub(super) fn witnesses(&self) -> Vec<String> {
        match self {
            CpuQuota(pod, _)
            | MemoryThrash(pod)
            | OomLoop(pod)
            | IoThrottle(pod, _)
            | SmallSendBuffer(pod, _)
            | AcceptQueue(pod) => vec![node_of(pod).to_owned()],
            // Streams come from the Node before it in the ring; so do requests.
            SlowReader(pod, _) | ListenerGone(pod) | RstStorm(pod) | DnsDelay(pod, _) | ApplicationLock(pod, _) => {
                vec![caller_of(node_of(pod))]
            }
            ExternalSlow(_) => vec!["a".to_owned()],
        }
    }
}

/// Limits a Pod to a share of a CPU, and gives each request work for half as much again.
fn cpu_quota(world: &mut World, pod: &str, percent: f64) -> Result<Active> {
    let work_us = 1.5 * percent * 1e4 / REQUESTS - OVERHEAD_US;
    world.pod(pod)?.set_cpu_quota(Some(percent / 100.0))?;
    let healed = pod.to_owned();
    let active = Active::default().heal_by(move |world| world.pod(&healed)?.set_cpu_quota(None).map(drop));
    let told = tell(world, pod, &format!("work-us {work_us:.0}"), &format!("work-us {USUAL_WORK_US}"))?;
    Ok(active.and(told))
}

/// Two programs read more than the page cache of a Pod may hold.
fn memory_thrash(world: &mut World, pod: &str) -> Result<Active> {
    world.pod(pod)?.set_memory_limit(Some(THRASH_LIMIT_MB << 20))?;
    let healed = pod.to_owned();
    let active = Active::default().heal_by(move |world| world.pod(&healed)?.set_memory_limit(None));
    let mut active = active;
    for reader in ["one", "other"] {
        let file = machine::scratch("thrash")?;
        let line = format!("disk --file {file} --mbytes {THRASH_FILE_MB}");
        active = active.and(run_as(world, pod, reader, &line)?);
    }
    Ok(active)
}

/// Starts a program that needs more memory than its Pod may have, again after each kill.
fn oom_loop(world: &mut World, pod: &str) -> Result<Active> {
    world.pod(pod)?.set_memory_limit(Some(OOM_LIMIT_MB << 20))?;
    let healed = pod.to_owned();
    let active = Active::default().heal_by(move |world| world.pod(&healed)?.set_memory_limit(None));
    let (name, line) = (format!("{pod}.beside"), format!("memory --mbytes {OOM_TAKES_MB}"));
    let active = active.and(run_beside(world, pod, &line)?);
    let pod = pod.to_owned();
    Ok(active.and_tick(move |world, _| {
        // A restart policy of Always.
        if world.has_ended(&name) {
            world.launch(&name, &pod, &line.split(' ').collect::<Vec<_>>())?;
        }
        Ok(())
    }))
}

/// Restarts a stream with a small send buffer on a path of 5 ms each way.
fn small_send_buffer(world: &mut World, pod: &str, bytes: u64) -> Result<Active> {
    let node = world.lab().node(node_of(pod))?.clone();
    let spec = world.stop(pod)?;
    let to = world.address("store-f")?;
    // The distance has always been there for the agents: what changes is the buffer.
    let delayed = super::PathFault::NodeDelay(node.name, 5.0).inject(world)?;
    world.restart(pod, &spec)?;
    if let Err(error) = world.start_agents() {
        return delayed.heal(world).and(Err(error));
    }
    world.stop(pod)?;
    let line = format!("bulk --to {to}:{STORE} --send-buffer {bytes} --pace-mbit 512 --cc cubic --timeout-ms 8000");
    world.start(pod, pod, &line.split(' ').collect::<Vec<_>>())?;
    let pod = pod.to_owned();
    let restart = Active::default().heal_by(move |world| {
        world.stop(&pod)?;
        world.restart(&pod, &spec)
    });
    Ok(delayed.and(restart).finish_by(World::start_agents))
}

/// Changes the settings of a Pod's program, and back when healed.
fn tell(world: &mut World, pod: &str, line: &str, healed: &str) -> Result<Active> {
    world.tell(pod, line).with_context(|| format!("change {pod}"))?;
    let (pod, healed) = (pod.to_owned(), healed.to_owned());
    Ok(Active::default().heal_by(move |world| world.tell(&pod, &healed)))
}

/// Starts a second program in a Pod.
fn run_beside(world: &mut World, pod: &str, line: &str) -> Result<Active> {
    run_as(world, pod, "beside", line)
}

/// Starts a further program in a Pod.
fn run_as(world: &mut World, pod: &str, what: &str, line: &str) -> Result<Active> {
    let name = format!("{pod}.{what}");
    world.launch(&name, pod, &line.split(' ').collect::<Vec<_>>())?;
    Ok(Active::default().heal_by(move |world| world.stop(&name).map(drop)))
}
