//! A Pod is exempt from sampling for a while, by an annotation that its Node's agent sees in its own watch.

use crate::{
    control_plane::{ADMIN, ControlPlane, ONCALL},
    tools::eventually,
};
use serde_json::{Value, json};

/// Pods under a close-up, as a Node's agent has them.
fn observed(plane: &ControlPlane, node: &str) -> Value {
    let path = format!("/api/v1/namespaces/netwhy/pods/netwhy-{node}:9810/proxy/api/v1/info");
    let info = plane.kubectl(ADMIN, &["get", "--raw", &path], "").unwrap();
    serde_json::from_str::<Value>(&info).unwrap()["close_ups"]["pods"].take()
}

/// Waits until so many Pods of the Node are under a close-up.
fn wait_for(plane: &ControlPlane, node: &str, count: usize) -> Value {
    eventually("close-ups of the Node", || {
        let now = observed(plane, node);
        if now.as_array().is_some_and(|pods| pods.len() == count) { Ok(now) } else { Err(now.to_string()) }
    })
}

/// The Pod `shop/cart` runs on the Node a.
pub(crate) fn check(plane: &ControlPlane) {
    plane.ask(ONCALL, &["watch-closer", "pod/cart"]).failed(&["annotate Pod shop/cart: forbidden", "patch"]);
    plane.ask(ADMIN, &["watch-closer", "pod/none"]).failed(&["get Pod shop/none: not found"]);
    plane.ask(ADMIN, &["watch-closer", "deploy/cart"]).failed(&["Deployment/cart is no Pod", "pod/NAME"]);
    plane.ask(ADMIN, &["watch-closer", "pod/cart", "-A"]).failed(&["one namespace"]);
    assert_eq!((observed(plane, "a"), observed(plane, "b")), (json!([]), json!([])));

    let said = plane.ask(ADMIN, &["watch-closer", "pod/cart", "--for", "5m", "-o", "json"]).well().json();
    assert_eq!((&said["namespace"], &said["pod"], &said["node"]), (&"shop".into(), &"cart".into(), &"a".into()));
    let row = &wait_for(plane, "a", 1)[0];
    assert_eq!((&row["namespace"], &row["pod"]), (&"shop".into(), &"cart".into()));
    assert!((200..=300).contains(&row["seconds_left"].as_u64().unwrap()), "{row}");
    assert_eq!(observed(plane, "b"), json!([]), "the other Node's agent has nothing to do with it");

    let screen = plane.ask(ADMIN, &["watch-closer", "cart", "--stop"]).well().out;
    assert!(screen.contains("shop/cart is sampled as usual again"), "{screen}");
    wait_for(plane, "a", 0);

    let screen = plane.ask(ADMIN, &["watch-closer", "cart", "--for", "8s"]).well().out;
    assert!(screen.contains("shop/cart on a is exempt from sampling until 2"), "{screen}");
    wait_for(plane, "a", 1);
    // Nobody ends it.
    wait_for(plane, "a", 0);
}
