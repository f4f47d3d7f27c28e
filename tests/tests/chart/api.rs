//! Checks documents against the types of the Kubernetes API, which drops or refuses unknown fields.

use crate::{monitors, rules};
use k8s_openapi::{
    api::{
        admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
        apps::v1::{DaemonSet, Deployment},
        core::v1::{ConfigMap, Service, ServiceAccount},
        networking::v1::NetworkPolicy,
        rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
    },
    serde::{Serialize, de::DeserializeOwned},
};
use serde_json::Value;

/// Refuses a document with a field that its type doesn't have.
pub(crate) fn check(document: &Value) -> Result<(), String> {
    let text = |field: &str| document[field].as_str().unwrap_or_default();
    let result = match (text("apiVersion"), text("kind")) {
        ("apps/v1", "DaemonSet") => whole::<DaemonSet>(document),
        ("apps/v1", "Deployment") => whole::<Deployment>(document),
        ("v1", "ConfigMap") => whole::<ConfigMap>(document),
        ("v1", "Service") => whole::<Service>(document),
        ("v1", "ServiceAccount") => whole::<ServiceAccount>(document),
        ("networking.k8s.io/v1", "NetworkPolicy") => whole::<NetworkPolicy>(document),
        ("rbac.authorization.k8s.io/v1", "Role") => whole::<Role>(document),
        ("rbac.authorization.k8s.io/v1", "RoleBinding") => whole::<RoleBinding>(document),
        ("rbac.authorization.k8s.io/v1", "ClusterRole") => whole::<ClusterRole>(document),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding") => whole::<ClusterRoleBinding>(document),
        ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy") => {
            whole::<ValidatingAdmissionPolicy>(document)
        }
        ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding") => {
            whole::<ValidatingAdmissionPolicyBinding>(document)
        }
        ("monitoring.coreos.com/v1", "PodMonitor") => whole::<monitors::PodMonitor>(document),
        ("monitoring.coreos.com/v1", "ServiceMonitor") => whole::<monitors::ServiceMonitor>(document),
        ("monitoring.coreos.com/v1", "PrometheusRule") => whole::<rules::PrometheusRule>(document),
        (version, kind) => Err(format!("no type for {version} {kind}")),
    };
    result.map_err(|error| format!("{}: {error}", text("kind")))
}

/// Reading a document into its type and writing it again must keep every field.
fn whole<T: DeserializeOwned + Serialize>(document: &Value) -> Result<(), String> {
    let typed: T = serde_json::from_value(document.clone()).map_err(|error| error.to_string())?;
    let again = serde_json::to_value(&typed).map_err(|error| error.to_string())?;
    lost("", document, &again).map_or(Ok(()), Err)
}

/// The first field of `document` that is missing or different in `typed`.
fn lost(path: &str, document: &Value, typed: &Value) -> Option<String> {
    match (document, typed) {
        (Value::Object(fields), Value::Object(known)) => fields.iter().find_map(|(name, value)| {
            let path = format!("{path}.{name}");
            match known.get(name) {
                Some(typed) => lost(&path, value, typed),
                None => Some(format!("the API has no {path}, or it has no value here: {value}")),
            }
        }),
        (Value::Array(items), Value::Array(known)) if items.len() == known.len() => items
            .iter()
            .zip(known)
            .enumerate()
            .find_map(|(i, (item, typed))| lost(&format!("{path}[{i}]"), item, typed)),
        _ => (document != typed).then(|| format!("{path} is {document}, which the API takes for {typed}")),
    }
}

#[test]
fn fields_that_the_api_does_not_have_are_found() {
    let mut document = serde_json::json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "a" },
        "spec": { "ports": [{ "port": 1, "targetPort": "metrics" }] },
    });
    assert_eq!(check(&document), Ok(()));
    document["spec"]["ports"][0]["targetport"] = "x".into();
    assert!(check(&document).unwrap_err().contains(".spec.ports[0].targetport"));
    document["spec"]["ports"] = serde_json::json!([{ "port": "1" }]);
    assert!(check(&document).is_err(), "a text for a number");
    let mut monitor = serde_json::json!({
        "apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor", "metadata": { "name": "a" },
        "spec": { "selector": {}, "podMetricsEndpoints": [{ "port": "metrics" }] },
    });
    assert_eq!(check(&monitor), Ok(()));
    monitor["spec"]["podMetricsEndpoints"][0]["honorlabels"] = true.into();
    assert!(check(&monitor).unwrap_err().contains("honorlabels"));
    assert!(check(&serde_json::json!({ "apiVersion": "v1", "kind": "Pod" })).is_err(), "a kind that nobody expects");
}
