//! Facts in which real Nodes differ, from real agents and a real API server.

use crate::{
    control_plane::{ADMIN, ControlPlane, NARROW, ONCALL},
    tools::eventually,
};
use netwhy_tests::lab::Node;
use serde_json::Value;

const SETTING: &str = "net.ipv4.tcp_congestion_control";

/// Makes Node `a` differ: a sysctl of its network namespace, which every kernel has, and a label. Agents read facts at
/// their start.
pub(crate) fn prepare(plane: &ControlPlane, node: &Node) {
    node.run(&["sysctl", "-w", &format!("{SETTING}=reno")]).unwrap();
    for (name, pool) in [("a", "canary"), ("b", "general")] {
        plane.kubectl(ADMIN, &["label", "node", name, &format!("pool={pool}")], "").unwrap();
        plane.kubectl(ADMIN, &["label", "node", name, &format!("kubernetes.io/hostname={name}")], "").unwrap();
    }
}

fn item<'v>(report: &'v Value, fact: &str) -> Option<&'v Value> {
    report["items"].as_array().unwrap().iter().find(|item| item["fact"] == fact)
}

pub(crate) fn check(plane: &ControlPlane) {
    let report = eventually("facts of both agents", || {
        let said = plane.ask(ONCALL, &["diff", "node/a", "node/b", "-o", "json"]);
        let report = (said.code == 0).then(|| said.json()).ok_or(said.err)?;
        if item(&report, SETTING).is_some() { Ok(report) } else { Err(report.to_string()) }
    });
    let setting = item(&report, SETTING).unwrap();
    assert_eq!((setting["value"].as_str(), setting["kind"].as_str()), (Some("reno"), Some("sysctl")), "{setting}");
    let other = setting["other"].as_str().unwrap();
    assert_ne!(other, "reno", "{setting}");
    let pool = item(&report, "label pool").unwrap_or_else(|| panic!("{report}"));
    assert_eq!((pool["value"].as_str(), pool["other"].as_str()), (Some("canary"), Some("general")));
    // Both are network namespaces of one kernel.
    for same in ["kernel", "memory", "uptime", "scatter-gather"] {
        assert!(item(&report, same).is_none(), "{same} is the same: {report}");
    }
    let screen = plane.ask(ONCALL, &["diff", "node/a", "node/b"]).well().out;
    println!("{screen}");
    assert!(screen.contains(SETTING) && screen.contains("canary"), "{screen}");

    // The agents' facts need no right to read Nodes, and what is missing is named.
    let narrow = plane.ask(NARROW, &["diff", "node/a", "node/b", "-o", "json"]).well().json();
    assert_eq!(item(&narrow, SETTING), Some(setting), "{narrow}");
    assert!(item(&narrow, "label pool").is_none(), "{narrow}");
    let unknown = narrow["unknown"].to_string();
    assert!(
        unknown.contains("labels, versions and zones") && unknown.contains("cannot get resource \\\"nodes"),
        "{unknown}"
    );
    // Two Nodes are too few to tell which one is odd.
    let alone = plane.ask(ONCALL, &["diff", "node/a", "-o", "json"]).well().json();
    assert!(alone["items"].as_array().unwrap().is_empty(), "{alone}");
    assert!(alone["unknown"].to_string().contains("it takes 2 or more"), "{alone}");
    plane.ask(ONCALL, &["diff", "node/z"]).failed(&["no Node is named \"z\""]);
}
