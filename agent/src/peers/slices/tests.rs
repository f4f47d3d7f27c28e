use super::*;

fn slice(uid: &str, address: &str, pod: Option<&str>) -> EndpointSlice {
    let target = pod.map(|name| serde_json::json!({"kind": "Pod", "namespace": "shop", "name": name}));
    serde_json::from_value(serde_json::json!({
        "addressType": "IPv4",
        "metadata": {"uid": uid, "name": uid, "namespace": "shop"},
        "endpoints": [{"addresses": [address], "nodeName": "node-b", "zone": "z1", "targetRef": target}]
    }))
    .unwrap()
}

fn pods(slices: &Slices) -> Vec<Option<String>> {
    slices.endpoints().values().map(|e| e.pod.as_deref().map(str::to_owned)).collect()
}

#[test]
fn a_new_list_replaces_what_was_known() {
    let mut slices = Slices::default();
    slices.apply(Event::Init);
    assert!(!slices.apply(Event::InitApply(slice("s1", "10.0.0.1", None))), "not yet");
    assert!(slices.apply(Event::InitDone));
    assert!(slices.apply(Event::Apply(slice("s2", "10.0.0.1", Some("db-0")))));
    assert!(!slices.apply(Event::Apply(slice("s2", "10.0.0.1", Some("db-0")))), "nothing new");
    assert_eq!(pods(&slices), [Some("shop/db-0".to_owned())], "the slice that knows the Pod");
    assert!(slices.apply(Event::Delete(slice("s2", "10.0.0.1", Some("db-0")))));
    assert_eq!((pods(&slices), slices.len()), (vec![None], 1));
    slices.apply(Event::Init);
    assert!(slices.apply(Event::InitDone));
    assert_eq!(slices.len(), 0);
}
