//! The past, from the flight recorders of real agents: also of a Pod that is gone.

use crate::{
    control_plane::{ADMIN, ControlPlane, ONCALL},
    tools::eventually,
};
use serde_json::Value;

/// The newest moment that a Node's agent has recorded.
fn newest(plane: &ControlPlane, node: &str) -> String {
    let agent = format!("/api/v1/namespaces/netwhy/pods/netwhy-{node}:9810/proxy");
    let path = format!("{agent}/api/v1/history?from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00Z");
    let history = plane.kubectl(ADMIN, &["get", "--raw", &path], "").unwrap();
    let history: Value = serde_json::from_str(&history).unwrap();
    let spans = history["spans"].as_array().unwrap();
    spans.last().unwrap_or_else(|| panic!("{history}"))["to"].as_str().unwrap().to_owned()
}

/// The Pod `shop/cart` on the Node a is refused by its server, and is deleted here.
pub(crate) fn check(plane: &ControlPlane) {
    // The newest frames are older than this by a second or two.
    let then = eventually("a moment with the cause", || {
        let then = newest(plane, "a");
        let case = plane.ask(ONCALL, &["why", "pod/cart", "--at", &then, "-o", "json"]).well().json();
        if case["verdict"]["cause"] == "peer_refusing" { Ok(then) } else { Err(case["verdict"].to_string()) }
    });
    let delete = ["-n", "shop", "delete", "--force", "--grace-period=0", "pod", "cart"];
    plane.kubectl(ADMIN, &delete, "").unwrap();
    plane.ask(ONCALL, &["why", "pod/cart"]).failed(&["no Pod in namespace shop is named \"cart\""]);

    let case = plane.ask(ONCALL, &["why", "pod/cart", "--at", &then, "-o", "json"]).well().json();
    assert_eq!((&case["verdict"]["cause"], &case["at"]), (&"peer_refusing".into(), &then.as_str().into()), "{case}");
    assert_eq!((case["nodes"][0].as_str(), case["pods"][0]["name"].as_str()), (Some("a"), Some("cart")), "{case}");
    let screen = plane.ask(ONCALL, &["why", "cart", "--at", &then]).well().out;
    println!("{screen}");
    assert!(screen.contains(&format!("Pod shop/cart on a, as of {then}")), "{screen}");

    let hints = plane.ask(ONCALL, &["hints", "-A", "--since", "1h", "--until", "1s", "-o", "json"]).well();
    let list = hints.json();
    let is_cart = |hint: &Value| hint["subject"]["name"] == "cart" && hint["cause"] == "peer_refusing";
    assert!(list["items"].as_array().unwrap().iter().any(is_cart), "{list}");
    // There was no agent an hour ago.
    assert_eq!(list["missing"].as_array().map(Vec::len), Some(2), "{list}");
    assert!(
        hints.err.contains("no record of a from ") && hints.err.contains("older than the history"),
        "{}",
        hints.err
    );

    let old = "2001-02-03T04:05:06Z";
    plane.ask(ONCALL, &["why", "pod/cart", "--at", old]).failed(&["no record of 2001-02-03T04:05:06Z: older than"]);
    plane.ask(ONCALL, &["why", "pod/none", "--at", &then]).failed(&["no agent knew Pod/none in namespace shop"]);
    // The Service selects db still; cart stood alone, and nothing selects it any more.
    let service = plane.ask(ONCALL, &["why", "svc/shop", "--at", &then, "-o", "json"]).well().json();
    let names: Vec<&str> =
        service["pods"].as_array().unwrap().iter().map(|pod| pod["name"].as_str().unwrap()).collect();
    assert_eq!((names, service["kind"].as_str()), (vec!["db"], Some("Service")), "{service}");
    assert!(service["unknown"].to_string().contains("those of the workloads that it selects now: Pod/db"), "{service}");
    plane.ask(ONCALL, &["why", "svc/none", "--at", &then]).failed(&["which Pods a Service had", "deploy/NAME"]);
    plane.ask(ONCALL, &["why", "pod/cart", "--at", "2100-01-01T00:00:00Z"]).failed(&["is in the future"]);
}
