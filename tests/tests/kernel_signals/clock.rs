//! Clocks of the agent that differ from the kernel's.

use crate::{
    program::{Agent, traffic},
    stage::{stage, wait_until},
};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};
use std::{fs, io, os::fd::AsFd as _, os::unix::process::CommandExt as _, path::Path};

/// Moves this process, which has one thread, into a new time namespace. Its clocks differ by these seconds.
fn enter_time_namespace(seconds: i64) -> io::Result<()> {
    // SAFETY: a time namespace shares no memory or descriptors.
    unsafe { unshare_unsafe(UnshareFlags::NEWTIME) }?;
    fs::write("/proc/self/timens_offsets", format!("monotonic {seconds} 0\nboottime {seconds} 0\n"))?;
    let namespace = fs::File::open("/proc/self/ns/time_for_children")?;
    Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Time))?)
}

/// The kernel programs read the machine's clock, whatever time namespace the agent is in.
#[test]
fn an_agent_in_another_time_namespace_reads_the_kernels_times() {
    if !Path::new("/proc/self/timens_offsets").exists() {
        println!("SKIP another time namespace: machine: the kernel has no time namespaces");
        return;
    }
    let stage = stage!("a", "b");
    // No clock may be before zero.
    let up = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic).tv_sec;
    for seconds in [86_400, -(up / 2).min(600)] {
        let agent = Agent::start_by(&stage, &[], |mut command| {
            // SAFETY: the child of a fork has one thread; the C library keeps its allocator usable there.
            unsafe { command.pre_exec(move || enter_time_namespace(seconds)) };
            command.spawn()
        });
        let namespace = |process: u32| fs::read_link(format!("/proc/{process}/ns/time")).unwrap();
        assert_ne!(namespace(agent.child.id()), namespace(std::process::id()));
        let (client, flow) = traffic(&stage);
        wait_until("the metrics have it", || {
            agent.sum("netwhy_tcp_segments_sent_total", &[&client.name]) >= flow.data_segs_out as f64
        });
        assert_eq!(agent.sum("netwhy_tcp_segments_sent_total", &[&client.name]), flow.data_segs_out as f64);
        // The lowest RTT of a window is the newest rows' by the kernel's time.
        wait_until("the lowest RTT of the window", || {
            let (_, body) = agent.get("/api/v1/edges", "application/json").unwrap();
            let edges: serde_json::Value = serde_json::from_str(&body).unwrap();
            let mut rows = edges.as_array().unwrap().iter();
            rows.any(|row| row["subject"]["name"] == client.name.as_str() && row["min_rtt_seconds"].is_f64())
        });
        assert_eq!(agent.get("/readyz", "*/*").map(|(status, _)| status), Some(200), "no view is from the future");
        client.remove().unwrap();
        stage.pod("b", "server").remove().unwrap();
    }
}
