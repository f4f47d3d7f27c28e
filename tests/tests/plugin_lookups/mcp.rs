//! `mcp` with an independent client: the Python package `mcp`.

use crate::{
    control_plane::{ControlPlane, NOBODY, ONCALL},
    fleet::Fleet,
    tools::{Scratch, command, kubeconfig, plugin},
};
use netwhy_tests::mcp;
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Longest answer, bytes.
const MAX_BYTES: usize = 4096;
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plugin_lookups/mcp_client.py");

/// Python with the client. `None`: it is not installed, which is said.
fn python(test: &str) -> Option<PathBuf> {
    // target/debug/deps/plugin_lookups-…
    let own = std::env::current_exe().unwrap();
    let found = own.ancestors().nth(3).and_then(mcp::find);
    if found.is_none() {
        assert!(!std::env::var("CI").is_ok_and(|ci| ci == "true"), "{test} needs {}, and CI=true", mcp::PACKAGE);
        println!("SKIP {test}: no Python package {}: `cargo xtask test` installs it", mcp::PACKAGE);
    }
    found
}

/// The answer of the client to these calls. `line`: the command line that runs the client.
fn session(mut client: Command, config: &Path, flags: &[&str], calls: &Value) -> Value {
    let mut server = vec![plugin().to_str().unwrap(), "mcp", "--kubeconfig", config.to_str().unwrap()];
    server.extend(flags);
    let asked = json!({"command": server, "calls": calls});
    let mut child =
        client.arg(CLIENT).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output.stdout)))
}

/// The answer of one call that succeeded, which is JSON of at most 4 KB.
#[track_caller]
fn answer(session: &Value, number: usize) -> Value {
    let one = &session["answers"][number];
    let text = one["text"].as_str().unwrap();
    assert!(one["is_error"] == false && text.len() <= MAX_BYTES, "{one}");
    let answer: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(one["tool"] == "explain" || answer["not_answered"].is_array(), "{answer}");
    answer
}

/// The text of one call that failed.
#[track_caller]
fn failure(session: &Value, number: usize) -> String {
    let one = &session["answers"][number];
    assert_eq!(one["is_error"], true, "{one}");
    one["text"].as_str().unwrap().to_owned()
}

#[test]
fn an_assistant_gets_bounded_verdicts_with_who_did_not_answer() {
    let Some(python) = python("mcp with an independent client") else { return };
    // Two hundred hints do not fit into one answer.
    let fleet = Fleet::start(200, 1);
    let scratch = Scratch::new("mcp");
    let config = scratch.write("config", &kubeconfig(&[("c", &fleet.url, "t")], "shop"));
    let calls = json!([
        ["why", {"target": "pod/app-00007-0"}],
        ["hints", {}],
        ["nodes", {}],
        ["edge", {"from": "node-00007", "to": "node-00000"}],
        ["topology", {"service": "app"}],
        ["differs", {"node": "node-00000"}],
        ["explain", {"cause": "path_loss"}],
        ["health", {}],
        ["hints", {"namespace": "nobody-is-here"}],
        ["why", {}],
        ["hints", {"since": "yesterday"}],
        ["delete", {}],
        ["why", {"target": "pod/app-00007-0", "namespace": "../../nodes"}],
    ]);
    let said = session(Command::new(python), &config, &["--request-timeout", "3s"], &calls);
    assert_eq!(said["server"], "kubectl-netwhy");
    assert!(said["instructions"].as_str().unwrap().contains("not as instructions"), "{}", said["instructions"]);
    let tools = said["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["why", "changed", "history", "hints", "nodes", "edge", "topology", "differs", "explain", "health"]
    );
    assert!(tools.iter().all(|tool| tool["annotations"]["readOnlyHint"] == true), "{tools:?}");

    let why = answer(&said, 0);
    assert!(why["verdict"].as_str().unwrap().contains("app-00007-0 loses packets to node-00000"), "{why}");
    assert!(why["blamed_node_differs"][0].as_str().unwrap().contains("1 of 41 has 5.1.0, 40 have 5.19.0"), "{why}");
    let hints = answer(&said, 1);
    let shown = hints["hints"].as_array().unwrap().len();
    assert_eq!((hints["count"].as_u64(), hints["left_off"]["hints"].as_u64()), (Some(199), Some(199 - shown as u64)));
    assert!(shown > 3, "{hints}");
    assert!(hints["not_answered"][0].as_str().unwrap().starts_with("node-00199: no answer within 3 s"), "{hints}");
    let nodes = answer(&said, 2);
    assert_eq!((nodes["nodes"][0]["node"].as_str(), nodes["agents"].as_u64()), (Some("node-00000"), Some(199)));
    assert!(nodes["blamed_nodes_differ"][0].as_str().unwrap().contains("driver_version on eth0"), "{nodes}");
    let edge = answer(&said, 3);
    assert_eq!(edge["forth"]["loss_episodes"].as_u64().map(|n| n > 0), Some(true), "{edge}");
    assert!(answer(&said, 4)["objects"][0].as_str().unwrap().starts_with("Service/app [ok]"));
    assert!(answer(&said, 5)["differences"].to_string().contains("label pool: 1 of 199 has canary, 198 have general"));
    assert!(answer(&said, 6)["what_to_do"].is_string());
    assert_eq!(answer(&said, 7)["agents"], 199);
    assert_eq!(answer(&said, 8)["count"], 0);
    for (number, part) in [
        (9, "why needs the argument target"),
        (10, "write a time such as 10m"),
        (11, "no tool is named \"delete\""),
        (12, "is no name of a namespace"),
    ] {
        assert!(failure(&said, number).contains(part), "{}", failure(&said, number));
    }
}

/// The tools have the rights of the kubeconfig, and no others.
pub(crate) fn check(plane: &ControlPlane) {
    let Some(python) = python("mcp on a real API server") else { return };
    let calls = json!([
        ["why", {"target": "pod/cart"}],
        ["health", {}],
        ["differs", {"node": "a", "other": "b"}],
        ["changed", {"target": "node/b", "since": "1h"}],
        ["history", {"since": "1h", "namespace": "*"}],
        ["history", {"since": "1h", "until": "2h"}],
        ["why", {"target": "pod/cart", "at": "noon"}],
    ]);
    let ask = |token| {
        let mut client = plane.inside(vec![python.clone().into()]);
        client.env_remove("KUBECONFIG");
        session(client, &plane.config(token), &[], &calls)
    };
    let said = ask(ONCALL);
    let why = answer(&said, 0);
    assert_eq!((why["target"].as_str(), why["nodes"][0].as_str()), (Some("Pod shop/cart"), Some("a")), "{why}");
    let health = answer(&said, 1);
    assert_eq!((health["agents"].as_u64(), health["attached"].as_u64()), (Some(2), Some(2)), "{health}");
    let differs = answer(&said, 2);
    assert!(differs["differences"].to_string().contains("net.ipv4.tcp_congestion_control: reno, "), "{differs}");
    let changed = answer(&said, 3);
    assert_eq!(changed["target"], "Node b", "{changed}");
    assert!(changed["changes"].to_string().contains("Node/b netwhy's agent started"), "{changed}");
    // The agents started a moment ago.
    let history = answer(&said, 4);
    assert_eq!(history["not_recorded"].as_array().map(Vec::len), Some(2), "{history}");
    assert!(failure(&said, 5).contains("write the earlier time"), "{}", failure(&said, 5));
    assert!(failure(&said, 6).contains("write a time such as 03:12"), "{}", failure(&said, 6));
    println!("{said:#}");
    let refused = ask(NOBODY);
    for number in 0..5 {
        assert!(failure(&refused, number).contains("forbidden"), "{}", failure(&refused, number));
    }
}

/// Sockets that listen, by inode.
fn listeners(pid: u32) -> Vec<String> {
    let mut listening = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        let fields = text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
        listening.extend(fields.filter(|f| f[3] == "0A").map(|f| format!("socket:[{}]", f[9])));
    }
    let fds = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let links = fds.filter_map(|fd| Some(fs::read_link(fd.path()).ok()?.to_string_lossy().into_owned()));
    links.filter(|link| listening.contains(link)).collect()
}

#[test]
fn a_session_has_no_listener_and_ends_with_its_input() {
    let fleet = Fleet::start(3, 0);
    let scratch = Scratch::new("mcp-end");
    let config = scratch.write("config", &kubeconfig(&[("c", &fleet.url, "t")], "shop"));
    let mut command = command(&["mcp", "--kubeconfig"]);
    let mut child =
        command.arg(&config).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let hello = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    });
    writeln!(input, "{hello}").unwrap();
    writeln!(input, "{}", json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(first["result"]["serverInfo"]["name"], "kubectl-netwhy", "{first}");
    assert_eq!(listeners(child.id()), Vec::<String>::new());
    assert!(!listeners(fleet.id()).is_empty(), "the look finds those of a program that listens");
    drop(input);
    let status = child.wait().unwrap();
    assert!(status.success() && lines.next().is_none(), "{status}");
}

#[test]
fn without_a_client_or_with_several_clusters_it_fails_like_other_commands() {
    let scratch = Scratch::new("mcp-fails");
    let contexts = [("a", "http://127.0.0.1:9", "t"), ("b", "http://127.0.0.1:9", "t")];
    let config = scratch.write("config", &kubeconfig(&contexts, "shop"));
    let ask = |args: &[&str]| crate::tools::Said::of(command(args).arg("--kubeconfig").arg(&config).output().unwrap());
    ask(&["mcp"]).failed(&["the MCP client does not begin a session", "start this command from an MCP client"]);
    ask(&["mcp", "--all-contexts"]).failed(&["mcp serves one cluster", "pass --context"]);
}
