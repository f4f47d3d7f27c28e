//! Many agents behind a stand-in for the API server (agent/examples/fleet.rs).

use crate::tools::{Said, Scratch, command, eventually, kubeconfig};
use netwhy_tests::built::built;
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Killed on drop.
pub(crate) struct Fleet {
    child: Child,
    pub(crate) url: String,
}

impl Fleet {
    pub(crate) fn start(agents: usize, mute: usize) -> Self {
        Self::with(&["--agents", &agents.to_string(), "--mute", &mute.to_string()])
    }

    fn with(args: &[&str]) -> Self {
        let program = built("NETWHY_FLEET", ["--example", "fleet"]).unwrap();
        let mut command = Command::new(program);
        command.args(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        Self { child, url: ready["url"].as_str().unwrap().to_owned() }
    }
}

impl Fleet {
    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask(config: &PathBuf, args: &[&str]) -> Said {
    Said::of(command(args).arg("--kubeconfig").arg(config).output().unwrap())
}

#[test]
fn two_clusters_stand_side_by_side_and_silent_agents_are_named() {
    let (a, b) = (Fleet::start(30, 0), Fleet::start(20, 2));
    let scratch = Scratch::new("fleet");
    let contexts = [("left", a.url.as_str(), "t"), ("right", b.url.as_str(), "t")];
    let config = scratch.write("config", &kubeconfig(&contexts, "shop"));

    let one = ask(&config, &["hints", "-o", "json"]).well().json();
    assert_eq!((one["items"].as_array().unwrap().len(), one["agents"].as_u64()), (30, Some(30)));
    // Time enough for those that do answer, on a busy machine too.
    let both = ask(&config, &["hints", "--all-contexts", "-o", "json", "--request-timeout", "5s"]).well();
    let warnings: Vec<&str> = both.err.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(warnings.len(), 2, "{}", both.err);
    for node in ["node-00018", "node-00019"] {
        let line = warnings.iter().find(|line| line.contains(node)).unwrap();
        assert!(line.starts_with("warning: right: ") && line.contains("no answer within 5 s"), "{line}");
    }
    let json = both.json();
    assert_eq!((json[0]["context"].as_str(), json[1]["context"].as_str()), (Some("left"), Some("right")));
    assert_eq!(json[1]["not_answered"].as_array().unwrap().len(), 2);
    let table = ask(&config, &["hints", "--contexts", "left,right", "--request-timeout", "5s"]).well().out;
    assert!(table.starts_with("CONTEXT   NAMESPACE"), "{table}");
    assert_eq!(table.lines().count(), 1 + 30 + 18);

    let case = ask(&config, &["why", "pod/app-00007-0"]).well().out;
    assert!(case.contains("app-00007-0 loses packets to node-00000"), "{case}");
    ask(&config, &["why", "app-00007"]).failed(&["no Pod, workload, Service or Node is named \"app-00007\""]);
    let nodes = ask(&config, &["nodes", "-o", "json"]).well().json();
    assert_eq!(
        (nodes["items"][0]["node"].as_str(), nodes["items"][0]["peers_worse"].as_u64()),
        (Some("node-00000"), Some(29))
    );
    let topology = ask(&config, &["topology", "svc/app"]).well().out;
    for part in [
        "Service/app  [ok]",
        "EndpointSlice/app-1",
        "Pod/app-00000-0",
        "Node/node-00000  [ok]",
        "owned by ReplicaSet/app",
    ] {
        assert!(topology.contains(part), "{part:?} is in:\n{topology}");
    }
    ask(&config, &["topology", "svc/none"]).failed(&["no Service in namespace shop is named \"none\""]);
}

#[test]
fn a_pod_whose_agent_is_mute_is_an_error_and_not_well() {
    let fleet = Fleet::start(3, 1);
    let scratch = Scratch::new("mute");
    let config = scratch.write("config", &kubeconfig(&[("c", &fleet.url, "t")], "shop"));
    let said = ask(&config, &["why", "pod/app-00002-0", "--request-timeout", "5s"]);
    said.failed(&["the agent on node-00002 (netwhy/netwhy-2)", "no answer within 5 s"]);
    let none = ask(&config, &["hints", "--agent-selector", "app=other"]);
    none.failed(&["no agents found", "app=other", "--agent-selector"]);
}

/// As during an upgrade.
#[test]
fn agents_of_neighbouring_versions_are_asked_together_and_one_that_is_not_understood_is_named() {
    let scratch = Scratch::new("versions");
    for way in [&[][..], &["--proxy"]] {
        let fleet = Fleet::with(&[&["--agents", "6", "--earlier", "1", "--newer", "1"], way].concat());
        let config = scratch.write("config", &kubeconfig(&[("c", &fleet.url, "t")], "shop"));
        let hints = ask(&config, &["hints", "-A", "-o", "json"]).well();
        let json = hints.json();
        let silent = json["not_answered"].as_array().map(Vec::len);
        assert_eq!((json["agents"].as_u64(), silent), (Some(6), Some(0)), "{}", hints.err);
        let has = |node: &str| {
            let mut items = json["items"].as_array().unwrap().iter();
            items.any(|hint| hint["subject"]["node"] == node && hint["subject"]["name"] == "payment-1")
        };
        assert!(has("node-00004") && has("node-00005") && !has("node-00003"), "{}", hints.out);

        let matrix = ask(&config, &["matrix", "-o", "json"]).well();
        let warnings: Vec<&str> = matrix.err.lines().filter(|line| line.starts_with("warning: ")).collect();
        let [line] = warnings.as_slice() else { panic!("{}", matrix.err) };
        for part in ["node-00005", "can't read the answer", "use the plugin of the agents' version"] {
            assert!(line.contains(part), "{part:?} is in: {line}");
        }
        let json = matrix.json();
        assert_eq!((json["agents"].as_u64(), json["not_answered"].as_array().map(Vec::len)), (Some(5), Some(1)));
        let mut pairs = json["pairs"].as_array().unwrap().iter();
        assert!(pairs.any(|pair| pair["from"] == "a" && pair["to"] == "b"), "rows of the earlier one: {}", matrix.out);
    }
}

/// The lossy Node has an old driver, a small ring and a label of its own; nothing else of it is odd.
#[test]
fn a_blamed_node_is_contrasted_with_those_that_are_well() {
    let fleet = Fleet::start(12, 1);
    let scratch = Scratch::new("differs");
    let config = scratch.write("config", &kubeconfig(&[("c", &fleet.url, "t")], "shop"));
    let limit = ["--request-timeout", "5s"];
    let ask = |args: &[&str]| ask(&config, &[args, &limit].concat()).well();
    let said = ask(&["diff", "node/node-00000", "-o", "json"]);
    let report = said.json();
    let names: Vec<&str> = report["items"].as_array().unwrap().iter().map(|i| i["fact"].as_str().unwrap()).collect();
    assert_eq!(names, ["driver_version", "rx_ring", "label pool"], "{report}");
    let driver = &report["items"][0];
    assert_eq!((driver["value"].as_str(), driver["usual"].as_str()), (Some("5.1.0"), Some("5.19.0")));
    assert_eq!(
        (driver["same"].as_u64(), driver["compared"].as_u64(), report["well"].as_u64()),
        (Some(1), Some(11), Some(10))
    );
    assert!(said.err.contains("the agent on node-00011") && said.err.contains("no answer within 5 s"), "{}", said.err);
    let screen = ask(&["diff", "node/node-00000"]).out;
    println!("{screen}");
    assert!(screen.starts_with("node-00000 among 10 Nodes that are well\nFACT "), "{screen}");

    let line = "driver_version on eth0  1 of 11 has 5.1.0, 10 have 5.19.0";
    let why = ask(&["why", "pod/app-00007-0"]).out;
    assert!(why.contains("DIFFERS: node-00000 among 10 Nodes") && why.contains(line), "{why}");
    let nodes = ask(&["nodes"]).out;
    assert!(nodes.contains("DIFFERS: node-00000") && nodes.contains(&line.replacen("  ", ": ", 1)), "{nodes}");

    let pair = ask(&["diff", "node-00000", "node-00001", "-o", "json"]).json();
    assert_eq!((pair["other"].as_str(), pair["items"][0]["other"].as_str()), (Some("node-00001"), Some("5.19.0")));
    let same = ask(&["diff", "node-00001", "node-00002"]).out;
    assert!(same.contains("No known fact differs between them."), "{same}");
    let failed = |args: &[&str], parts: &[&str]| crate::fleet::ask(&config, args).failed(parts);
    failed(&["diff", "node/nobody", "--request-timeout", "5s"], &["no Node is named \"nobody\"", "get nodes"]);
    failed(&["diff", "pod/app"], &["Pod/app is no Node", "write node/NAME"]);
}

#[test]
fn one_agent_can_not_compare_nodes() {
    let said = crate::tools::ask(&["diff", "node-00000", "--agent", "http://127.0.0.1:9"]);
    said.failed(&["a single agent knows only its own Node", "omit --agent to compare Nodes"]);
}

#[test]
fn agents_on_loopback_and_behind_the_pod_proxy_give_the_same_answers() {
    let scratch = Scratch::new("ways");
    let answers = [&["--agents", "20"][..], &["--agents", "20", "--proxy"]].map(|args| {
        let fleet = Fleet::with(args);
        let config = scratch.write("config", &kubeconfig(&[("c", &fleet.url, "t")], "shop"));
        [&["hints"][..], &["nodes"], &["why", "pod/app-00007-0"]].map(|args| {
            let said = ask(&config, &[args, &["-o", "json"]].concat()).well();
            assert_eq!(said.err, "");
            said.json()
        })
    });
    assert_eq!(answers[0], answers[1]);
}

/// Ends of the plugin, and the most memory that it had, bytes.
fn peak(fleet: &Fleet, scratch: &Scratch, args: &[&str]) -> (Said, u64) {
    let config = scratch.write("config", &kubeconfig(&[("c", &fleet.url, "t")], "shop"));
    let mut command = command(args);
    // Plain text: their sizes are the same in each run.
    command.args(["-o", "json", "--request-timeout", "60s", "--kubeconfig"]).arg(config);
    let out = scratch.file("out");
    let err = scratch.file("err");
    command.stdout(std::fs::File::create(&out).unwrap()).stderr(std::fs::File::create(&err).unwrap());
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    // The kernel keeps the peak, so the last look before the end is enough.
    let code = loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        most = kib.map_or(most, |kib| kib << 10);
        match child.try_wait().unwrap() {
            Some(status) => break status.code().unwrap_or(-1),
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let read = |path| std::fs::read_to_string(path).unwrap();
    (Said { code, out: read(&out), err: read(&err) }, most)
}

#[test]
fn hostile_agents_cost_the_plugin_less_than_64_mb() {
    const ROOM: u64 = 64 << 20;
    let scratch = Scratch::new("hostile");
    for way in [&[][..], &["--proxy"]] {
        let honest = Fleet::with(&[&["--agents", "40"], way].concat());
        let (said, usual) = peak(&honest, &scratch, &["hints", "-A"]);
        assert_eq!(said.well().json()["agents"], 40);
        drop(honest);
        // All at once: 100 agents that answer with up to 24 MiB each.
        let hostile = Fleet::with(&[&["--agents", "140", "--hostile", "100"], way].concat());
        for args in [&["hints", "-A"][..], &["nodes"]] {
            let (said, peak) = peak(&hostile, &scratch, args);
            let said = said.well();
            println!("{way:?} {args:?}: {} KiB, {} KiB with hostile agents", usual >> 10, peak >> 10);
            assert!(peak < usual + ROOM, "{args:?}: {peak} bytes, {usual} without hostile agents");
            let silent = said.json()["not_answered"].as_array().unwrap().clone();
            // Three of five kinds are longer than an answer may be, or need more memory than there is.
            let is_large = |one: &Value| one["why"].as_str().unwrap().contains("--answer-memory");
            assert!(silent.len() >= 60 && silent.iter().any(is_large), "{}", said.err);
            // Honest agents lose nothing.
            assert!(silent.iter().all(|one| one["node"].as_str().unwrap() >= "node-00040"), "{}", said.err);
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure_and_a_watch_goes_on_until_stopped() {
    let fleet = Fleet::start(50, 0);
    let scratch = Scratch::new("watch");
    let config = scratch.write("config", &kubeconfig(&[("c", &fleet.url, "t")], "shop"));
    let mut command = command(&["hints", "-w", "--kubeconfig"]);
    let mut child = command.arg(&config).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..50 {
        let line = lines.next().unwrap().unwrap();
        assert!(line.contains("FIRING") && line.contains("path_loss"), "{line}");
    }
    assert!(child.try_wait().unwrap().is_none(), "it goes on");
    child.kill().unwrap();
    child.wait().unwrap();
    // No change, no further line.
    assert!(lines.next().is_none());

    let mut piped = crate::tools::command(&["nodes", "-w", "--kubeconfig"]);
    let mut child = piped.arg(&config).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    let status = eventually("end of a watch without a reader", || child.try_wait().unwrap().ok_or_else(String::new));
    assert!(status.success(), "{status}");
}

/// A Pod's callees are asked on their Nodes, and theirs on others, until an agent does not answer.
#[test]
fn the_time_of_requests_is_followed_from_node_to_node() {
    let fleet = Fleet::with(&["--agents", "8", "--pods", "1", "--edges", "2", "--mute", "1", "--calls"]);
    let scratch = Scratch::new("calls");
    let config = scratch.write("config", &kubeconfig(&[("one", fleet.url.as_str(), "t")], "shop"));
    let said = ask(&config, &["why", "pod/app-00001-0", "-o", "json", "--request-timeout", "5s"]).well();
    let case = said.json();
    let rows = case["waterfall"]["rows"].as_array().unwrap();
    let row = |depth: u64, pod: &str, callee: &str| {
        let callee = format!("shop/{callee}:8080");
        let is_it =
            |row: &&Value| row["depth"] == depth && row["pod"] == format!("shop/{pod}") && row["callee"] == callee;
        rows.iter().find(is_it).unwrap_or_else(|| panic!("{depth} {pod} {callee}: {}", case["waterfall"]))
    };
    assert_eq!((rows[0]["role"].as_str(), rows[0]["depth"].as_u64()), (Some("server"), Some(0)));
    let ms = |row: &Value, part: &str| (row["peer"][part].as_f64().unwrap() * 1e3).round();
    let split = |row: &Value| (ms(row, "unread_seconds"), ms(row, "application_seconds"), ms(row, "between_seconds"));
    // The agent of the third Node knows this client; the first's does not.
    let known = row(1, "app-00001-0", "app-00003-0");
    assert_eq!((split(known), known["peer"]["of"].as_str()), ((5.0, 40.0, 5.0), Some("this_client")), "{known}");
    let unknown = row(1, "app-00001-0", "app-00000-0");
    assert_eq!((split(unknown), unknown["peer"]["of"].as_str()), ((1.0, 30.0, 19.0), Some("all_clients")), "{unknown}");
    assert!(row(2, "app-00003-0", "app-00005-0")["end_of_path"].is_null());
    // Its agent is mute, and named once.
    let mute = row(3, "app-00005-0", "app-00007-0");
    assert_eq!((mute["end_of_path"].as_str(), &mute["peer"]), (Some("not_measured"), &Value::Null), "{mute}");
    let silent = case["not_answered"].as_array().unwrap();
    assert_eq!(silent.iter().map(|one| one["node"].as_str().unwrap()).collect::<Vec<_>>(), ["node-00007"]);
    let screen = ask(&config, &["why", "pod/app-00001-0", "--request-timeout", "5s"]).well().out;
    assert!(screen.contains("shop/app-00001-0 asks shop/app-00003-0:8080 on node-00003"), "{screen}");
    assert!(screen.contains("█ its application 40 ms"), "{screen}");
    println!("{screen}");
}
