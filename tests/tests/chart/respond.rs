//! The Deployment that answers alerts: its rights, its command line, and what is there without it.

use crate::{
    api,
    documents::Documents,
    helm::Helm,
    switches::{PROXY, expand},
};
use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        core::v1::{Container, PodSpec, Service},
        networking::v1::NetworkPolicy,
        rbac::v1::{ClusterRole, PolicyRule, Role},
    },
    serde::de::DeserializeOwned,
};
use netwhy_agent::plugin::cli::{Command, Style, parse};
use std::{collections::BTreeMap, ffi::OsString};

/// Every value of `respond`.
const FULL: &str = r#"respond={"enabled":true,"url":{"secretName":"slack","key":"hook"},"format":"json",
    "templateConfigMapName":"form","alertmanagers":["http://am-0:9093","https://am-1/x"],
    "token":{"secretName":"token"},"caConfigMapName":"cas","port":19813,"maxPerMinute":5,"againAfter":"30m",
    "onlyCauses":true,"from":[{"namespaceSelector":{}}],"podAnnotations":{"a":"b"},"nodeSelector":{"pool":"x"},
    "tolerations":[{"operator":"Exists"}]}"#;
const SMALL: &str = r#"respond={"enabled":true,"alertmanagers":["http://am:9093"]}"#;
const NAME: &str = "netwhy-respond";

/// All documents, which the API knows, and those of `respond`.
fn rendered(helm: &Helm, values: &[&str]) -> (Documents, Documents) {
    let values: Vec<String> = values.iter().flat_map(|value| expand(value)).collect();
    let text = helm.template(&values).unwrap_or_else(|error| panic!("{values:?}: {error}"));
    let all = Documents::read(&text);
    for document in &all.0 {
        api::check(document).unwrap_or_else(|error| panic!("{values:?}: {error}"));
    }
    let own = all.0.iter().filter(|document| document["metadata"]["name"] == NAME).cloned().collect();
    (all, Documents(own))
}

fn pod(own: &Documents) -> (PodSpec, Container) {
    let deployment: Deployment = own.one("Deployment");
    let spec = deployment.spec.expect("a specification");
    let pod = spec.template.spec.expect("a Pod specification");
    let [container] = &pod.containers[..] else { panic!("{} containers", pod.containers.len()) };
    let container = container.clone();
    (pod, container)
}

/// Group, resource and verbs of all rules.
fn asked(rules: Option<Vec<PolicyRule>>) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for rule in rules.expect("rules") {
        assert!(rule.non_resource_urls.is_none() && rule.resource_names.is_none());
        for group in rule.api_groups.expect("groups") {
            for resource in rule.resources.iter().flatten() {
                assert!(all.insert(format!("{group}/{resource}"), rule.verbs.clone()).is_none(), "{resource} twice");
            }
        }
    }
    all
}

fn expected(rights: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    let owned = |verbs: &[&str]| verbs.iter().map(|verb| (*verb).to_owned()).collect();
    rights.iter().map(|(resource, verbs)| ((*resource).to_owned(), owned(verbs))).collect()
}

#[test]
fn nothing_of_it_is_there_by_default_and_the_agents_stay_as_they_are() {
    let Some(helm) = Helm::found("nothing_of_it_is_there_by_default_and_the_agents_stay_as_they_are") else { return };
    let (without, none) = rendered(&helm, &["networkPolicy={\"enabled\":true}"]);
    assert!(none.0.is_empty());
    let (with, own) = rendered(&helm, &[FULL, "networkPolicy={\"enabled\":true}"]);
    let rest: Vec<_> = with.0.into_iter().filter(|document| document["metadata"]["name"] != NAME).collect();
    assert_eq!(rest, without.0);
    let mut kinds = own.kinds();
    kinds.sort_unstable();
    let all = [
        "ClusterRole",
        "ClusterRoleBinding",
        "Deployment",
        "NetworkPolicy",
        "Role",
        "RoleBinding",
        "Service",
        "ServiceAccount",
    ];
    assert_eq!(kinds, all);
}

#[test]
fn it_only_reads_and_reaches_agents_in_its_own_namespace() {
    let Some(helm) = Helm::found("it_only_reads_and_reaches_agents_in_its_own_namespace") else { return };
    for (values, way) in
        [(&[FULL][..], ("/pods/portforward", &["get", "create"][..])), (&[SMALL, PROXY], ("/pods/proxy", &["get"]))]
    {
        let (_, own) = rendered(&helm, values);
        let everywhere: ClusterRole = own.one("ClusterRole");
        assert!(everywhere.aggregation_rule.is_none());
        let rights: [(&str, &[&str]); 10] = [
            ("/pods", &["get", "list"]),
            ("/nodes", &["get", "list"]),
            ("/services", &["get", "list"]),
            ("/events", &["list"]),
            ("apps/deployments", &["get"]),
            ("apps/replicasets", &["get"]),
            ("apps/statefulsets", &["get"]),
            ("apps/daemonsets", &["get"]),
            ("batch/jobs", &["get"]),
            ("discovery.k8s.io/endpointslices", &["list"]),
        ];
        assert_eq!(asked(everywhere.rules), expected(&rights));
        let here: Role = own.one("Role");
        assert_eq!(here.metadata.namespace.as_deref(), Some("watch"));
        assert_eq!(asked(here.rules), expected(&[("apps/daemonsets", &["list"]), way]));
        for binding in ["ClusterRoleBinding", "RoleBinding"] {
            let binding = own.of_kind(binding)[0];
            assert_eq!(binding["roleRef"]["name"], NAME);
            let subject = serde_json::json!([{"kind": "ServiceAccount", "name": NAME, "namespace": "watch"}]);
            assert_eq!(binding["subjects"], subject);
        }
    }
    let given = r#"respond={"enabled":true,"alertmanagers":["http://am:9093"],"serviceAccountName":"mine"}"#;
    let (_, own) = rendered(&helm, &[given]);
    assert!(own.of_kind("ServiceAccount").is_empty());
    assert_eq!(own.of_kind("RoleBinding")[0]["subjects"][0]["name"], "mine");
    assert_eq!(pod(&own).0.service_account_name.as_deref(), Some("mine"));
    let (_, bare) = rendered(&helm, &[SMALL, "rbac={\"create\":false}"]);
    assert!(bare.kinds().iter().all(|kind| !kind.contains("Role")), "{:?}", bare.kinds());
}

#[test]
fn its_container_has_no_privilege_and_is_no_agent() {
    let Some(helm) = Helm::found("its_container_has_no_privilege_and_is_no_agent") else { return };
    let (all, own) = rendered(&helm, &[FULL]);
    let (pod, container) = pod(&own);
    assert_eq!((pod.host_pid, pod.host_network, pod.host_ipc), (None, None, None));
    let context = pod.security_context.expect("a security context of the Pod");
    assert_eq!(
        (context.run_as_non_root, context.run_as_user, context.fs_group),
        (Some(true), Some(65_532), Some(65_532))
    );
    assert_eq!(context.seccomp_profile.map(|profile| profile.type_).as_deref(), Some("RuntimeDefault"));
    let context = container.security_context.expect("a security context");
    assert_eq!((context.privileged, context.allow_privilege_escalation), (Some(false), Some(false)));
    assert_eq!(context.read_only_root_filesystem, Some(true));
    let capabilities = context.capabilities.expect("capabilities");
    assert!(capabilities.add.is_none() && capabilities.drop.is_some_and(|drop| drop == ["ALL"]));
    let volumes = pod.volumes.expect("volumes");
    assert!(volumes.iter().all(|volume| volume.secret.is_some() || volume.config_map.is_some()));
    let mounts = container.volume_mounts.expect("mounts");
    assert!(mounts.iter().all(|mount| mount.read_only == Some(true) && mount.sub_path.is_none()));
    assert_eq!((volumes.len(), mounts.len()), (4, 4));
    assert!(pod.termination_grace_period_seconds > Some(22), "it has 20 s for alerts that wait");
    // The agents' selectors do not find it: neither a monitor, a policy nor `kubectl netwhy`.
    let deployment: Deployment = own.one("Deployment");
    let labels = deployment.spec.and_then(|spec| spec.template.metadata?.labels).expect("labels");
    let agents = &all.of_kind("DaemonSet")[0]["spec"]["selector"]["matchLabels"];
    assert!(
        agents
            .as_object()
            .expect("labels")
            .iter()
            .any(|(name, value)| labels.get(name).map(String::as_str) != value.as_str())
    );
}

/// The command line, as the plugin reads it.
fn flags(container: &Container) -> netwhy_agent::plugin::cli::Cli {
    assert_eq!(container.command.as_deref(), Some(&["/usr/local/bin/kubectl-netwhy".to_owned()][..]));
    let words = std::iter::once("kubectl-netwhy").chain(container.args.iter().flatten().map(String::as_str));
    parse(&words.map(OsString::from).collect::<Vec<_>>()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_plugin_takes_its_command_line_with_the_settings_of_the_values() {
    let Some(helm) = Helm::found("the_plugin_takes_its_command_line_with_the_settings_of_the_values") else { return };
    let (_, own) = rendered(&helm, &[FULL, "networkPolicy={\"enabled\":true}", "listenAddress=\"[::]\""]);
    let (pod, container) = pod(&own);
    let cli = flags(&container);
    assert_eq!(cli.global.agent_namespace.as_deref(), Some("watch"));
    let mut selector: Vec<&str> = cli.global.agent_selector.split(',').collect();
    selector.sort_unstable();
    let agents =
        ["app.kubernetes.io/component=agent", "app.kubernetes.io/instance=netwhy", "app.kubernetes.io/name=netwhy"];
    assert_eq!(selector, agents);
    let Command::Respond(flags) = cli.command else { panic!("another command") };
    assert_eq!(flags.listen.to_string(), "[::]:19813");
    assert_eq!((flags.max_per_minute, flags.again_after.as_secs(), flags.only_causes), (5, 1800, true));
    assert_eq!(flags.alertmanagers, ["http://am-0:9093", "https://am-1/x"]);
    assert_eq!(flags.format, Style::Json);
    // Each file is where a volume puts it.
    let volumes = serde_json::to_value(pod.volumes).expect("volumes");
    for (file, source, name, key) in [
        (flags.post_url_file, "secret", "slack", "hook"),
        (flags.token_file, "secret", "token", "token"),
        (flags.template, "configMap", "form", "template.json"),
        (flags.ca_file, "configMap", "cas", "ca.crt"),
    ] {
        let file = file.expect("a file");
        let dir = file.parent().and_then(|dir| dir.to_str()).expect("a folder");
        let mount = container.volume_mounts.iter().flatten().find(|mount| mount.mount_path == dir).expect("a mount");
        let volume = volumes.as_array().expect("a list").iter().find(|one| one["name"] == mount.name.as_str());
        let volume = &volume.expect("a volume")[source];
        assert!(volume["secretName"] == name || volume["name"] == name, "{volume}");
        let path = file.file_name().and_then(|name| name.to_str()).expect("a name");
        assert_eq!((volume["items"][0]["key"].as_str(), volume["items"][0]["path"].as_str()), (Some(key), Some(path)));
    }
    let service: Service = own.one("Service");
    let spec = service.spec.expect("a specification");
    assert_eq!(spec.ports.expect("ports")[0].port, 19_813);
    let selected = |own: &Documents| -> BTreeMap<String, String> {
        typed::<Deployment>(own, "Deployment").spec.expect("a specification").selector.match_labels.expect("labels")
    };
    assert_eq!(spec.selector, Some(selected(&own)));
    let policy: NetworkPolicy = own.one("NetworkPolicy");
    let spec = policy.spec.expect("a specification");
    assert_eq!(spec.pod_selector.and_then(|selector| selector.match_labels), Some(selected(&own)));
    assert!(spec.ingress.expect("ingress")[0].from.is_some());

    let (_, own) = rendered(&helm, &[SMALL]);
    let (_, container) = self::pod(&own);
    let Command::Respond(small) = self::flags(&container).command else { panic!("another command") };
    assert!(small.post_url_file.is_none() && small.token_file.is_none() && container.volume_mounts.is_none());
    assert_eq!((small.listen.to_string().as_str(), small.max_per_minute), ("0.0.0.0:9813", 30));
}

fn typed<T: DeserializeOwned>(own: &Documents, kind: &str) -> T {
    own.one(kind)
}

#[test]
fn every_rule_of_its_roles_has_its_reason_above_it() {
    let file = crate::helm::chart().join("templates/respond.yaml");
    let text = std::fs::read_to_string(&file).expect("the template is there");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let rules: Vec<usize> = (0..lines.len()).filter(|&i| lines[i].starts_with("- apiGroups:")).collect();
    assert_eq!(rules.len(), 8);
    for i in rules {
        assert!(lines[i - 1].starts_with("# "), "no reason above line {} of {}", i + 1, file.display());
    }
}
