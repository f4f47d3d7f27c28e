//! The SecurityContextConstraints for OpenShift, which no test can apply.

use crate::{
    documents::{Documents, pod},
    helm::{Helm, workspace},
    sources::yaml,
};
use k8s_openapi::api::core::v1::Volume;
use std::collections::BTreeSet;

/// The kind of a volume, as constraints name it.
fn kind(volume: &Volume) -> &'static str {
    match volume {
        Volume { config_map: Some(_), .. } => "configMap",
        Volume { empty_dir: Some(_), .. } => "emptyDir",
        Volume { host_path: Some(_), .. } => "hostPath",
        Volume { secret: Some(_), .. } => "secret",
        _ => panic!("a volume of another kind: {}", volume.name),
    }
}

#[test]
fn the_documented_constraints_of_openshift_allow_what_the_agents_pods_ask_for_and_no_more() {
    let test = "the_documented_constraints_of_openshift_allow_what_the_agents_pods_ask_for_and_no_more";
    let Some(helm) = Helm::found(test) else { return };
    let constraints = yaml(&workspace().join("docs/openshift-scc.yaml"));
    let list = |key: &str| -> BTreeSet<String> {
        let values = constraints[key].as_array().unwrap_or_else(|| panic!("{key} is no list"));
        values.iter().map(|value| value.as_str().expect("a text").to_owned()).collect()
    };
    let switch = |key: &str| constraints[key].as_bool();
    let (pod, container) = pod(&Documents::read(&helm.template(&[]).expect("the chart renders")));

    assert_eq!(switch("allowHostPID"), pod.host_pid);
    assert_eq!(switch("allowHostNetwork"), pod.host_network);
    assert_eq!((switch("allowHostPorts"), switch("allowHostIPC")), (Some(false), Some(false)));
    let context = container.security_context.expect("a security context");
    assert_eq!(switch("allowPrivilegedContainer"), context.privileged);
    assert_eq!(switch("allowPrivilegeEscalation"), context.allow_privilege_escalation);
    assert_eq!(switch("readOnlyRootFilesystem"), context.read_only_root_filesystem);
    let capabilities = context.capabilities.expect("capabilities");
    let set = |names: Option<Vec<String>>| names.unwrap_or_default().into_iter().collect::<BTreeSet<_>>();
    assert_eq!(list("allowedCapabilities"), set(capabilities.add));
    assert_eq!(list("requiredDropCapabilities"), set(capabilities.drop));

    let mut kinds: BTreeSet<String> = pod.volumes.iter().flatten().map(|volume| kind(volume).to_owned()).collect();
    // The token of the service account, and metrics.tls.
    kinds.extend(["projected".to_owned(), "secret".to_owned()]);
    assert_eq!(list("volumes"), kinds);
    let account = pod.service_account_name.expect("a service account");
    assert_eq!(list("users"), BTreeSet::from([format!("system:serviceaccount:netwhy:{account}")]));
}
