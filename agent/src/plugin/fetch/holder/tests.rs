use super::*;
use serde_json::json;

fn pod(name: &str, shared: bool, phase: &str) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "shop"}, "spec": {"nodeName": "a", "hostNetwork": shared, "containers": []},
        "status": {"phase": phase}
    }))
    .unwrap()
}

fn held(pods: &[Pod]) -> Option<String> {
    of_pods(pods).map(|(namespace, target)| format!("{} {target}", namespace.unwrap_or_default()))
}

#[test]
fn an_address_is_a_pods_or_that_of_the_node_of_host_network_pods() {
    let (proxy, cni) = (pod("proxy", true, "Running"), pod("cni", true, "Running"));
    assert_eq!(held(&[pod("cart", false, "Running")]).as_deref(), Some("shop Pod/cart"));
    assert_eq!(held(&[proxy.clone(), cni]).as_deref(), Some(" Node/a"));
    assert_eq!(held(&[]), None);
    // Ended Pods keep their address, and another may have it by now.
    let ended = pod("job", false, "Succeeded");
    assert_eq!(held(&[ended.clone(), pod("cart", false, "Running")]).as_deref(), Some("shop Pod/cart"));
    assert_eq!(held(&[ended]), None);
    let two = [pod("x", false, "Running"), pod("y", false, "Running")];
    assert_eq!(held(&two), None, "none of them is certain");
}
