//! EndpointSlices of a real API server: listed, followed, and taken up again after it was away.

use crate::{
    WatchingNodes,
    real::{SOON, bind, read},
    server::ApiServer,
    short_timeouts,
};
use futures::{StreamExt as _, stream};
use k8s_openapi::{
    api::{core::v1::Node, discovery::v1::EndpointSlice, rbac::v1::ClusterRole},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams},
};
use netwhy_agent::peers::{Endpoint, Peers};
use netwhy_tests::discovery::{Slices, definition, endpoint, slice};
use serde_json::json;
use std::{net::Ipv4Addr, time::Instant};

/// Rights that the chart adds with `peers.endpointSlices`.
async fn grant(admin: &Client) {
    let role: ClusterRole = read(json!({
        "metadata": {"name": "agent"},
        "rules": [
            {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        ],
    }));
    Api::all(admin.clone()).create(&PostParams::default(), &role).await.unwrap();
    bind(admin).await;
}

fn at(peers: &Peers, address: [u8; 4]) -> Option<&Endpoint> {
    peers.endpoints.get(&Ipv4Addr::from(address).to_ipv6_mapped())
}

fn whose(peers: &Peers, address: [u8; 4]) -> Option<(&str, &str)> {
    at(peers, address).and_then(|found| Some((found.pod.as_deref()?, found.node.as_deref()?)))
}

/// Asks again until the API server accepts it.
async fn soon<T>(request: impl AsyncFn() -> kube::Result<T>) {
    let begun = Instant::now();
    while let Err(error) = request().await {
        assert!(begun.elapsed() < SOON, "{error}");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoint_slices_name_the_pod_behind_an_address() {
    const MANY: u8 = 240;
    let Some(mut server) = ApiServer::start().await else { return };
    if server.slices().skips("EndpointSlices of a real API server") {
        return;
    }
    let admin = server.admin().await;
    grant(&admin).await;
    let nodes: Api<Node> = Api::all(admin.clone());
    nodes.create(&PostParams::default(), &read(json!({"metadata": {"name": "node-a"}}))).await.unwrap();
    let mut watching = WatchingNodes::begin(&server.agent_config(None), "node-a", true, short_timeouts()).await;
    if server.slices() == Slices::Custom {
        // Asked for before the API server has them: said, not fatal, and taken up when it has.
        let refused = |p: &Peers| p.watches.iter().any(|w| w.name == "endpointslices" && !w.errors.is_empty());
        watching.until(SOON, "the API server's refusal", refused).await;
        let crds: Api<CustomResourceDefinition> = Api::all(admin.clone());
        crds.create(&PostParams::default(), &read(definition())).await.unwrap();
    }
    let slices: Api<EndpointSlice> = Api::namespaced(admin.clone(), "default");
    let make = |name: &str, endpoints: &[serde_json::Value]| read(slice("default", name, "shop", endpoints));
    let cart = endpoint("10.9.0.1", ("default", "cart"), "node-a", true, false);
    let first: EndpointSlice = make("shop-1", &[cart]);
    soon(async || slices.create(&PostParams::default(), &first).await).await;
    watching.until(SOON, "the first slice", |p| whose(p, [10, 9, 0, 1]) == Some(("default/cart", "node-a"))).await;

    // The address moves to another Pod of another Node.
    let mut moved = slices.get("shop-1").await.unwrap();
    let db: EndpointSlice = make("", &[endpoint("10.9.0.1", ("default", "db"), "node-b", false, true)]);
    moved.endpoints = db.endpoints;
    slices.replace("shop-1", &PostParams::default(), &moved).await.unwrap();
    watching.until(SOON, "the change", |p| whose(p, [10, 9, 0, 1]) == Some(("default/db", "node-b"))).await;

    // Away while slices come and go: what happened meanwhile is known afterwards.
    stream::iter(0..MANY)
        .for_each_concurrent(16, |i| {
            let one = endpoint(&format!("10.9.1.{i}"), ("default", &format!("web-{i}")), "node-b", true, false);
            let (slices, one) = (slices.clone(), make(&format!("web-{i}"), &[one]));
            async move {
                slices.create(&PostParams::default(), &one).await.unwrap();
            }
        })
        .await;
    let took = watching.until(SOON, "all slices", |p| p.endpoints.len() == usize::from(MANY) + 1).await;
    println!("{MANY} slices known {:.2} s after the last was made", took.as_secs_f64());
    server.kill();
    server.restart().await;
    let (admin, gone) = (server.admin().await, DeleteParams::default());
    let slices: Api<EndpointSlice> = Api::namespaced(admin, "default");
    soon(async || slices.delete("shop-1", &gone).await).await;
    watching
        .until(SOON, "the end of a slice", |p| at(p, [10, 9, 0, 1]).is_none() && p.endpoints.len() == usize::from(MANY))
        .await;
}
