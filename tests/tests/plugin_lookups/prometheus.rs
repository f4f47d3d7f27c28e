//! A real Prometheus behind a Service of the API server. It scrapes the real agents, and has made-up series of the week
//! before: each night a Node drops packets, and one that fills up.

use crate::{
    control_plane::{ADMIN, ControlPlane, NARROW, ONCALL, running},
    tools::eventually,
};
use netwhy_tests::{
    lab::{Lab, Node, Program},
    prometheus::find,
};
use serde_json::{Value, json};
use std::{fmt::Write as _, process::Command, time::SystemTime};

const DAY: i64 = 86_400;
/// The Service's name, and its namespace.
const SERVICE: &str = "monitoring/prometheus-operated";

#[expect(clippy::disallowed_methods, reason = "the made-up series need the time of day")]
fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// The nights before this one at which it happened, three hours before the time of day that it is now.
fn nights(now: i64) -> impl Iterator<Item = i64> {
    (1..=6).rev().map(move |night| now / 60 * 60 - 3 * 3600 - night * DAY)
}

/// OpenMetrics of the week before: 20 minutes each night, and connections that are full in eight hours.
fn week(now: i64) -> String {
    let mut out = String::new();
    let node = "node=\"b\",cause=\"node_nic_drops\",blame_kind=\"node\",blame=\"b\"";
    let pod = "node=\"a\",namespace=\"shop\",pod=\"old-1\",workload=\"Deployment/old\",cause=\"node_packet_loss\",\
               blame_kind=\"peer_node\",blame=\"b\"";
    let _ = writeln!(out, "# TYPE netwhy_hint_seconds counter");
    for (labels, late) in [(node, 0), (pod, 60)] {
        for begin in nights(now) {
            // The agent keeps the series for 15 minutes.
            for minute in 1..=35 {
                let (fired, at) = (60 * minute.min(20), begin + late + 60 * minute);
                let _ = writeln!(out, "netwhy_hint_seconds_total{{{labels}}} {fired} {at}");
            }
        }
    }
    let _ = writeln!(out, "# TYPE netwhy_hint gauge");
    for (labels, late) in [(node, 0), (pod, 60)] {
        for begin in nights(now) {
            for minute in 1..=20 {
                let at = begin + late + 60 * minute;
                let _ = writeln!(out, "netwhy_hint{{{labels},symptom=\"packet_loss\"}} 0.95 {at}");
            }
        }
    }
    for (metric, begin, growth) in
        [("netwhy_node_conntrack_entries", 120_000.0, 10_000.0), ("netwhy_node_conntrack_limit", 262_144.0, 0.0)]
    {
        let _ = writeln!(out, "# TYPE {metric} gauge");
        for minute in 0..=360 {
            let (value, at) = (begin + growth * f64::from(minute) / 60.0, now - 21_600 + i64::from(minute) * 60);
            let _ = writeln!(out, "{metric}{{node=\"b\"}} {value} {at}");
        }
    }
    out + "# EOF\n"
}

fn start(lab: &Lab, plane: &ControlPlane, node: &Node, now: i64) -> Program {
    let file = plane.scratch.write("week.openmetrics", &week(now));
    let data = plane.scratch.file("prometheus");
    let mut fill = Command::new(find("promtool").unwrap());
    let filled = fill.args(["tsdb", "create-blocks-from", "openmetrics"]).arg(&file).arg(&data).output().unwrap();
    assert!(filled.status.success(), "{}", String::from_utf8_lossy(&filled.stderr));
    let target =
        |name: &str| format!("{{targets: ['{}:9810'], labels: {{node: {name}}}}}", lab.node(name).unwrap().ipv4);
    let targets = format!("[{}, {}]", target("a"), target("b"));
    let config = plane.scratch.write(
        "prometheus.yml",
        &format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n  - job_name: netwhy\n    \
             honor_labels: true\n    static_configs: {targets}\n"
        ),
    );
    // Through a shell for the log only.
    let line = format!("exec \"$0\" \"$@\" >{} 2>&1", plane.scratch.file("prometheus.log").display());
    let mut all: Vec<std::ffi::OsString> = vec!["sh".into(), "-c".into(), line.into()];
    all.push(find("prometheus").unwrap().into());
    all.push(format!("--config.file={}", config.display()).into());
    all.push(format!("--storage.tsdb.path={}", data.display()).into());
    all.push(format!("--web.listen-address={}:9090", node.ipv4).into());
    lab.start_command(Some(&node.netns), None, &all).unwrap()
}

/// A Service with its Pod: the proxy of the API server connects to addresses of Pods alone.
fn service(plane: &ControlPlane, namespace: &str, address: &str) {
    let (_, name) = SERVICE.split_once('/').unwrap();
    let metadata = json!({"name": name, "namespace": namespace});
    let port = json!([{"name": "http-web", "port": 9090}]);
    plane.create(&json!({
        "apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"clusterIP": "None", "ports": port}
    }));
    plane.create(&json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "prometheus-0", "namespace": namespace},
        "spec": {"nodeName": "d", "containers": [{"name": "prometheus", "image": "prometheus"}]}
    }));
    plane.status(namespace, "prometheus-0", &running(address));
    let pod = json!({"kind": "Pod", "namespace": namespace, "name": "prometheus-0"});
    plane.create(&json!({
        "apiVersion": "v1", "kind": "Endpoints", "metadata": metadata,
        "subsets": [{"addresses": [{"ip": address, "targetRef": pod}], "ports": port}]
    }));
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": name, "namespace": namespace, "labels": {"kubernetes.io/service-name": name}},
        "endpoints": [{"addresses": [address], "conditions": {"ready": true}, "targetRef": pod}], "ports": port
    });
    // An API server older than slices has endpoints alone.
    let _ = plane.kubectl(ADMIN, &["create", "-f", "-"], &slice.to_string());
}

#[track_caller]
fn item<'a>(report: &'a Value, cause: &str) -> &'a Value {
    let mut items = report["items"].as_array().unwrap().iter();
    items.find(|item| item["cause"] == cause).unwrap_or_else(|| panic!("no {cause}: {report}"))
}

/// Incidents and forecasts of the flight recorders alone: the Pod `shop/cart` was refused by its server.
pub(crate) fn without(plane: &ControlPlane) {
    let said = eventually("incident of some seconds", || {
        let said = plane.ask(ONCALL, &["incidents", "-A", "--since", "1h", "-o", "json"]).well();
        let report = said.json();
        let cart = item(&report, "peer_refusing");
        if cart["seconds"].as_f64() > Some(1.0) { Ok(said) } else { Err(cart.to_string()) }
    });
    let report = said.json();
    let cart = item(&report, "peer_refusing");
    assert_eq!((&cart["namespace"], &cart["workload"]), (&json!("shop"), &json!("Pod/cart")), "{cart}");
    assert!(cart["times"].as_u64() >= Some(1), "{cart}");
    assert_eq!((&report["prometheus"], &report["agents"]), (&Value::Null, &json!(2)), "{report}");
    assert!(said.err.contains("no record of a from "), "{}", said.err);
    let screen = plane.ask(ONCALL, &["incidents", "-n", "shop", "--since", "1h"]).well().out;
    println!("{screen}");
    assert!(screen.contains("pass --prometheus URL"), "{screen}");
    let page = plane.ask(ONCALL, &["incidents", "-n", "shop", "--since", "1h", "-o", "html"]).well();
    crate::map::assert_page(&page, &["Incidents from", "<svg", "peer_refusing"]);

    let forecast = plane.ask(ONCALL, &["forecast", "-o", "json"]).well().json();
    assert_eq!(forecast["source"], "flight recorders", "{forecast}");
    let is_known = |figure: &Value| figure["known"].as_u64() > Some(0);
    assert!(forecast["figures"].as_array().unwrap().iter().any(is_known), "{forecast}");
    let words = forecast["unknown"].to_string();
    assert!(words.contains("too short a time") && words.contains("accept queue"), "{words}");
    assert_eq!(forecast["accept_queues"], Value::Null, "{forecast}");
}

/// The same with a Prometheus in the cluster.
pub(crate) fn check(lab: &Lab, plane: &ControlPlane, node: &Node) {
    without(plane);
    if ["prometheus", "promtool"].into_iter().any(|program| find(program).is_none()) {
        assert!(!std::env::var("CI").is_ok_and(|ci| ci == "true"), "needs prometheus and promtool, and CI=true");
        return println!("SKIP incidents of a real Prometheus: needs prometheus and promtool");
    }
    let now = now();
    let _running = start(lab, plane, node, now);
    plane.create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}}));
    service(plane, "monitoring", &node.ipv4.to_string());
    let ready = "/api/v1/namespaces/monitoring/services/prometheus-operated:9090/proxy/-/ready";
    eventually("ready Prometheus", || plane.kubectl(ADMIN, &["get", "--raw", ready], "").map(drop));
    fills_up(plane);
    recurs(plane);
    beyond_the_recorders(plane, now);
    refusals(plane);
}

fn fills_up(plane: &ControlPlane) {
    let report = eventually("forecast with figures of the agents", || {
        let report = plane.ask(ONCALL, &["forecast", "--within", "24h", "-o", "json"]).well().json();
        let maps =
            report["figures"].as_array().unwrap().iter().find(|figure| figure["resource"] == "agent's kernel map");
        if maps.unwrap()["known"].as_u64() > Some(0) { Ok(report) } else { Err(report.to_string()) }
    });
    assert_eq!(report["source"], format!("Prometheus {SERVICE}"), "{report}");
    assert!(report["accept_queues"]["known"].is_u64(), "{report}");
    let full = report["items"].as_array().unwrap().iter().find(|item| item["resource"] == "tracked connections");
    let full = full.unwrap_or_else(|| panic!("{report}"));
    let hours = full["full_in_seconds"].as_f64().unwrap() / 3600.0;
    // 82,144 are left, at 10,000 an hour.
    assert!((8.0..8.4).contains(&hours) && full["node"] == "b", "{full}");
    assert!((full["per_hour"].as_f64().unwrap() - 10_000.0).abs() < 50.0, "{full}");
    let soon = plane.ask(ONCALL, &["forecast", "--within", "4h"]).well().out;
    assert!(soon.contains("tracked connections: not filling, ") && soon.contains("the fullest: b, 69 %"), "{soon}");
    println!("{}", plane.ask(ONCALL, &["forecast", "--within", "24h"]).well().out);
}

fn recurs(plane: &ControlPlane) {
    let said = plane.ask(ONCALL, &["incidents", "-A", "--since", "8d", "-o", "json"]).well();
    let report = said.json();
    assert_eq!(report["prometheus"], SERVICE, "{report}");
    let drops = item(&report, "node_nic_drops");
    assert_eq!((&drops["times"], &drops["workload"]), (&json!(6), &json!("Node/b")), "{drops}");
    assert_eq!((&drops["recurs"]["rule"], &drops["recurs"]["days"]), (&json!("daily"), &json!(6)), "{drops}");
    assert_eq!((&drops["first_in"], &drops["chains"]), (&json!(6), &json!(6)), "{report}");
    let (seconds, sure) = (drops["seconds"].as_f64().unwrap(), drops["confidence"].as_f64());
    assert!((seconds - 7200.0).abs() < 1.0 && sure == Some(0.95), "{drops}");
    let loss = item(&report, "node_packet_loss");
    assert_eq!((&loss["workload"], &loss["first_in"]), (&json!("Deployment/old"), &json!(0)), "{loss}");
    item(&report, "peer_refusing");
    assert!(said.err.is_empty(), "{}", said.err);
    println!("{}", plane.ask(ONCALL, &["incidents", "-A", "--since", "8d"]).well().out);
    let only = plane.ask(ONCALL, &["incidents", "-n", "netwhy", "--since", "8d"]).well().out;
    assert!(!only.contains("node_packet_loss"), "{only}");
}

fn beyond_the_recorders(plane: &ControlPlane, now: i64) {
    let then = format!("-{}s", self::now() - nights(now).nth(3).unwrap() - 600);
    let said = plane.ask(ONCALL, &["why", "pod/old-1", "--at", &then, "-o", "json"]).well();
    let case = said.json();
    assert_eq!(
        (&case["verdict"]["state"], &case["verdict"]["cause"]),
        (&json!("cause_found"), &json!("node_nic_drops"))
    );
    assert_eq!(case["verdict"]["blame"]["name"], "b", "{case}");
    let unknown = case["unknown"].to_string();
    assert!(unknown.contains("not in Prometheus monitoring/prometheus-operated"), "{unknown}");
    assert!(unknown.contains("older than the history") && case["evidence"] == json!([]), "{case}");
    let screen = plane.ask(ONCALL, &["why", "deploy/old", "--at", &then]).well().out;
    println!("{screen}");
    assert!(screen.contains("as the series of hints say"), "{screen}");
    let words = ["older than the history", "has no hint about Pod/other at that time"];
    plane.ask(ONCALL, &["why", "pod/other", "--at", &then]).failed(&words);
}

fn refusals(plane: &ControlPlane) {
    let off = plane.ask(ONCALL, &["incidents", "-A", "--prometheus", "off", "-o", "json"]).well().json();
    assert_eq!(off["prometheus"], Value::Null, "{off}");
    let narrow = plane.ask(NARROW, &["incidents", "-n", "shop", "-o", "json"]).well().json();
    assert!(narrow["unknown"].to_string().contains("forbidden"), "{narrow}");
    let words = ["Prometheus monitoring/prometheus-operated: forbidden", "services/proxy"];
    plane.ask(NARROW, &["forecast", "--prometheus", &format!("{SERVICE}:9090")]).failed(&words);
    // Anybody may give a Service that name.
    service(plane, "shop", "10.77.255.251");
    let words =
        ["several Services may be the Prometheus: ", "shop/prometheus-operated", "--prometheus NAMESPACE/SERVICE"];
    let said = plane.ask(ONCALL, &["incidents", "-A", "-o", "json"]).well();
    assert!(words.iter().all(|word| said.out.contains(word)), "{}", said.out);
    let named = plane.ask(ONCALL, &["incidents", "-A", "--prometheus", SERVICE, "-o", "json"]).well().json();
    assert_eq!(named["prometheus"], SERVICE, "{named}");
}
