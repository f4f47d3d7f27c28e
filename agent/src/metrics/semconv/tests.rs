use super::*;
use crate::{
    metrics::{
        CONVENTIONS, Format, METRICS, MetricsOptions,
        check::{self, Samples, read},
        encode,
        fixture::{agent, busy_pod, pod, view},
    },
    state::{CallSums, SubjectKind, SubjectView},
};
use std::sync::Arc;

const ON: MetricsOptions =
    MetricsOptions { fine_rtt: false, workload: true, peer: true, semconv: true, max_series: 50_000 };
/// Labels of every series of the subject below.
const CART: &str = r#"namespace="shop",pod="cart-2",workload="Deployment/cart""#;
const K8S: &str = r#"k8s_namespace_name="shop",k8s_pod_name="cart-2",k8s_deployment_name="cart""#;

fn samples(subjects: Vec<SubjectView>, options: &MetricsOptions) -> Samples {
    let bytes = encode(&Arc::new(view(subjects)), &Arc::new(agent()), options, Format::OpenMetrics);
    read(std::str::from_utf8(&bytes).unwrap(), Format::OpenMetrics)
}

/// A Pod with these calls alone.
fn calling(workload: &str, calls: CallSums) -> SubjectView {
    let mut subject = pod("shop", "cart-2");
    subject.id.workload = workload.into();
    subject.sums.calls = Some(Box::new(calls));
    subject
}

fn key(role: Role, method: Option<Method>, route: &str, status: u16) -> CallKey {
    CallKey { role, method, route: Arc::from(route), status, code: None }
}

fn rpc(role: Role, route: &str, code: Code) -> CallKey {
    CallKey { code: Some(code), ..key(role, Some(Method::Post), route, 0) }
}

/// Counts of the series with one of OpenTelemetry's names: its name without `_count`, and its labels without the Pod's.
fn counts(calls: impl IntoIterator<Item = (CallKey, u64)>) -> Vec<(String, f64)> {
    let mut sums = CallSums::default();
    calls.into_iter().for_each(|(key, times)| sums.add_call(key, 1_500, times));
    let all = samples(vec![calling("Deployment/cart", sums)], &ON);
    let of_pod = format!("_duration_seconds_count{{{CART},{K8S},");
    let theirs = all.into_iter().filter(|(series, _)| series.contains(&of_pod));
    theirs.map(|(series, n)| (series.replacen(&of_pod, " ", 1).trim_end_matches('}').to_owned(), n)).collect()
}

#[test]
fn requests_have_the_attributes_of_the_convention() {
    let got = counts([
        (key(Role::Server, Some(Method::Get), "/cart/:id", 200), 20),
        (key(Role::Server, Some(Method::Get), "/cart/:id", 404), 4),
        (key(Role::Server, Some(Method::Post), "/orders", 503), 5),
        (key(Role::Client, Some(Method::Get), "/stock", 200), 7),
        (key(Role::Client, Some(Method::Get), "/stock", 404), 6),
    ]);
    let server = |rest: &str| format!("http_server_request http_request_method={rest},url_scheme=\"http\"");
    let client = |rest: &str| format!("http_client_request http_request_method={rest}");
    assert_eq!(
        got,
        [
            (client(r#""GET",http_response_status_code="200""#), 7.0),
            (client(r#""GET",http_response_status_code="404",error_type="404""#), 6.0),
            (server(r#""GET",http_route="/cart/:id",http_response_status_code="200""#), 20.0),
            (server(r#""GET",http_route="/cart/:id",http_response_status_code="404""#), 4.0),
            (server(r#""POST",http_route="/orders",http_response_status_code="503",error_type="503""#), 5.0),
        ]
    );
}

#[test]
fn what_differs_in_unknown_attributes_alone_is_one_series() {
    let got = counts([
        // A client's route is no attribute.
        (key(Role::Client, Some(Method::Get), "/a", 200), 1),
        (key(Role::Client, Some(Method::Get), "/b", 200), 2),
        // Of unknown method, route and status, and of any.
        (key(Role::Server, Some(Method::Unknown), UNKNOWN, 0), 4),
        (key(Role::Server, None, "~other", 0), 8),
        (key(Role::Server, None, "~other", 2), 16),
        (key(Role::Server, None, "~other", 5), 32),
        (key(Role::Client, None, "~other", 4), 64),
    ]);
    let series = |end: &str, rest: &str| format!("http_{end}_request http_request_method={rest}");
    assert_eq!(
        got,
        [
            (series("client", r#""GET",http_response_status_code="200""#), 3.0),
            (series("client", r#""_OTHER",error_type="_OTHER""#), 64.0),
            (series("server", r#""_OTHER",error_type="_OTHER",url_scheme="http""#), 32.0),
            (series("server", r#""_OTHER",url_scheme="http""#), 28.0),
        ]
    );
}

#[test]
fn calls_of_grpc_have_the_attributes_of_the_convention() {
    let got = counts([
        (rpc(Role::Server, "/shop.Cart/Get", Code::Ok), 1),
        (rpc(Role::Server, "/shop.Cart/Get", Code::NotFound), 2),
        (rpc(Role::Server, "/shop.Cart/Get", Code::Internal), 4),
        (rpc(Role::Server, "/shop.Cart/Get", Code::TrailersOnly), 8),
        (rpc(Role::Server, "/shop.Cart/Get", Code::Undecoded), 16),
        (rpc(Role::Client, "/shop.Cart/Get", Code::NotFound), 32),
        (rpc(Role::Client, "/unknown/unknown", Code::Ok), 64),
        (rpc(Role::Client, "/:id/Get", Code::Ok), 128),
        (CallKey { method: None, ..rpc(Role::Client, "~other", Code::Ok) }, 256),
    ]);
    let server = |rest: &str| format!(r#"rpc_server_call rpc_system_name="grpc",rpc_method="shop.Cart/Get"{rest}"#);
    let client = |rest: &str| format!(r#"rpc_client_call rpc_system_name="grpc",{rest}"#);
    assert_eq!(
        got,
        [
            (client(r#"rpc_method="_OTHER",rpc_status_code="OK""#), 384.0),
            (client(r#"rpc_method="shop.Cart/Get",rpc_status_code="NOT_FOUND",error_type="NOT_FOUND""#), 32.0),
            (client(r#"rpc_status_code="OK""#), 64.0),
            (server(r#",rpc_status_code="INTERNAL",error_type="INTERNAL""#), 4.0),
            (server(r#",rpc_status_code="NOT_FOUND""#), 2.0),
            (server(r#",rpc_status_code="OK""#), 1.0),
            (server(""), 24.0),
        ]
    );
}

#[test]
fn nothing_is_added_unless_it_is_switched_on() {
    let off = samples(vec![busy_pod("shop", "payment-1")], &MetricsOptions::default());
    let on = samples(vec![busy_pod("shop", "payment-1")], &ON);
    assert!(off.keys().all(|series| series.starts_with("netwhy_") || series.starts_with("process_")));
    let added: Vec<&String> = on.keys().filter(|series| !off.contains_key(*series)).collect();
    assert!(added.iter().all(|series| CONVENTIONS.iter().any(|metric| series.starts_with(metric.name))), "{added:?}");
    // Five histograms: two of servers' requests, and one of each other kind.
    assert_eq!(added.len(), 5 * 8);
    assert_eq!(on["netwhy_agent_series"] - off["netwhy_agent_series"], 40.0);
    for metric in CONVENTIONS {
        assert!(added.iter().any(|series| series.starts_with(metric.name)), "{}", metric.name);
    }
    let of_pods = ["namespace", "pod", "workload", "k8s_namespace_name", "k8s_pod_name", "k8s_deployment_name", "le"];
    for series in added {
        let line = format!("{series} 0");
        let sample = check::sample(&line);
        let metric = CONVENTIONS.iter().find(|metric| sample.name.starts_with(metric.name)).unwrap();
        for (label, _) in &sample.labels {
            let is_declared = of_pods.contains(label) || metric.labels.iter().any(|own| own.name == *label);
            assert!(is_declared, "{label}: {line}");
        }
    }
}

#[test]
fn counts_are_those_of_our_own_metrics() {
    let all = samples(vec![busy_pod("shop", "payment-1")], &ON);
    let sum = |name: &str, role: &str| -> f64 {
        let of = |series: &&String| series.starts_with(&format!("{name}_count{{")) && series.contains(role);
        all.iter().filter(|(series, _)| of(series)).map(|(_, count)| count).sum()
    };
    for (ours, role, theirs) in [
        ("netwhy_http_request_seconds", "role=\"server\"", "http_server_request_duration_seconds"),
        ("netwhy_http_request_seconds", "role=\"client\"", "http_client_request_duration_seconds"),
        ("netwhy_grpc_call_seconds", "role=\"server\"", "rpc_server_call_duration_seconds"),
        ("netwhy_grpc_call_seconds", "role=\"client\"", "rpc_client_call_duration_seconds"),
    ] {
        assert!(sum(ours, role) > 0.0 && sum(ours, role) == sum(theirs, ""), "{theirs}: {}", sum(theirs, ""));
    }
}

#[test]
fn series_count_for_the_limit() {
    let pods = || vec![busy_pod("shop", "payment-1"), busy_pod("shop", "payment-2")];
    let of_pods = |all: &Samples| {
        let is_pods = |series: &&String| series.contains("pod=\"") && !series.starts_with("netwhy_hint");
        all.keys().filter(is_pods).count()
    };
    let limit = of_pods(&samples(pods(), &MetricsOptions::default()));
    let without = samples(pods(), &MetricsOptions { max_series: limit, ..MetricsOptions::default() });
    assert_eq!(without["netwhy_agent_folded_subjects"], 0.0);
    let with = samples(pods(), &MetricsOptions { max_series: limit, ..ON });
    assert!(with["netwhy_agent_folded_subjects"] > 0.0);
    assert!(of_pods(&with) <= limit, "{} of {limit}", of_pods(&with));
    let other = r#"http_client_request_duration_seconds_count{namespace="~other",pod="~other",http_request_method="#;
    assert!(with.keys().any(|series| series.starts_with(other)), "no Pod, so no attributes of one");
}

#[test]
fn only_pods_have_attributes_of_kubernetes_and_workloads_that_have_a_name_there() {
    let attributes = |subject: SubjectView, options: &MetricsOptions| -> String {
        let all = samples(vec![subject], options);
        let name = "http_server_request_duration_seconds_count{";
        let series = all.keys().find(|series| series.starts_with(name)).unwrap();
        let own = series.split('{').nth(1).unwrap().split(',').filter(|label| label.starts_with("k8s_"));
        own.collect::<Vec<_>>().join(",")
    };
    let serving = |workload: &str| {
        let mut calls = CallSums::default();
        calls.add_call(key(Role::Server, Some(Method::Get), "/cart", 200), 1_500, 1);
        calling(workload, calls)
    };
    let pod = r#"k8s_namespace_name="shop",k8s_pod_name="cart-2""#;
    for (workload, label) in [
        ("Deployment/a", ",k8s_deployment_name=\"a\""),
        ("ReplicaSet/a", ",k8s_replicaset_name=\"a\""),
        ("StatefulSet/a", ",k8s_statefulset_name=\"a\""),
        ("DaemonSet/a", ",k8s_daemonset_name=\"a\""),
        ("Job/a", ",k8s_job_name=\"a\""),
        ("CronJob/a", ",k8s_cronjob_name=\"a\""),
        ("Rollout/a", ""),
        ("", ""),
    ] {
        assert_eq!(attributes(serving(workload), &ON), format!("{pod}{label}"), "{workload}");
    }
    assert_eq!(attributes(serving("Deployment/a"), &MetricsOptions { workload: false, ..ON }), pod);
    for kind in [SubjectKind::Unit, SubjectKind::Container] {
        let mut subject = serving("Unit/nginx.service");
        subject.id.kind = kind;
        assert_eq!(attributes(subject, &ON), "", "{kind:?}");
    }
}

#[test]
fn every_metric_belongs_to_one_convention() {
    let names: Vec<&str> = METRICS.into_iter().flatten().map(|metric| metric.name).collect();
    let fits = |ours: &str, name: &str| match ours.strip_suffix('*') {
        Some(begin) => name.starts_with(begin),
        None => name == ours,
    };
    let all = || ALL.iter().flat_map(|convention| convention.ours);
    for name in &names {
        let by_name = all().filter(|ours| *ours == name).count();
        let by_beginning = all().filter(|ours| ours.ends_with('*') && fits(ours, name)).count();
        assert!(by_name == 1 || (by_name == 0 && by_beginning == 1), "{name}: {by_name}, {by_beginning}");
    }
    for ours in all() {
        assert!(names.iter().any(|name| fits(ours, name)), "{ours} is no metric");
    }
}

#[test]
fn exported_are_the_stable_names_as_prometheus_writes_them() {
    let stable = ALL.iter().filter(|convention| convention.is_stable).flat_map(|convention| convention.theirs);
    let stable: Vec<String> = stable.map(|name| format!("{}_seconds", name.replace('.', "_"))).collect();
    let exported: Vec<&str> = CONVENTIONS.iter().map(|metric| metric.name).collect();
    assert_eq!(exported, stable);
}
