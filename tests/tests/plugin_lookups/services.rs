//! Services on the API server of `cluster`: `topology svc/x`, and the Services in the answer of `why`.

use crate::{
    control_plane::{ADMIN, ControlPlane, NOBODY, ONCALL, running},
    tools::eventually,
};
use netwhy_tests::discovery::{Slices, definition, endpoint, slice};
use serde_json::{Value, json};

/// The step of an answer that has this kind and name.
#[track_caller]
fn step<'a>(answer: &'a Value, kind: &str, name: &str) -> &'a Value {
    let mut steps = answer["steps"].as_array().unwrap().iter();
    steps.find(|step| step["kind"] == kind && step["name"] == name).unwrap_or_else(|| panic!("{kind} {name}: {answer}"))
}

/// Creates the objects of a Deployment's controllers, and a Pod on Node b whose finalizer blocks its deletion.
fn deployed(plane: &ControlPlane) {
    let labels = json!({"app": "web"});
    let template = json!({
        "metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "app"}]}
    });
    let spec = json!({"selector": {"matchLabels": labels}, "template": template});
    let owned = |kind: &str, name: &str, uid: &str| {
        let owner = json!({"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true});
        json!([owner])
    };
    let uid = plane.create(&json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}, "spec": spec
    }));
    let owner = owned("Deployment", "web", &uid);
    let uid = plane.create(&json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": spec,
        "metadata": {"name": "web-5d8", "namespace": "shop", "ownerReferences": owner, "labels": labels}
    }));
    plane.create(&json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "web-5d8-1", "namespace": "shop", "labels": labels, "finalizers": ["example.com/backup"],
            "ownerReferences": owned("ReplicaSet", "web-5d8", &uid)
        },
        "spec": {"nodeName": "b", "containers": [{"name": "app", "image": "app"}]}
    }));
    plane.status("shop", "web-5d8-1", &running("10.77.255.252"));
    plane.kubectl(ADMIN, &["-n", "shop", "delete", "pod", "web-5d8-1", "--wait=false"], "").unwrap();
}

/// An API server without EndpointSlices gives a clear error.
pub(crate) fn older(plane: &ControlPlane, slices: Slices) {
    if slices != Slices::Own {
        plane.ask(ONCALL, &["topology", "svc/shop"]).failed(&["discovery.k8s.io/v1", "1.21"]);
    }
}

/// Every step of a Service with the healthy Pods cart and db, given their addresses.
pub(crate) fn behind(plane: &ControlPlane, slices: Slices, [cart, db]: [&str; 2]) {
    if slices == Slices::Custom {
        plane.create(&definition());
    }
    let first = slice(
        "shop",
        "shop-1",
        "shop",
        &[endpoint(cart, ("shop", "cart"), "a", true, false), endpoint(db, ("shop", "db"), "b", true, false)],
    );
    eventually("slice", || {
        let known = plane.kubectl(ADMIN, &["get", "--raw", "/apis/discovery.k8s.io/v1/endpointslices"], "");
        known.map(drop)
    });
    plane.create(&first);
    for node in ["a", "b"] {
        ready(plane, node, "True");
    }
    plane.ask(NOBODY, &["topology", "svc/shop"]).failed(&["forbidden", "services"]);
    plane.ask(ONCALL, &["topology", "svc/shopp"]).failed(&["no Service in namespace shop is named \"shopp\""]);
    let well = plane.ask(ONCALL, &["topology", "svc/shop", "-o", "json"]).well().json();
    for (kind, name) in
        [("Service", "shop"), ("EndpointSlice", "shop-1"), ("Pod", "cart"), ("Node", "a"), ("Node", "b")]
    {
        assert_eq!(step(&well, kind, name)["health"], "well", "{kind} {name}: {well}");
    }
    assert_eq!(step(&well, "EndpointSlice", "shop-1")["says"], "2 of 2 endpoints ready");
    let why = plane.ask(ONCALL, &["why", "pod/cart"]).well();
    assert!(why.out.contains("Service/shop") && why.out.contains("2 of 2 endpoints ready"), "{}", why.out);

    deployed(plane);
    plane.create(&slice(
        "shop",
        "shop-2",
        "shop",
        &[
            endpoint("10.77.255.252", ("shop", "web-5d8-1"), "b", false, true),
            endpoint("10.77.255.253", ("shop", "web-5d8-2"), "b", true, false),
        ],
    ));
    ready(plane, "b", "False");
    let ill = plane.ask(ONCALL, &["topology", "svc/shop", "-o", "json"]).well().json();
    let part = step(&ill, "EndpointSlice", "shop-2");
    assert_eq!((&part["health"], &part["says"]), (&json!("degraded"), &json!("1 of 2 endpoints ready, 1 terminating")));
    let pod = step(&ill, "Pod", "web-5d8-1");
    assert_eq!(pod["owners"], json!(["ReplicaSet/web-5d8", "Deployment/web"]), "{pod}");
    assert_eq!((&pod["held_by"], &pod["health"]), (&json!(["example.com/backup"]), &json!("broken")), "{pod}");
    let gone = step(&ill, "Pod", "web-5d8-2");
    assert_eq!((&gone["health"], &gone["says"]), (&json!("broken"), &json!("deleted, but still listed by the slice")));
    assert_eq!(step(&ill, "Node", "b")["health"], "broken", "{ill}");
    assert_eq!(step(&ill, "Node", "a")["health"], "well", "{ill}");
}

/// The topology shows an agent's hint at its Pod: cart's server is gone.
pub(crate) fn with_trouble(plane: &ControlPlane) {
    let said = plane.ask(ONCALL, &["topology", "svc/shop", "-o", "json"]).well().json();
    let cart = step(&said, "Pod", "cart");
    assert_eq!(cart["health"], "degraded", "{cart}");
    assert!(cart["says"].as_str().unwrap().contains("peer_refusing: "), "{cart}");
    let screen = plane.ask(ONCALL, &["topology", "svc/shop"]).well();
    println!("{}{}", screen.out, screen.err);
    assert!(screen.out.contains("being deleted; finalizers: example.com/backup"), "{}", screen.out);
    assert!(screen.out.contains("owned by ReplicaSet/web-5d8 ← Deployment/web"), "{}", screen.out);
}

/// Sets the status of a Node, as a kubelet does.
fn ready(plane: &ControlPlane, node: &str, status: &str) {
    let path = format!("/api/v1/nodes/{node}/status");
    let now = plane.kubectl(ADMIN, &["get", "--raw", &path], "").unwrap();
    let mut object: Value = serde_json::from_str(&now).unwrap();
    let message = if status == "True" { "kubelet is posting ready status" } else { "PLEG is not healthy" };
    object["status"]["conditions"] = json!([{"type": "Ready", "status": status, "message": message}]);
    plane.kubectl(ADMIN, &["replace", "--raw", &path, "-f", "-"], &object.to_string()).unwrap();
}
