//! What a kernel lacks is said wherever somebody looks.

use crate::{
    program::{Agent, Scratch, command},
    stage::{NEEDS, Said, stage},
};
use netwhy_agent::api::ProbeStatus;
use rustix::process::Signal;
use serde_json::Value;
use std::{ffi::OsStr, fs};

#[test]
fn what_the_kernel_lacks_is_said_by_preflight_the_api_and_metrics() {
    let stage = stage!("a");
    let scratch = Scratch::new("lacks");
    let file = scratch.file("netwhy.yaml");
    // Those that are off by default are on.
    fs::write(&file, "signals: {responses: \"auto\", http: \"auto\", dns_names: \"auto\"}\n").unwrap();
    let config = [OsStr::new("--config"), file.as_os_str()];
    let args = ["preflight", "-o", "json", "--listen", "127.0.0.1:0"].map(OsStr::new);
    let output = command(&stage, &[&args[..], &config].concat()).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let check = |need: &str| {
        let mut checks = report["checks"].as_array().unwrap().iter();
        checks.find(|check| check["need"] == need).unwrap_or_else(|| panic!("no {need} in {report}")).clone()
    };
    let agent = Agent::start(&stage, &config);
    let info: Value = serde_json::from_str(&agent.get("/api/v1/info", "application/json").unwrap().1).unwrap();
    let statuses: Vec<ProbeStatus> = serde_json::from_value(info["probes"].clone()).unwrap();
    for need in NEEDS {
        match need.said {
            Said::Probe(name, state, _) => {
                let status = statuses.iter().find(|status| status.name == name).unwrap();
                let labels = [format!("probe=\"{name}\""), format!("state=\"{}\"", status.state.label())];
                assert_eq!(
                    agent.sum("netwhy_agent_probe_state", &labels.each_ref().map(String::as_str)),
                    1.0,
                    "{name}"
                );
                if need.is_lacking() {
                    let check = check(&format!("probe {name}"));
                    assert_eq!(check["verdict"], "degraded", "{check}");
                    assert_eq!(check["found"], need.said_by(status), "{check}");
                } else {
                    assert_ne!(status.state, state, "{status:?}");
                }
            }
            Said::Lack(beginning) => {
                let check = check("type information (BTF)");
                assert_eq!(check["found"].as_str().unwrap().contains(beginning), need.is_lacking(), "{check}");
            }
        }
    }
    assert_eq!(agent.stop(Signal::TERM).0, Some(0));
}
