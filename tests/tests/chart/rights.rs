//! The rights that the chart demands: at most those of the table, in every combination.

use crate::{
    documents::{Documents, pod},
    helm::chart,
    switches::{Combination, PROTECTED, PUBLISH},
};
use k8s_openapi::api::{
    core::v1::ServiceAccount,
    rbac::v1::{ClusterRole, ClusterRoleBinding},
};
use std::collections::BTreeMap;

/// All allowed RBAC rules: group and resource, and verbs.
const ALLOWED: [(&str, &str, &[&str]); 8] = [
    ("", "pods", &["list", "watch"]),
    ("", "nodes", &["get", "list", "watch"]),
    ("", "events", &["list"]),
    ("", "events", &["create", "patch"]),
    ("", "nodes/status", &["patch"]),
    ("discovery.k8s.io", "endpointslices", &["list", "watch"]),
    ("authentication.k8s.io", "tokenreviews", &["create"]),
    ("authorization.k8s.io", "subjectaccessreviews", &["create"]),
];

/// The role for Prometheus, which the chart binds to nobody.
const READER: &str = "netwhy-metrics-reader";

pub(crate) fn check(documents: &Documents, combination: &Combination) {
    container(documents, combination);
    api_server(documents, combination);
}

fn container(documents: &Documents, combination: &Combination) {
    let (pod, container) = pod(documents);
    assert_eq!(pod.host_pid, Some(!combination.has("hostPID=")));
    assert_eq!(pod.host_network, Some(combination.has("hostNetwork=")));
    assert_eq!(pod.host_ipc, None);
    assert!(pod.init_containers.is_none() && pod.ephemeral_containers.is_none());
    let context = pod.security_context.expect("a security context of the Pod");
    // The user that the agent becomes reads the token, the configuration and Secrets by its group.
    assert_eq!(context.fs_group, Some(65_532));
    let profile = context.seccomp_profile.expect("a seccomp profile");
    assert_eq!(profile.type_, if combination.has("seccompProfile=") { "Localhost" } else { "RuntimeDefault" });
    let context = container.security_context.expect("a security context");
    assert_eq!(context.privileged, Some(false));
    assert_eq!(context.allow_privilege_escalation, Some(false));
    assert_eq!(context.read_only_root_filesystem, Some(true));
    assert!(context.seccomp_profile.is_none() && context.proc_mount.is_none());
    let capabilities = context.capabilities.expect("capabilities");
    assert_eq!(capabilities.drop.unwrap_or_default(), ["ALL"]);
    let mut expected = vec!["BPF", "PERFMON", "SETUID", "SETGID", "SETPCAP"];
    expected.extend(combination.has("dnsLookups=").then_some("NET_ADMIN"));
    expected.extend(combination.history().filter(|path| !path.is_empty()).map(|_| "CHOWN"));
    expected.extend(combination.has("extraCapabilities=").then_some("SYS_ADMIN"));
    assert_eq!(capabilities.add.unwrap_or_default(), expected);
}

fn api_server(documents: &Documents, combination: &Combination) {
    let kube = combination.has_kube();
    let (pod, _) = pod(documents);
    assert_eq!(pod.automount_service_account_token, Some(kube), "no token without need");
    let created = documents.of_kind("ServiceAccount").len();
    assert_eq!(created, usize::from(!combination.has("serviceAccount=")));
    let account = pod.service_account_name.expect("an account");
    if created == 1 {
        let made: ServiceAccount = documents.one("ServiceAccount");
        assert_eq!(made.metadata.name.as_deref(), Some(account.as_str()));
        assert_eq!(made.automount_service_account_token, Some(false));
    }
    assert!(documents.of_kind("Role").is_empty() && documents.of_kind("RoleBinding").is_empty());
    let roles = usize::from(kube && !combination.has("rbac="));
    assert_eq!(documents.of_kind("ClusterRoleBinding").len(), roles);
    let all = documents.of_kind("ClusterRole").into_iter().cloned().map(serde_json::from_value::<ClusterRole>);
    let (readers, own): (Vec<ClusterRole>, Vec<ClusterRole>) =
        all.map(|role| role.expect("a ClusterRole")).partition(|role| role.metadata.name.as_deref() == Some(READER));
    assert_eq!((own.len(), readers.len()), (roles, roles * usize::from(combination.has(PROTECTED))));
    for role in readers {
        let [rule] = &role.rules.expect("rules")[..] else { panic!("one rule") };
        assert_eq!(rule.non_resource_urls.as_deref(), Some(&["/metrics".to_owned()][..]));
        assert!(rule.verbs == ["get"] && rule.resources.is_none());
    }
    let Some(role) = own.into_iter().next() else { return };
    assert!(role.aggregation_rule.is_none());
    let mut asked: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for rule in role.rules.expect("rules") {
        assert!(rule.non_resource_urls.is_none());
        for group in rule.api_groups.expect("groups") {
            for resource in rule.resources.iter().flatten() {
                asked.entry((group.clone(), resource.clone())).or_default().extend(rule.verbs.clone());
            }
        }
    }
    let (slices, publishes) = (combination.has("peers="), combination.has(PUBLISH));
    let reviews = combination.has(PROTECTED);
    let mut expected: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (group, resource, verbs) in ALLOWED {
        // No verb that changes an object, unless a value enables it.
        let changes = verbs.contains(&"patch");
        let is_review = resource.ends_with("reviews");
        if (changes && !publishes) || (resource == "endpointslices" && !slices) || (is_review && !reviews) {
            continue;
        }
        let all = expected.entry((group.to_owned(), resource.to_owned())).or_default();
        all.extend(verbs.iter().map(|verb| (*verb).to_owned()));
    }
    assert_eq!(asked, expected);
    let binding: ClusterRoleBinding = documents.one("ClusterRoleBinding");
    assert_eq!((binding.role_ref.kind.as_str(), Some(binding.role_ref.name)), ("ClusterRole", role.metadata.name));
    let subjects = binding.subjects.expect("subjects");
    let [subject] = &subjects[..] else { panic!("{} subjects", subjects.len()) };
    assert_eq!((subject.kind.as_str(), subject.name.as_str()), ("ServiceAccount", account.as_str()));
    assert_eq!(subject.namespace.as_deref(), Some("watch"));
}

#[test]
fn every_rule_of_the_cluster_role_has_its_reason_above_it() {
    let file = chart().join("templates/rbac.yaml");
    let text = std::fs::read_to_string(&file).expect("the template is there");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let rules: Vec<usize> = (0..lines.len()).filter(|&i| lines[i].starts_with("- apiGroups:")).collect();
    assert_eq!(rules.len(), ALLOWED.len(), "a rule for each line of the table");
    for i in rules {
        assert!(i > 0 && lines[i - 1].starts_with("# "), "no reason above line {} of {}", i + 1, file.display());
    }
}
