//! Where the time goes: a real server that thinks, its client, and an agent that observes both.

use crate::tools::{PATIENCE, Said, Scratch, TRAFFIC, ask, eventually, skips, start_agent, wait_ready};
use netwhy_tests::{
    lab::{Lab, Program},
    ports,
};
use serde_json::Value;
use std::path::Path;

/// Think time of the server, s.
const THINKS: f64 = 0.05;

/// A server that thinks on Node b, its client on Node a, and one agent for both.
struct Asked {
    // The agent stops before the programs, and these before the laboratory.
    _agent: Program,
    server: Program,
    _client: Program,
    url: String,
    _scratch: Scratch,
    _lab: Lab,
}

impl Asked {
    fn open() -> Self {
        let lab = Lab::new(Path::new(TRAFFIC), &["a", "b"]).unwrap();
        let (asks, answers) = (lab.pod("a", "shop-a").unwrap(), lab.pod("b", "api-b").unwrap());
        let scratch = Scratch::new("waterfall");
        let settings = format!("--config={}", scratch.write("netwhy.yaml", "signals:\n  responses: on\n").display());
        let address = ports::free().unwrap();
        let root = lab.cgroups().root().to_path_buf();
        let listen = format!("--listen={address}");
        let agent = start_agent(&lab, None, "a", &root, &["--kube", "off", &listen, &settings]);
        wait_ready(address);
        let think = format!("{:.0}", THINKS * 1e6);
        let server = lab.start(&answers, &["server", "--port", "8080", "--think-us", &think]).unwrap();
        server.wait_ready(PATIENCE).unwrap();
        let to = format!("{}:8080", lab.node("b").unwrap().ipv4);
        // Longer than a hanging server is observed.
        let args = ["client", "--to", &to, "--connections", "4", "--rate", "60", "--timeout-ms", "60000"];
        let client = lab.start(&asks, &args).unwrap();
        Self { _agent: agent, server, _client: client, url: format!("http://{address}"), _scratch: scratch, _lab: lab }
    }

    fn ask(&self, pod: &str, format: &str) -> Said {
        ask(&["why", pod, "-o", format, "--agent", &self.url])
    }

    fn why(&self, pod: &str, format: &str) -> String {
        self.ask(pod, format).well().out
    }

    /// The first row of this role.
    fn row(&self, pod: &str, role: &str) -> Result<Value, String> {
        let said = self.ask(pod, "json");
        if said.code != 0 {
            // The agent does not know the Pod yet.
            return Err(said.err);
        }
        let case = said.json();
        let rows = case["waterfall"]["rows"].as_array().unwrap();
        let row = rows.iter().find(|row| row["role"] == role);
        row.cloned().ok_or_else(|| case["waterfall"].to_string())
    }

    /// The row of this role once requests of a whole window ended, and normal times are known.
    fn settled(&self, pod: &str, role: &str) -> Value {
        eventually("row with normal times", || {
            let row = self.row(pod, role)?;
            let enough = row["requests"].as_u64() > Some(300) && !row["normally"].is_null();
            if enough { Ok(row) } else { Err(row.to_string()) }
        })
    }
}

/// Mean of a stage, s.
#[track_caller]
fn stage(row: &Value, name: &str) -> f64 {
    let stages = row["stages"].as_array().unwrap();
    let stage = stages.iter().find(|stage| stage["stage"] == name);
    stage.and_then(|stage| stage["seconds"].as_f64()).unwrap_or_else(|| panic!("no {name}: {row}"))
}

/// Think time, and a busy machine's wake-ups.
#[track_caller]
fn assert_thinks(what: &str, seconds: f64) {
    assert!((THINKS..2.0 * THINKS).contains(&seconds), "{what} takes {seconds} s");
}

/// The same of the ms that stand behind this word on a screen.
#[track_caller]
fn assert_shown(screen: &str, word: &str) {
    let number = |rest: &str| rest.split(' ').next().and_then(|number| number.parse::<f64>().ok());
    let ms = screen.split(word).skip(1).find_map(number);
    assert_thinks(word, ms.unwrap_or_else(|| panic!("no {word}NUMBER in:\n{screen}")) / 1e3);
}

fn server_thinks(asked: &Asked) {
    let row = asked.settled("pod/api-b", "server");
    assert_thinks("application", stage(&row, "application"));
    assert!(stage(&row, "unread") < 0.03, "{row}");
    let per_second = row["per_second"].as_f64().unwrap();
    assert!((30.0..70.0).contains(&per_second), "{row}");
    for times in ["now", "normally"] {
        let p50 = row[times]["p50_seconds"].as_f64().unwrap();
        assert!((0.045..0.1).contains(&p50), "{times}: {row}");
    }
    assert_eq!((&row["unanswered"], &row["callee"]), (&0.into(), &Value::Null), "{row}");
}

fn client_waits_for_its_peer(asked: &Asked) {
    let row = asked.settled("pod/shop-a", "client");
    assert_thinks("peer", stage(&row, "peer"));
    assert!(stage(&row, "network") < 0.03 && stage(&row, "retransmission") == 0.0, "{row}");
    let callee = row["callee"].as_str().unwrap();
    assert!(callee.ends_with(":8080"), "{row}");
    // Without an API server nobody knows which Pod has the address.
    assert_eq!((&row["end_of_path"], &row["peer"]), (&"no_pod".into(), &Value::Null), "{row}");
}

fn every_format_shows_it(asked: &Asked) {
    let screen = asked.why("pod/api-b", "table");
    println!("{screen}{}", asked.why("pod/shop-a", "table"));
    let section = screen.split("WHERE THE TIME GOES").nth(1).unwrap_or_else(|| panic!("{screen}"));
    assert_shown(section, "█ application ");
    assert!(section.contains("p95 "), "{screen}");
    assert!(section.contains("████████"), "{screen}");
    assert!(asked.why("pod/api-b", "yaml").contains("waterfall:"));
    let chart = asked.why("pod/shop-a", "mermaid");
    assert!(chart.starts_with("flowchart "), "{chart}");
    assert_shown(&chart, "peer ");
}

/// A server that became slow stands beside its normal times, and its stage tells why.
fn slower_server(asked: &mut Asked) {
    asked.server.tell("think-us 150000").unwrap();
    let row = eventually("slow row", || {
        let row = asked.row("pod/api-b", "server")?;
        let is_slow = row["now"]["p50_seconds"].as_f64() > Some(0.12);
        if is_slow { Ok(row) } else { Err(row.to_string()) }
    });
    let normally = |row: &Value| row["normally"]["p50_seconds"].as_f64().unwrap();
    assert!(normally(&row) < 0.1, "{row}");
    assert!(stage(&row, "application") > 0.1 && stage(&row, "unread") < 0.05, "{row}");
    println!("{}{}", asked.why("pod/api-b", "table"), asked.why("pod/shop-a", "table"));
}

/// A server that hangs shows although no request of it ends.
fn hanging_server(asked: &mut Asked) {
    asked.server.tell("think-us 30000000").unwrap();
    let hangs = |pod: &str, role: &str| {
        eventually("requests that wait", || {
            let row = asked.row(pod, role)?;
            let waits = row["unanswered"].as_u64() > Some(0) && row["unanswered_for_seconds"].as_f64() > Some(2.0);
            // The window with the last answers is over.
            if waits && row["requests"] == 0 { Ok(row) } else { Err(row.to_string()) }
        })
    };
    for (pod, role) in [("pod/api-b", "server"), ("pod/shop-a", "client")] {
        let row = hangs(pod, role);
        assert_eq!((row["unanswered"].as_u64(), &row["now"]["p50_seconds"]), (Some(4), &Value::Null), "{row}");
    }
    let screen = asked.why("pod/shop-a", "table");
    assert!(screen.contains("4 requests wait for an answer, some for "), "{screen}");
}

#[test]
fn why_shows_where_the_time_of_requests_goes() {
    if skips("waterfall of a real server") {
        return;
    }
    let mut asked = Asked::open();
    server_thinks(&asked);
    client_waits_for_its_peer(&asked);
    every_format_shows_it(&asked);
    slower_server(&mut asked);
    hanging_server(&mut asked);
}

#[test]
fn without_response_times_why_says_that_they_are_off() {
    if skips("waterfall without response times") {
        return;
    }
    let scratch = Scratch::new("no-waterfall");
    let settings = format!("--config={}", scratch.write("netwhy.yaml", "signals:\n  responses: off\n").display());
    let watched = crate::shop::Watched::open_with(&[&settings]);
    eventually("section", || {
        let screen = watched.ask(&["why", "pod/web-a"]).well().out;
        let off = "response times are off on a: set signals.responses to on";
        if screen.contains(off) { Ok(()) } else { Err(screen) }
    });
}
