//! The admission policy that binds the agents' writes to their own Nodes.

use crate::{
    documents::Documents,
    helm::Helm,
    switches::{Combination, PUBLISH},
};
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};

const POLICY: &str = "ValidatingAdmissionPolicy";
const BINDING: &str = "ValidatingAdmissionPolicyBinding";

/// The policy is there exactly with the writes, and is about the agents alone.
pub(crate) fn check(documents: &Documents, combination: &Combination) {
    let expected = usize::from(combination.has(PUBLISH));
    assert_eq!((documents.of_kind(POLICY).len(), documents.of_kind(BINDING).len()), (expected, expected));
    if expected == 0 {
        return;
    }
    let policy: ValidatingAdmissionPolicy = documents.one(POLICY);
    let spec = policy.spec.expect("a specification");
    assert_eq!(spec.failure_policy.as_deref(), Some("Fail"));
    let [condition] = &spec.match_conditions.expect("a condition")[..] else { panic!("one condition") };
    let account = &documents.of_kind("DaemonSet")[0]["spec"]["template"]["spec"]["serviceAccountName"];
    let account = format!("'system:serviceaccount:watch:{}'", account.as_str().expect("an account"));
    let words: Vec<&str> = condition.expression.split_whitespace().collect();
    assert_eq!(words, ["request.userInfo.username", "==", account.as_str()]);
    let binding: ValidatingAdmissionPolicyBinding = documents.one(BINDING);
    let spec = binding.spec.expect("a specification");
    assert_eq!(spec.policy_name, policy.metadata.name);
    assert_eq!(spec.validation_actions.as_deref(), Some(&["Deny".to_owned()][..]));
    assert!(spec.match_resources.is_none(), "no namespace is left out");
}

#[test]
fn old_clusters_and_those_that_decline_get_no_policy() {
    let Some(helm) = Helm::found("old_clusters_and_those_that_decline_get_no_policy") else { return };
    let declined = "kube={\"publishEvents\":true,\"restrictWrites\":false}".to_owned();
    let none = |text: String| assert!(!text.contains(POLICY), "{text}");
    none(helm.template_for_old_cluster(&[PUBLISH.to_owned()]).unwrap());
    none(helm.template(&[declined]).unwrap());
    for one in ["publishEvents", "publishConditions"] {
        let text = helm.template(&[format!("kube={{\"{one}\":true}}")]).unwrap();
        assert!(text.contains(POLICY), "{one}");
    }
}
