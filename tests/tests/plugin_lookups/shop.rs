//! Asks a real agent directly, before, during and after a fault.

use crate::tools::{TRAFFIC, ask, eventually, skips, start_agent, wait_ready};
use netwhy_tests::{
    lab::{Fault, Program, Shop},
    ports,
};
use std::path::Path;

/// A shop with one agent for all of it.
pub(crate) struct Watched {
    // The agent stops before the shop.
    _agent: Program,
    pub(crate) shop: Shop,
    pub(crate) url: String,
}

impl Watched {
    pub(crate) fn open() -> Self {
        Self::open_with(&[])
    }

    /// `settings`: arguments of the agent.
    pub(crate) fn open_with(settings: &[&str]) -> Self {
        let shop = Shop::open(Path::new(TRAFFIC), Some("cubic")).unwrap();
        let address = ports::free().unwrap();
        let root = shop.lab().cgroups().root().to_path_buf();
        let listen = format!("--listen={address}");
        let args = [&["--kube", "off", &listen], settings].concat();
        let agent = start_agent(shop.lab(), None, "a", &root, &args);
        wait_ready(address);
        Self { _agent: agent, url: format!("http://{address}"), shop }
    }

    pub(crate) fn ask(&self, args: &[&str]) -> crate::tools::Said {
        let all: Vec<&str> = args.iter().copied().chain(["--agent", &self.url]).collect();
        ask(&all)
    }
}

/// Measured traffic, and no cause.
fn healthy(watched: &Watched) {
    // The first window may hold no more than the handshakes.
    let known = |case: &serde_json::Value, figure: &str| {
        let facts = ["well", "odd"].into_iter().filter_map(|list| case[list].as_array()).flatten();
        facts.into_iter().any(|fact| fact["what"] == figure)
    };
    let well = eventually("measured window", || {
        let case = watched.ask(&["why", "pod/web-a", "-o", "json"]).well().json();
        let is_well = case["verdict"]["state"] == "nothing_found" && known(&case, "loss") && known(&case, "RTT");
        if is_well { Ok(case) } else { Err(case.to_string()) }
    });
    assert!(well["verdict"]["confidence"].is_null());
}

/// The screen has the verdict before everything else, and a query to copy.
fn verdict_comes_first(watched: &Watched) {
    let screen = watched.ask(&["why", "cart-a"]).well().out;
    println!("{screen}");
    let at = |word: &str| screen.find(word).unwrap_or_else(|| panic!("{word:?} is in:\n{screen}"));
    assert!(at("cart-a") < at("peer_refusing") && at("peer_refusing") < at("EVIDENCE"), "{screen}");
    assert!(at("EVIDENCE") < at("NEXT STEP") && at("NEXT STEP") < at("PROMQL"), "{screen}");
    assert!(screen.contains("netwhy_tcp_connect_failures_total{") && !screen.contains('\x1b'), "{screen}");
    assert!(screen.lines().count() <= 50, "one screen:\n{screen}");
}

fn every_command_has_every_format(watched: &Watched) {
    for command in
        [&["why", "cart-a"][..], &["why", "node/a"], &["hints"], &["nodes"], &["matrix"], &["map"], &["diagnose"]]
    {
        for format in ["table", "wide", "json", "yaml", "mermaid"] {
            let args: Vec<&str> = command.iter().copied().chain(["-o", format]).collect();
            let said = watched.ask(&args).well();
            assert!(!said.out.trim().is_empty() && said.err.is_empty(), "{args:?}: {}{}", said.out, said.err);
            match format {
                "json" => assert!(said.json().is_object(), "{args:?}"),
                "mermaid" => assert!(said.out.starts_with("flowchart "), "{args:?}: {}", said.out),
                _ => {}
            }
        }
    }
    for command in [&["why", "cart-a"][..], &["matrix"], &["map"]] {
        let args: Vec<&str> = command.iter().copied().chain(["-o", "html"]).collect();
        crate::map::assert_page(&watched.ask(&args).well(), &[]);
    }
    let hints = watched.ask(&["hints", "-o", "json"]).json();
    let causes: Vec<&str> = hints["items"].as_array().unwrap().iter().filter_map(|h| h["cause"].as_str()).collect();
    assert!(causes.contains(&"peer_refusing"), "{hints}");
    let node = watched.ask(&["why", "node/a", "-o", "json"]).json();
    assert_eq!(node["kind"], "Node");
}

fn wrong_targets(watched: &Watched) {
    watched.ask(&["why", "pod/cart"]).failed(&["the agent on a knows no Pod/cart", "did you mean cart-a?"]);
    watched.ask(&["why", "node/z"]).failed(&["Node \"a\", not \"z\""]);
    watched.ask(&["why", "svc/x"]).failed(&["does not know Services"]);
    watched.ask(&["topology", "svc/x"]).failed(&["omit --agent"]);
}

/// Without a terminal, `top` is a list.
fn lists_pods_once(watched: &Watched) {
    let table = watched.ask(&["top"]).well().out;
    assert!(table.starts_with("POD ") && table.contains("cart-a"), "{table}");
    let list = watched.ask(&["top", "-o", "json"]).well().json();
    let names: Vec<&str> = list["items"].as_array().unwrap().iter().filter_map(|pod| pod["name"].as_str()).collect();
    assert!(names.contains(&"cart-a") && list["agents"] == 1, "{list}");
}

#[test]
fn a_real_agent_is_asked_directly_while_a_server_is_down() {
    if skips("plugin on a real agent") {
        return;
    }
    let mut watched = Watched::open();
    healthy(&watched);

    let fault: Fault = "refused".parse().unwrap();
    let injected = fault.inject(&mut watched.shop).unwrap();
    let case = eventually("verdict", || {
        let case = watched.ask(&["why", "cart-a", "-o", "json"]).well().json();
        if case["verdict"]["state"] == "cause_found" { Ok(case) } else { Err(case["verdict"].to_string()) }
    });
    assert_eq!(case["verdict"]["cause"], "peer_refusing", "{case}");
    assert!(case["evidence"].as_array().is_some_and(|all| !all.is_empty()), "{case}");
    verdict_comes_first(&watched);
    every_command_has_every_format(&watched);
    wrong_targets(&watched);
    lists_pods_once(&watched);

    // Resolved: hidden by default, shown with --since.
    injected.heal(&mut watched.shop).unwrap();
    eventually("end of the hint", || {
        let now = watched.ask(&["hints", "-o", "json"]).json();
        if now["items"].as_array().unwrap().is_empty() { Ok(()) } else { Err(now.to_string()) }
    });
    let past = watched.ask(&["hints", "--since", "10m", "-o", "json"]).json();
    assert!(
        past["items"].as_array().unwrap().iter().any(|h| h["cause"] == "peer_refusing" && h["state"] == "resolved")
    );
    let case = watched.ask(&["why", "cart-a", "--since", "10m", "-o", "json"]).json();
    assert_eq!(case["verdict"]["state"], "resolved", "{}", case["verdict"]);
}
