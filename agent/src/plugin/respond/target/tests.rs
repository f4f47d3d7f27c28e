use super::*;
use crate::text::tests::{hostile, mark};

fn labels(labels: &[(&str, &str)]) -> Labels {
    labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What is asked, in order.
fn asked(given: &[(&str, &str)]) -> Vec<String> {
    candidates(&labels(given), Naming::Kubernetes).iter().map(Candidate::shown).collect()
}

#[test]
fn the_closest_object_comes_first() {
    let pod = [("alertname", "NetwhyPodHint"), ("namespace", "shop"), ("pod", "cart-1"), ("node", "a")];
    assert_eq!(asked(&pod), ["Pod shop/cart-1", "Node a"]);
    let workload = [("namespace", "shop"), ("workload", "Deployment/cart"), ("pod", "cart-1"), ("node", "a")];
    assert_eq!(asked(&workload), ["Pod shop/cart-1", "Deployment shop/cart", "Node a"]);
    // kube-prometheus has the kind beside the name.
    let kind = [("namespace", "shop"), ("workload", "db"), ("workload_type", "statefulset")];
    assert_eq!(asked(&kind), ["StatefulSet shop/db"]);
    for (label, kind) in [
        ("deployment", "Deployment"),
        ("statefulset", "StatefulSet"),
        ("daemonset", "DaemonSet"),
        ("job_name", "Job"),
        ("service", "Service"),
    ] {
        assert_eq!(asked(&[("namespace", "shop"), (label, "x")]), [format!("{kind} shop/x")]);
    }
    assert_eq!(asked(&[("alertname", "Watchdog"), ("severity", "none")]), Vec::<String>::new());
}

#[test]
fn labels_of_exporters_come_behind_those_of_the_object() {
    let state = [
        ("alertname", "KubeDeploymentReplicasMismatch"),
        ("namespace", "shop"),
        ("deployment", "cart"),
        ("service", "kube-state-metrics"),
        ("instance", "10.0.0.7:8080"),
    ];
    assert_eq!(asked(&state), ["Deployment shop/cart", "Service shop/kube-state-metrics"]);
    let kept = [
        ("namespace", "monitoring"),
        ("pod", "kube-state-metrics-0"),
        ("exported_namespace", "shop"),
        ("exported_pod", "cart-1"),
    ];
    assert_eq!(asked(&kept), ["Pod shop/cart-1", "Pod monitoring/kube-state-metrics-0"]);
    let node = [
        ("alertname", "NodeFilesystemAlmostOutOfSpace"),
        ("namespace", "monitoring"),
        ("pod", "node-exporter-x"),
        ("instance", "10.0.0.7:9100"),
    ];
    assert_eq!(asked(&node), ["the address 10.0.0.7", "Pod monitoring/node-exporter-x"]);
}

#[test]
fn an_instance_is_a_node_or_who_has_its_address() {
    let asked = |instance| asked(&[("alertname", "Down"), ("instance", instance)]);
    assert_eq!(asked("10.0.0.7:9100"), ["the address 10.0.0.7"]);
    assert_eq!(asked("[fd00::7]:9100"), ["the address fd00::7"]);
    assert_eq!(asked("fd00::7"), ["the address fd00::7"]);
    assert_eq!(asked("worker-3.example:9100"), ["Node worker-3.example"]);
    for other in ["https://shop.example/health", "", "a b:1"] {
        assert_eq!(asked(other), Vec::<String>::new(), "{other}");
    }
}

#[test]
fn names_that_would_change_a_path_or_a_command_line_name_nothing() {
    let mut wrong: Vec<String> = hostile().iter().map(|c| format!("a{c}b")).collect();
    wrong.extend(
        ["../x", "a/b", "..", "a..b", "-n", "a;b", "$(x)", "`x`", "a b", "a'b", "a\"b", "a?b=c", "a%2fb"]
            .map(str::to_owned),
    );
    wrong.extend([mark(), "x".repeat(254)]);
    for text in &wrong {
        assert_eq!(asked(&[("namespace", "shop"), ("pod", text)]), Vec::<String>::new(), "{text:?}");
        assert_eq!(asked(&[("node", text)]), Vec::<String>::new(), "{text:?}");
        assert_eq!(asked(&[("namespace", "shop"), ("workload", text)]), Vec::<String>::new(), "{text:?}");
        assert_eq!(asked(&[("namespace", text), ("pod", "x")]), Vec::<String>::new(), "{text:?}");
    }
    assert_eq!(asked(&[("namespace", "Shop"), ("pod", "x"), ("node", "a")]), ["Node a"]);
    assert_eq!(asked(&[("namespace", "shop"), ("workload", "Node/x")]), Vec::<String>::new());
}

#[test]
fn one_agent_names_namespaces_as_it_likes_and_commands_leave_such_names_out() {
    let given = labels(&[("namespace", "lab/a; rm -rf"), ("pod", "cart")]);
    let [only] = &candidates(&given, Naming::Agent)[..] else { panic!("one object") };
    assert_eq!(only.namespace.as_deref(), Some("lab/a; rm -rf"));
    assert_eq!(only.command(), "kubectl netwhy why pod/cart");
}

#[test]
fn commands_show_more_about_the_same_object() {
    let command = |given: &[(&str, &str)]| candidates(&labels(given), Naming::Kubernetes)[0].command();
    assert_eq!(command(&[("namespace", "shop"), ("pod", "cart")]), "kubectl netwhy why pod/cart -n shop");
    assert_eq!(command(&[("pod", "cart")]), "kubectl netwhy why pod/cart");
    assert_eq!(command(&[("namespace", "shop"), ("node", "a")]), "kubectl netwhy why node/a");
    assert_eq!(command(&[("instance", "10.0.0.1:1")]), "kubectl netwhy nodes");
    let job = [("namespace", "shop"), ("job_name", "report")];
    assert_eq!(command(&job), "kubectl netwhy why job/report -n shop");
    let args = command(&job);
    crate::plugin::cli::parse(&args.split(' ').skip(1).map(Into::into).collect::<Vec<_>>()).unwrap();
}
