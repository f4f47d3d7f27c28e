//! The flight recorder of a running agent: over a kill, and on a full disk.

use crate::{
    program::{Agent, Scratch, traffic},
    stage::{Stage, stage, wait_until},
};
use netwhy_agent::api::{AgentStats, History, HistoryStats, PodRow};
use rustix::process::Signal;
use serde::de::DeserializeOwned;
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// A configuration file that records to a folder, a frame a second.
fn configured(scratch: &Scratch, folder: &Path) -> std::path::PathBuf {
    let file = scratch.file("netwhy.yaml");
    fs::write(&file, format!("history: {{folder: \"{}\", frame_seconds: 1}}\n", folder.display())).unwrap();
    file
}

fn json<T: DeserializeOwned>(agent: &Agent, path: &str) -> T {
    let (status, body) = agent.get(path, "application/json").unwrap();
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

fn stats(agent: &Agent) -> HistoryStats {
    json::<AgentStats>(agent, "/api/v1/info").history.expect("it records")
}

/// The record of all times.
fn history(agent: &Agent) -> History {
    json(agent, "/api/v1/history?from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00Z")
}

#[test]
fn the_past_of_pods_that_are_gone_is_there_after_a_kill() {
    let stage = stage!("a", "b");
    let scratch = Scratch::new("history-kill");
    let folder = scratch.file("ring");
    let file = configured(&scratch, &folder);
    let args = ["--config".as_ref(), file.as_ref()];
    let mut agent = Agent::start(&stage, &args);
    let (client, flow) = traffic(&stage);
    let of_client = |rows: Vec<PodRow>| rows.into_iter().find(|row| row.name == client.name);
    let sent = |row: &PodRow| row.window.counts.segments_sent;
    wait_until("the window has it", || {
        of_client(json(&agent, "/api/v1/pods")).is_some_and(|row| sent(&row) >= flow.data_segs_out)
    });
    // Frames of this moment and later are on their way to the disk: two more, and it is there.
    let before = stats(&agent).frames;
    wait_until("it is recorded", || stats(&agent).frames >= before + 2);
    let then = history(&agent).spans.last().unwrap().to.clone();
    let live = of_client(json(&agent, &format!("/api/v1/pods?at={then}"))).expect("it replays while it runs");
    assert!(sent(&live) >= flow.data_segs_out, "{} {}", sent(&live), flow.data_segs_out);
    agent.child.kill().unwrap();
    agent.child.wait().unwrap();
    drop(agent);
    assert!(fs::read_dir(&folder).unwrap().any(|entry| entry.unwrap().path().extension().is_some_and(|e| e == "open")));
    client.remove().unwrap();

    let agent = Agent::start(&stage, &args);
    let found = stats(&agent);
    assert_eq!((found.lost_segments, found.broken), (0, None));
    let row = of_client(json(&agent, &format!("/api/v1/pods?at={then}"))).expect("the Pod was there then");
    assert_eq!(sent(&row), sent(&live));
    assert!(of_client(json(&agent, "/api/v1/pods")).is_none(), "it is gone now");
    let (status, body) = agent.get("/api/v1/pods?at=2001-01-01T00:00:00Z", "*/*").unwrap();
    assert_eq!(status, 410);
    assert!(body.contains("older than the history"), "{body}");
    // A Landlock that forbids writing there would show here.
    let before = stats(&agent).frames;
    wait_until("the restart continues", || stats(&agent).frames > before + 1);
    assert_eq!(agent.stop(Signal::TERM), (Some(0), String::new()));
    let names: Vec<String> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!names.iter().any(|name| name.ends_with(".open")), "{names:?}");
}

/// An agent that records to a disk of 256 KiB, in a mount namespace of its own, which something else fills.
fn on_a_full_disk(stage: &Stage, folder: &Path, file: &Path) -> Agent {
    const SCRIPT: &str = "mount -t tmpfs -o size=256k,mode=0777 none \"$1\" && \
                          { cat /dev/zero >\"$1/filler\" 2>/dev/null; shift; exec \"$@\"; }";
    Agent::start_by(stage, &["--config".as_ref(), file.as_ref()], |agent| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", SCRIPT, "sh"]).arg(folder);
        command.arg(agent.get_program()).args(agent.get_args());
        for (name, value) in agent.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
    })
}

#[test]
fn a_full_disk_costs_frames_and_never_the_agent() {
    let stage = stage!("a");
    let scratch = Scratch::new("history-full");
    let folder = scratch.file("disk");
    fs::create_dir(&folder).unwrap();
    let file = configured(&scratch, &folder);
    let agent = on_a_full_disk(&stage, &folder, &file);
    wait_until("it says why nothing is recorded", || {
        stats(&agent).broken.is_some_and(|why| why.contains("No space left on device"))
    });
    let broken = agent.sum("netwhy_agent_history_broken", &[]);
    assert_eq!((broken, agent.get("/readyz", "*/*").unwrap().0), (1.0, 200));
    assert!(agent.sum("netwhy_agent_history_frames_total", &["result=\"lost\""]) >= 1.0);
    // The disk as the agent sees it.
    let inside =
        Path::new("/proc").join(agent.child.id().to_string()).join("root").join(folder.strip_prefix("/").unwrap());
    fs::remove_file(inside.join("filler")).unwrap();
    wait_until("it records again", || stats(&agent).frames >= 3);
    assert_eq!(stats(&agent).broken, None);
    assert_eq!(agent.stop(Signal::TERM), (Some(0), String::new()));
}
