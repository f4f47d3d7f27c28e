//! Types of the Prometheus operator's API (monitoring.coreos.com/v1), the fields that the chart uses.

use crate::{
    documents::Documents,
    switches::{Combination, PROTECTED},
};
use k8s_openapi::{
    api::{
        core::v1::{SecretKeySelector, Service},
        networking::v1::NetworkPolicy,
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct PodMonitor {
    api_version: String,
    kind: String,
    metadata: ObjectMeta,
    spec: PodMonitorSpec,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PodMonitorSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    scrape_classic_histograms: Option<bool>,
    selector: LabelSelector,
    pod_metrics_endpoints: Vec<Endpoint>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ServiceMonitor {
    api_version: String,
    kind: String,
    metadata: ObjectMeta,
    spec: ServiceMonitorSpec,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ServiceMonitorSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    scrape_classic_histograms: Option<bool>,
    selector: LabelSelector,
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Endpoint {
    port: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    honor_labels: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_config: Option<TlsConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization: Option<Authorization>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scrape_timeout: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    relabelings: Vec<Relabeling>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    metric_relabelings: Vec<Relabeling>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Relabeling {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    source_labels: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replacement: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    regex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    separator: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modulus: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TlsConfig {
    ca: SecretOrConfigMap,
    #[serde(skip_serializing_if = "Option::is_none")]
    cert: Option<SecretOrConfigMap>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_secret: Option<SecretKeySelector>,
    server_name: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SecretOrConfigMap {
    secret: SecretKeySelector,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Authorization {
    r#type: String,
    credentials: SecretKeySelector,
}

/// Objects by which Prometheus finds and reaches the agents.
pub(crate) fn check(documents: &Documents, combination: &Combination) {
    let set = documents.of_kind("DaemonSet")[0];
    let labels = &set["spec"]["template"]["metadata"]["labels"];
    let port = &set["spec"]["template"]["spec"]["containers"][0]["ports"][0];
    let selects = |selector: &Value| {
        let wanted = selector.as_object().expect("a selector");
        assert!(!wanted.is_empty() && wanted.iter().all(|(name, value)| &labels[name] == value), "{selector}");
    };
    assert_eq!(documents.of_kind("PodMonitor").len(), usize::from(combination.has("podMonitor=")));
    if combination.has("podMonitor=") {
        let monitor: PodMonitor = documents.one("PodMonitor");
        selects(&serde_json::to_value(&monitor.spec.selector.match_labels).expect("labels"));
        endpoint(&monitor.spec.pod_metrics_endpoints, combination);
        assert_eq!(monitor.metadata.labels.expect("labels").get("release").map(String::as_str), Some("p"));
        let endpoint = &monitor.spec.pod_metrics_endpoints[0];
        assert_eq!((endpoint.interval.as_deref(), endpoint.scrape_timeout.as_deref()), (Some("15s"), Some("10s")));
        assert_eq!(monitor.spec.scrape_classic_histograms, Some(true));
    }
    assert_eq!(documents.of_kind("ServiceMonitor").len(), usize::from(combination.has("serviceMonitor=")));
    assert_eq!(documents.of_kind("Service").len(), documents.of_kind("ServiceMonitor").len());
    if combination.has("serviceMonitor=") {
        let monitor: ServiceMonitor = documents.one("ServiceMonitor");
        endpoint(&monitor.spec.endpoints, combination);
        assert_eq!(monitor.spec.endpoints[0].relabelings.len(), 2, "the user's own stand beside the chart's");
        assert_eq!(monitor.spec.scrape_classic_histograms, None, "older operators don't know it");
        let service: Service = documents.one("Service");
        let found = service.metadata.labels.expect("labels");
        let wanted = monitor.spec.selector.match_labels.expect("a selector");
        assert!(wanted.iter().all(|(name, value)| found.get(name) == Some(value)), "the monitor must find the Service");
        let spec = service.spec.expect("a specification");
        assert_eq!(spec.cluster_ip.as_deref(), Some("None"));
        selects(&serde_json::to_value(&spec.selector).expect("a selector"));
        let ports = spec.ports.expect("ports");
        assert_eq!(ports[0].name.as_deref(), Some(monitor.spec.endpoints[0].port.as_str()));
        assert_eq!(serde_json::to_value(&ports[0].target_port).expect("a port"), port["name"]);
    }
    let annotations = &set["spec"]["template"]["metadata"]["annotations"];
    let annotated = annotations["prometheus.io/scrape"] == "true";
    assert_eq!(annotated, combination.has("prometheusAnnotations="));
    if annotated {
        assert_eq!(annotations["prometheus.io/port"], port["containerPort"].to_string());
        assert_eq!(annotations["prometheus.io/path"], "/metrics");
        assert_eq!(annotations["prometheus.io/scheme"] == "https", combination.has(PROTECTED));
    }
    assert_eq!(documents.of_kind("NetworkPolicy").len(), usize::from(combination.has("networkPolicy=")));
    if combination.has("networkPolicy=") {
        let policy: NetworkPolicy = documents.one("NetworkPolicy");
        let spec = serde_json::to_value(policy.spec.expect("a specification")).expect("JSON");
        selects(&spec["podSelector"]["matchLabels"]);
        assert_eq!(spec["policyTypes"], serde_json::json!(["Ingress"]));
        let open = serde_json::json!([{ "port": port["containerPort"], "protocol": "TCP" }]);
        assert_eq!(spec["ingress"][0]["ports"], open, "nothing but the listener's port");
        assert_eq!(spec["ingress"].as_array().map(Vec::len), Some(1));
    }
}

/// The agent's own `namespace` and `pod` labels stay, and the Node's name is added.
fn endpoint(endpoints: &[Endpoint], combination: &Combination) {
    let [endpoint] = endpoints else { panic!("{} endpoints", endpoints.len()) };
    assert_eq!((endpoint.port.as_str(), endpoint.path.as_deref()), ("metrics", Some("/metrics")));
    assert_eq!(endpoint.honor_labels, Some(true));
    let node = endpoint.relabelings.iter().find(|relabeling| relabeling.target_label.as_deref() == Some("node"));
    let node = node.expect("a rule for the label node");
    assert_eq!(node.source_labels, ["__meta_kubernetes_pod_node_name"]);
    assert!(node.action.as_deref().is_none_or(|action| action == "replace") && node.regex.is_none());
    if !combination.has(PROTECTED) {
        assert!(endpoint.scheme.is_none() && endpoint.tls_config.is_none() && endpoint.authorization.is_none());
        return;
    }
    assert_eq!(endpoint.scheme.as_deref(), Some("https"));
    let tls = endpoint.tls_config.as_ref().expect("a TLS configuration");
    assert_eq!(tls.server_name, "netwhy.watch.svc");
    let key = |selector: &SecretKeySelector| (selector.name.clone(), selector.key.clone());
    let named = |name: &str, of: &str| (name.to_owned(), of.to_owned());
    assert_eq!(key(&tls.ca.secret), named("agent-tls", "ca.crt"));
    let (certificate, own) = (tls.cert.as_ref().expect("a certificate"), tls.key_secret.as_ref().expect("a key"));
    assert_eq!(key(&certificate.secret), named("prometheus-tls", "tls.crt"));
    assert_eq!(key(own), named("prometheus-tls", "tls.key"));
    let authorization = endpoint.authorization.as_ref().expect("a token");
    assert_eq!(authorization.r#type, "Bearer");
    assert_eq!(key(&authorization.credentials), named("prometheus-token", "token"));
}
