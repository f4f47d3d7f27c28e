//! EndpointSlices of `discovery.k8s.io/v1` on a real API server. One that is older than they are (before 1.21) can
//! serve a custom resource of the same name and shape instead, with the lists, watches, selectors and rights of any
//! other, while the group's own version is switched off. Only on request: 1.20 as built with Go 1.18 or later crashes
//! over custom resources, unless its reflect2 is 1.0.2 or later.

use serde_json::{Value, json};
use std::{env, path::Path, process::Command};

/// A group of Kubernetes needs one: the document that approved it.
const APPROVAL: &str = "https://github.com/kubernetes/enhancements/tree/master/keps/sig-network/0752-endpointslices";

/// Environment variable that asks for the custom resource.
const AS_CUSTOM: &str = "NETWHY_SLICES_AS_CUSTOM_RESOURCE";
/// First minor version of Kubernetes 1 that has `discovery.k8s.io/v1`.
const FIRST: u32 = 21;

/// How an API server comes to its EndpointSlices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slices {
    /// It has them.
    Own,
    /// It serves those of [`definition`] once that is applied.
    Custom,
    /// It has none, and nobody asked for others.
    Missing,
}

impl Slices {
    /// Of the `kube-apiserver` in this folder.
    ///
    /// # Panics
    /// When the program doesn't run or says no version.
    pub fn of(assets: &Path) -> Self {
        let said = Command::new(assets.join("kube-apiserver")).arg("--version").output();
        let said = String::from_utf8_lossy(&said.expect("kube-apiserver runs").stdout).into_owned();
        let minor = said.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
        match minor.unwrap_or_else(|| panic!("kube-apiserver --version says {said:?}")) {
            FIRST.. => Self::Own,
            _ if env::var_os(AS_CUSTOM).is_some() => Self::Custom,
            _ => Self::Missing,
        }
    }

    /// Arguments of `kube-apiserver`.
    pub fn arguments(self) -> &'static [&'static str] {
        if self == Self::Custom { &["--runtime-config=discovery.k8s.io/v1beta1=false"] } else { &[] }
    }

    /// Whether a test of them must end here; says why.
    pub fn skips(self, test: &str) -> bool {
        if self == Self::Missing {
            println!(
                "SKIP {test}: machine: this API server is older than discovery.k8s.io/v1, and {AS_CUSTOM} is not set"
            );
        }
        self == Self::Missing
    }
}

/// The custom resource, as the API's reference describes the fields.
pub fn definition() -> Value {
    let text = json!({"type": "string"});
    let flag = json!({"type": "boolean", "nullable": true});
    let reference = json!({"type": "object", "properties": {
        "kind": text, "namespace": text, "name": text, "uid": text, "apiVersion": text, "resourceVersion": text
    }});
    let endpoint = json!({"type": "object", "required": ["addresses"], "properties": {
        "addresses": {"type": "array", "items": text, "minItems": 1},
        "conditions": {"type": "object", "properties": {"ready": flag, "serving": flag, "terminating": flag}},
        "hostname": text, "nodeName": text, "zone": text, "targetRef": reference
    }});
    let port = json!({"type": "object", "properties": {
        "name": text, "protocol": text, "port": {"type": "integer"}, "appProtocol": text
    }});
    let schema = json!({"type": "object", "required": ["addressType", "endpoints"], "properties": {
        "addressType": {"type": "string", "enum": ["IPv4", "IPv6", "FQDN"]},
        "endpoints": {"type": "array", "items": endpoint},
        "ports": {"type": "array", "items": port}
    }});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {
            "name": "endpointslices.discovery.k8s.io",
            "annotations": {"api-approved.kubernetes.io": APPROVAL}
        },
        "spec": {
            "group": "discovery.k8s.io", "scope": "Namespaced",
            "names": {
                "plural": "endpointslices", "singular": "endpointslice",
                "kind": "EndpointSlice", "listKind": "EndpointSliceList"
            },
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]
        }
    })
}

/// One endpoint: a Pod's address on a Node. `ready` as the API has it, `terminating` the opposite of staying.
pub fn endpoint(address: &str, pod: (&str, &str), node: &str, ready: bool, terminating: bool) -> Value {
    let (namespace, name) = pod;
    json!({
        "addresses": [address], "nodeName": node,
        "conditions": {"ready": ready, "serving": ready, "terminating": terminating},
        "targetRef": {"kind": "Pod", "namespace": namespace, "name": name}
    })
}

/// A slice of a Service.
pub fn slice(namespace: &str, name: &str, service: &str, endpoints: &[Value]) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": name, "namespace": namespace, "labels": {"kubernetes.io/service-name": service}},
        "endpoints": endpoints, "ports": [{"name": "http", "protocol": "TCP", "port": 8080}]
    })
}
