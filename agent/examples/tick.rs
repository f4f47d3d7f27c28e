//! The cost of a tick on a synthetic Node, from the snapshot to the judged view: growth, window, join and hints.
//! `cargo xtask bench --only tick` runs it. Reading the kernel's maps and files, and publishing, are not in it.
//!
//! Prints one line of JSON: `{"pods": …, "edges": …, "cases": […]}`. In each case, `judged` are the edges in the view,
//! and `seconds` the CPU time of each tick.

#[path = "tick/node.rs"]
mod node;

use anyhow::{anyhow, ensure};
use netwhy_agent::{api::HintState, config::Config, pipeline::Pipeline};
use node::{EDGES, Node, PODS, Trouble};
use rustix::time::ClockId;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// Ticks before the trouble begins. Then the window is full, and all normal values are known.
const BEFORE: u64 = 40;
/// Ticks of the trouble that are measured.
const MEASURED: u64 = 30;
/// Configuration under which all edges are judged.
const ALL: &str = "limits: {edges_in_view: 8192}";

fn main() -> anyhow::Result<()> {
    let mut cases = vec![measure("", Trouble::None)?];
    for trouble in Trouble::ALL {
        cases.push(measure(ALL, trouble)?);
    }
    println!("{}", json!({ "pods": PODS, "edges": EDGES, "cases": cases }));
    Ok(())
}

/// `text`: the agent's configuration.
fn measure(text: &str, trouble: Trouble) -> anyhow::Result<Value> {
    let config = Config::parse(text, "tick").map_err(|errors| anyhow!("{errors}"))?;
    let mut pipeline = Pipeline::new(node::NAME, &config);
    pipeline.set_peers(Arc::new(node::peers()));
    pipeline.set_pods(Arc::new(node::pods()), Duration::ZERO);
    let (mut node, mut view, mut seconds) = (Node::new(), None, Vec::new());
    for tick in 1..=BEFORE + MEASURED {
        let now = if tick > BEFORE { trouble } else { Trouble::None };
        let snapshot = node.second(tick, now);
        let began = cpu();
        // The view before goes, as it does when the new one is published.
        drop(view.replace(pipeline.take(&snapshot)));
        let took = cpu() - began;
        if tick > BEFORE {
            seconds.push(took);
        }
    }
    let view = view.ok_or_else(|| anyhow!("there was no tick"))?;
    let (judged, pods) = (view.edges.len(), view.subjects.len() as u64);
    ensure!(pods == PODS, "the view has {pods} Pods");
    ensure!(text != ALL || judged as u64 == EDGES, "the view has {judged} edges");
    let hints = view.hints.iter().filter(|hint| hint.state == HintState::Firing).count();
    Ok(json!({ "judged": judged, "trouble": trouble.text(), "hints": hints, "seconds": seconds }))
}

/// CPU time of this thread so far, s.
fn cpu() -> f64 {
    let now = rustix::time::clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}
