//! A short piece of the scored laboratory (`cargo xtask eval --only laboratory --quick`): faults with clear margins
//! must be found and rightly blamed, and nothing may be said where nothing is wrong. The full run is a command; see
//! docs/accuracy.md. And a fault and a control of the laboratory that invents its cases.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic, as tests may")]

use netwhy_tests::built::built;
use serde_json::Value;
use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

/// Floors. Three faults are tried: one may be misjudged on a machine that has other things to do.
const TOP1: f64 = 0.6;
const RECALL: f64 = 0.6;

/// `xtask eval` with the programs that were built for the tests. `None`: needs root.
fn eval(args: &[&str]) -> Option<(Value, String)> {
    if !rustix::process::geteuid().is_root() {
        println!("SKIP scored laboratory: needs root");
        return None;
    }
    let agent = built("NETWHY_AGENT", ["--bin", "netwhy-agent"]).unwrap();
    let traffic = Path::new(env!("CARGO_BIN_EXE_netwhy-traffic"));
    let programs = traffic.parent().unwrap();
    assert_eq!(agent.parent(), Some(programs), "both programs are built into one folder");
    let json = env::temp_dir().join(format!("netwhy-eval-{}-{}.json", std::process::id(), args.len()));
    let mut run = Command::new(built("NETWHY_XTASK", ["--bin", "xtask"]).unwrap());
    run.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
    run.arg("eval").args(args).arg("--json").arg(&json);
    let output = run.arg("--programs").arg(programs).stdin(Stdio::null()).output().unwrap();
    let said = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    let figures = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    fs::remove_file(&json).unwrap();
    Some((figures, said))
}

#[test]
fn clear_faults_are_named_and_a_healthy_cluster_is_silent() {
    let Some((figures, said)) = eval(&["--only", "laboratory", "--quick"]) else { return };
    let number = |key: &str| figures[key].as_f64().unwrap_or_else(|| panic!("no {key}: {said}"));
    assert_eq!((number("faults"), number("controls")), (3.0, 1.0), "{said}");
    assert!(number("top1") >= TOP1, "{said}");
    assert!(number("recall") >= RECALL, "{said}");
    assert_eq!(number("wrong_node"), 0.0, "{said}");
    assert_eq!(number("control_hints"), 0.0, "{said}");
    let cases = figures["cases"].as_array().unwrap();
    for key in ["fault", "magnitude", "seed", "expected", "got", "seconds"] {
        assert!(cases.iter().all(|case| case.get(key).is_some()), "every case has {key}");
    }
}

/// A drawn case runs from its number alone: both are of a seed for work on rules.
#[test]
fn invented_cases_run_and_are_scored() {
    let Some((figures, said)) = eval(&["--generate", "1", "--seed", "1", "--case", "2", "--case", "3"]) else { return };
    let generated = &figures["generated"];
    assert_eq!(generated["not_run"], serde_json::json!([]), "{said}");
    let cases = figures["cases"].as_array().unwrap();
    assert_eq!(generated["cases"], 2);
    let drawn: Vec<(u64, bool)> = cases
        .iter()
        .map(|case| (case["case"].as_u64().unwrap(), case["drawn"]["event"]["fault"].is_object()))
        .collect();
    assert_eq!(drawn, [(2, true), (3, false)], "{said}");
    for case in cases {
        let flows = case["drawn"]["traffic"]["flows"].as_array().unwrap().len();
        assert_eq!(case["severities"].as_array().unwrap().len(), flows, "each client gave figures");
        assert_eq!(case["at"].as_array().unwrap().len(), 4);
    }
    for key in ["top1", "top1_blame", "top1_named_or_abstained", "wrong_node", "control_hints", "brier", "chain_true"] {
        assert!(generated.get(key).is_some(), "{key}");
    }
}
