use super::*;
use crate::plugin::model::testing::edge;
use serde_json::json;

#[test]
fn services_are_asked_for_by_the_addresses_that_clients_call() {
    let to = |peer: &str, kind: &str, role: &str| EdgeRow {
        peer: peer.into(),
        peer_kind: kind.into(),
        role: Some(role.into()),
        peer_pod: None,
        redirected: false,
        ..edge("shop", "web-1")
    };
    let known = EdgeRow { peer_pod: Some("shop/db-0".into()), ..to("10.96.0.9", "service", "client") };
    let edges = [
        to("10.96.0.50", "service", "client"),
        to("10.1.0.9", "pod", "client"),
        to("10.96.0.51", "service", "server"),
        known,
    ];
    let addresses: Vec<String> = called(&edges).iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["10.96.0.50"]);
}

#[test]
fn a_service_is_known_by_any_of_its_addresses() {
    let service = |spec: serde_json::Value| -> Service {
        serde_json::from_value(json!({"metadata": {"namespace": "shop", "name": "api"}, "spec": spec})).unwrap()
    };
    let called: BTreeSet<IpAddr> = ["fd00::50".parse().unwrap()].into();
    let both = service(json!({"clusterIP": "10.96.0.50", "clusterIPs": ["10.96.0.50", "fd00::50"]}));
    assert_eq!(Known::of(&both, &called).unwrap().name, "api");
    assert!(Known::of(&service(json!({"clusterIP": "None", "clusterIPs": ["None"]})), &called).is_none());
    assert!(Known::of(&service(json!({"clusterIP": "10.96.0.51"})), &called).is_none());
}

#[test]
fn endpoints_are_the_ready_pods_of_all_slices_each_once() {
    let pod = |name: &str, ready: bool| {
        json!({
            "addresses": ["10.1.0.1"],
            "conditions": {"ready": ready},
            "nodeName": "node-b",
            "targetRef": {"kind": "Pod", "namespace": "shop", "name": name}
        })
    };
    let slice = |endpoints: serde_json::Value| -> EndpointSlice {
        serde_json::from_value(json!({"metadata": {}, "addressType": "IPv4", "endpoints": endpoints})).unwrap()
    };
    let outside = json!({"addresses": ["192.0.2.7"], "conditions": {"ready": true}});
    let slices =
        [slice(json!([pod("r0", true), pod("r1", false), outside])), slice(json!([pod("r0", true), pod("r2", true)]))];
    let pods: Vec<String> = endpoints(&slices).into_iter().map(|one| one.pod).collect();
    assert_eq!(pods, ["shop/r0", "shop/r2"]);
}
