//! The service map and pages for incidents, from real agents and a real API server.

use crate::{
    control_plane::{ControlPlane, NARROW, ONCALL},
    tools::{Said, eventually},
};
use serde_json::Value;

/// The edge between two Pods of the namespace.
fn edge(map: &Value, from: &str, to: &str) -> Result<Value, String> {
    let edges = map["edges"].as_array().unwrap();
    let found = edges.iter().find(|edge| edge["from"] == from && edge["to"] == to);
    found.cloned().ok_or_else(|| map["edges"].to_string())
}

/// One file that asks for nothing.
#[track_caller]
pub(crate) fn assert_page(said: &Said, words: &[&str]) {
    let page = said.out.as_str();
    assert!(page.starts_with("<!DOCTYPE html>\n") && page.ends_with("</html>\n"), "{page}");
    assert!(page.contains("Content-Security-Policy") && page.contains("default-src &#39;none&#39;"), "{page}");
    for active in ["<script", "<link", "<img", "<iframe", " href=", " src=", "http://", "https://", "\x1b"] {
        assert!(!page.contains(active), "{active} is in: {page}");
    }
    for word in words {
        assert!(page.contains(word), "{word:?} is in: {page}");
    }
}

/// Both ends are named by the API server. The client's connections leave with the address of its Node, which the agent's
/// Pod has here, so that the server's end is an edge of its own.
pub(crate) fn check(plane: &ControlPlane) {
    let edges = eventually("edges with requests of both ends", || {
        let map = plane.ask(ONCALL, &["map", "-o", "json"]).well().json();
        let ends = [("client", "Pod/shop/cart"), ("server", "DaemonSet/netwhy/netwhy")];
        let edges = ends.map(|(end, from)| edge(&map, from, "Pod/shop/db").map(|edge| (end, edge)));
        let is_whole = |(end, edge): &(&str, Value)| edge[end]["requests"].as_u64() > Some(400);
        if edges.iter().flatten().filter(|edge| is_whole(edge)).count() == 2 { Ok(edges) } else { Err(map.to_string()) }
    });
    for (end, edge) in edges.into_iter().flatten() {
        let (rate, p50) = (edge[end]["per_second"].as_f64().unwrap(), edge[end]["p50_seconds"].as_f64().unwrap());
        assert!((30.0..80.0).contains(&rate) && (0.018..0.05).contains(&p50), "{end}: {edge}");
        assert_eq!((&edge["ports"][0], &edge["directed"]), (&8080.into(), &true.into()), "{edge}");
        let way = if end == "client" { "sent" } else { "answered" };
        assert!(edge[way]["segments"].as_u64() > Some(0), "{edge}");
    }

    let screen = plane.ask(ONCALL, &["map"]).well().out;
    println!("{screen}");
    let line = screen.lines().find(|line| line.starts_with("Pod/cart ")).unwrap_or_else(|| panic!("{screen}"));
    assert!(line.contains(" Pod/db ") && line.contains("/s") && line.contains(" ms"), "{screen}");
    assert!(plane.ask(ONCALL, &["map", "-A"]).well().out.contains("shop/Pod/cart"));
    assert!(plane.ask(ONCALL, &["map", "-o", "mermaid"]).well().out.contains("Pod/cart"));
    assert_page(&plane.ask(ONCALL, &["map", "-o", "html"]).well(), &["<svg", "Pod/cart", "Pod/db"]);
    assert_page(
        &plane.ask(ONCALL, &["why", "pod/cart", "-o", "html"]).well(),
        &["Where the time goes", "shop/db:8080"],
    );
    assert_page(&plane.ask(ONCALL, &["matrix", "-o", "html"]).well(), &["RTT and loss between"]);
    plane.ask(ONCALL, &["hints", "-o", "html"]).failed(&["this command has no HTML; use -o html with"]);
    plane.ask(ONCALL, &["map", "-w", "-o", "html"]).failed(&["can't watch a page; omit -w"]);

    // Who may not list Services gets a map too, and reads what is missing in it.
    let narrow = plane.ask(NARROW, &["map", "-o", "json"]).well().json();
    assert!(narrow["unknown"].to_string().contains("names of Services"), "{}", narrow["unknown"]);
    assert!(self::edge(&narrow, "Pod/shop/cart", "Pod/shop/db").is_ok(), "{narrow}");
}

/// The callee is gone: the hint is on the edge and on both of its ends, and comes first.
pub(crate) fn with_fault(plane: &ControlPlane) {
    let map = eventually("marked edge", || {
        let map = plane.ask(ONCALL, &["map", "-o", "json"]).well().json();
        if map["edges"][0]["state"] == "hint" { Ok(map) } else { Err(map.to_string()) }
    });
    let first = edge(&map, "Pod/shop/cart", "Pod/shop/db").unwrap();
    assert_eq!((&first, &first["hints"][0]["cause"]), (&map["edges"][0], &"peer_refusing".into()), "{map}");
    assert!(first["failed_connects"].as_u64() > Some(0), "{first}");
    for (id, blamed) in [("Pod/shop/cart", false), ("Pod/shop/db", true)] {
        let node = map["nodes"].as_array().unwrap().iter().find(|node| node["id"] == id);
        assert_eq!(node.map(|node| &node["hints"][0]["blamed"]), Some(&blamed.into()), "{id}: {map}");
    }
    let screen = plane.ask(ONCALL, &["map"]).well().out;
    println!("{screen}");
    assert!(screen.contains("peer_refusing") && screen.contains("it, for shop/cart"), "{screen}");
    assert_page(&plane.ask(ONCALL, &["map", "-o", "html"]).well(), &["peer_refusing", "edge hint"]);
}
