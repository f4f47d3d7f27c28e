use super::{check::read, fixture::*, *};
use crate::{
    api::{ProbeState, ProbeStatus},
    sample::{Lookups, Responses, Tally},
    state::SubjectView,
};
use netwhy_abi::{PeerClass, Role};

fn text(view: NodeView, options: &MetricsOptions, format: Format) -> String {
    let bytes = encode(&Arc::new(view), &Arc::new(agent()), options, format);
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn samples(view: NodeView, options: &MetricsOptions) -> check::Samples {
    read(&text(view, options, Format::OpenMetrics), Format::OpenMetrics)
}

fn of_pod(samples: &check::Samples, pod: &str) -> usize {
    let label = format!("pod=\"{pod}\"");
    samples.keys().filter(|s| s.contains(&label) && !s.starts_with("netwhy_hint")).count()
}

fn rich() -> NodeView {
    view(vec![busy_pod("shop", "payment-1"), healthy_pod("shop", "cart-2"), pod("shop", "idle-3")])
}

#[test]
fn every_declared_metric_and_nothing_else_is_exported_with_its_declared_labels() {
    let om = text(rich(), &MetricsOptions::default(), Format::OpenMetrics);
    let metrics: Vec<&MetricDef> = METRICS.into_iter().flatten().collect();
    let types: Vec<String> = om.lines().filter_map(|l| l.strip_prefix("# TYPE ")).map(str::to_owned).collect();
    let declared: Vec<String> = metrics.iter().map(|m| format!("{} {}", m.family(), m.kind.label())).collect();
    assert_eq!(types, declared);
    let mut current = None;
    for line in om.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ").and_then(|m| m.split(' ').next()) {
            current = metrics.iter().find(|m| m.family() == family);
        } else if !line.starts_with('#') {
            let metric = current.unwrap();
            let subject: &[&str] = if metric.per_subject() { &["namespace", "pod", "workload", "le"] } else { &["le"] };
            for (name, _) in check::sample(line).labels {
                let declared = subject.contains(&name) || metric.labels.iter().any(|l| l.name == name);
                assert!(declared, "{line}: {name}");
            }
        }
    }
}

#[test]
fn both_formats_hold_the_same_samples() {
    for (fine_rtt, semconv) in [(false, false), (true, false), (false, true)] {
        let options = MetricsOptions { fine_rtt, semconv, ..MetricsOptions::default() };
        let om = read(&text(rich(), &options, Format::OpenMetrics), Format::OpenMetrics);
        let prometheus = read(&text(rich(), &options, Format::Prometheus), Format::Prometheus);
        assert_eq!(om, prometheus);
        assert_eq!(om.len() as f64, om["netwhy_agent_series"]);
    }
}

#[test]
fn what_is_written_without_the_crates_encoder_has_the_same_bytes() {
    let mut nasty = busy_pod("a\"b\\c\nd", "x");
    nasty.cpu.as_mut().unwrap().throttled_us = 123_456_789_012;
    nasty.id.workload.clear();
    let mut v = rich();
    v.subjects.push(nasty);
    let v = Arc::new(v);
    for (fine_rtt, semconv) in [(false, false), (true, false), (false, true)] {
        let options = MetricsOptions { fine_rtt, semconv, ..MetricsOptions::default() };
        let agent = Arc::new(agent());
        let mut registry = Registry::default();
        let (view, agent_of) = (Arc::clone(&v), Arc::clone(&agent));
        let collector = ViewCollector { view, agent: agent_of, options, subjects: None };
        registry.register_collector(Box::new(collector));
        let mut whole = String::new();
        prometheus_client::encoding::text::encode(&mut whole, &registry).unwrap();
        let ours = encode(&v, &agent, &options, Format::OpenMetrics);
        let ours = std::str::from_utf8(&ours).unwrap();
        for (ours, crates) in ours.lines().zip(whole.lines()) {
            assert_eq!(ours, crates);
        }
        assert_eq!(ours.len(), whole.len());
    }
}

#[test]
fn small_view_encodes_to_the_golden_text() {
    let options = MetricsOptions::default();
    for (format, file) in [(Format::OpenMetrics, "openmetrics"), (Format::Prometheus, "prometheus")] {
        let got = text(view(vec![healthy_pod("shop", "cart-2")]), &options, format);
        let path = format!("{}/src/metrics/golden.{file}.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("NETWHY_BLESS").is_some() {
            std::fs::write(&path, &got).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap();
        let differs = golden.lines().zip(got.lines()).find(|(a, b)| a != b);
        assert!(golden == got, "{path} differs (NETWHY_BLESS=1 writes it anew); first difference: {differs:?}");
    }
}

#[test]
fn subject_that_left_the_view_has_no_series() {
    let before = samples(rich(), &MetricsOptions::default());
    assert!(of_pod(&before, "payment-1") > 0);
    let mut later = rich();
    later.subjects.remove(0);
    let after = samples(later, &MetricsOptions::default());
    assert_eq!(of_pod(&after, "payment-1"), 0);
    assert_eq!(of_pod(&after, "cart-2"), of_pod(&before, "cart-2"));
}

#[test]
fn absent_is_not_zero() {
    let idle = samples(view(vec![pod("shop", "idle-3")]), &MetricsOptions::default());
    assert_eq!(of_pod(&idle, "idle-3"), 0, "no traffic and no controllers make no series");
    let mut healthy = view(vec![healthy_pod("shop", "cart-2")]);
    healthy.hz = None;
    let s = samples(healthy, &MetricsOptions::default());
    assert!(!s.keys().any(|k| k.starts_with("netwhy_tcp_limited_seconds")), "unknown jiffies are no seconds");
    assert!(!s.keys().any(|k| k.contains("peer=\"external\"")), "a class without traffic has no series");
    let cart = r#"{namespace="shop",pod="cart-2",workload="Deployment/payment""#;
    assert_eq!(s[&format!("netwhy_oom_kills_total{cart}}}")], 0.0);
    assert_eq!(s[&format!("netwhy_tcp_loss_episodes_total{cart},peer=\"in_cluster\"}}")], 0.0);
}

#[test]
fn values_have_base_units() {
    let s = samples(view(vec![healthy_pod("shop", "cart-2")]), &MetricsOptions::default());
    let cart = r#"{namespace="shop",pod="cart-2",workload="Deployment/payment""#;
    assert_eq!(s[&format!("netwhy_tcp_min_rtt_seconds{cart},peer=\"in_cluster\"}}")], 0.000_06);
    assert_eq!(s[&format!("netwhy_tcp_rtt_seconds_sum{cart},peer=\"in_cluster\"}}")], 0.001_36);
    assert_eq!(s[&format!("netwhy_cpu_throttled_seconds_total{cart}}}")], 1.5);
    for (by, seconds) in [("receiver", 0.2), ("send_buffer", 0.1), ("network", 0.9)] {
        assert_eq!(s[&format!("netwhy_tcp_limited_seconds_total{cart},by=\"{by}\"}}")], seconds);
    }
    assert_eq!(s[r#"netwhy_node_packet_drops_total{reason="no_socket"}"#], 11.0);
    assert_eq!(s[r#"netwhy_node_packet_drops_total{reason="200"}"#], 1.0);
}

#[test]
fn label_values_survive_quotes_and_backslashes_and_show_hidden_characters() {
    let nasty = &format!("a\"b\\c\nd\\n# TYPE x counter\n# EOF{}", crate::text::tests::mark());
    let shown = crate::text::printable(nasty);
    let mut subject = healthy_pod(nasty, "x");
    subject.id.workload = nasty.as_str().into();
    for format in [Format::OpenMetrics, Format::Prometheus] {
        let text = text(view(vec![subject.clone()]), &MetricsOptions::default(), format);
        crate::text::tests::assert_safe("metrics", &text);
        let s = read(&text, format);
        let series = format!("netwhy_tcp_segments_sent_total{{namespace=\"{shown}\",pod=\"x\",workload=\"{shown}\"}}");
        assert_eq!(s[&series], 1000.0);
    }
}

#[test]
fn series_per_pod_stay_within_the_budget() {
    let count = |subject: SubjectView| {
        let name = subject.id.name.clone();
        of_pod(&samples(view(vec![subject]), &MetricsOptions::default()), &name)
    };
    // A server with one class of peers, a CPU limit, every controller and no faults.
    assert_eq!(count(healthy_pod("shop", "cart-2")), 37);
    // The same that also calls: one class of peers, then two.
    let mut typical = healthy_pod("shop", "web-4");
    typical.sums.connects.durations[0] = histogram(&[250, 400]);
    let tally = Tally { connects: [30, 10], ..healthy_tally() };
    typical.sums.totals[PeerClass::InCluster as usize] = Some(Box::new(tally.clone()));
    assert_eq!(count(typical.clone()), 46);
    typical.sums.totals[PeerClass::SameNode as usize] = Some(Box::new(tally));
    typical.min_rtt_us[PeerClass::SameNode as usize] = Some(60);
    assert_eq!(count(typical), 60);
    // A Pod of one class of peers whose DNS lookups are looked at.
    let mut resolving = healthy_pod("shop", "web-5");
    let lookups = busy_pod("shop", "payment-1").sums.lookups;
    resolving.sums.lookups = Lookups { codes: [4, 0, 0, 0, 0], second_missing: 0, ..lookups };
    assert_eq!(count(resolving), 37 + 8);
    // The same under CPU pressure.
    let mut starved = healthy_pod("shop", "web-6");
    starved.sums.run_queue = busy_pod("shop", "payment-1").sums.run_queue;
    assert_eq!(count(starved), 37 + 7);
    // A server of one class of peers whose response times are measured; the same that also calls.
    let mut serving = healthy_pod("shop", "web-7");
    serving.sums.add_responses(Role::Server, PeerClass::InCluster, &responses(Role::Server));
    assert_eq!(count(serving.clone()), 37 + 12);
    let responses = Responses { retransmission_us: 0, ..responses(Role::Client) };
    serving.sums.add_responses(Role::Client, PeerClass::InCluster, &responses);
    assert_eq!(count(serving), 37 + 12 + 11);
    // Everything at once: both roles, two classes of peers, every fault and label value.
    assert_eq!(count(busy_pod("shop", "payment-1")), 107 + 41 + 27 + 17);
}

#[test]
fn stages_add_up_to_the_response_times() {
    let s = samples(rich(), &MetricsOptions::default());
    let sum = |metric: &str, role: &str| -> f64 {
        let role = format!("role=\"{role}\"");
        let of = |key: &&String| key.starts_with(metric) && key.contains(&role) && !key.contains("stage=\"handshake\"");
        s.iter().filter(|(key, _)| of(key)).map(|(_, value)| value).sum()
    };
    for role in ["client", "server"] {
        let whole = sum("netwhy_tcp_response_seconds_sum", role);
        assert!(whole > 24.0, "{role}: two classes, one request of 12 s each: {whole}");
        assert!((sum("netwhy_tcp_response_wait_seconds_total", role) - whole).abs() < 1e-9, "{role}: {whole}");
    }
}

#[test]
fn quietest_subjects_are_summed_up_when_the_limit_is_reached() {
    let mut subjects: Vec<SubjectView> = (0..10).map(|i| healthy_pod("shop", &format!("p-{i}"))).collect();
    for (i, subject) in subjects.iter_mut().enumerate() {
        subject.sums.totals[PeerClass::InCluster as usize].as_mut().unwrap().segs_out = 1000 + i as u64;
    }
    let all = samples(view(subjects.clone()), &MetricsOptions::default());
    let options = MetricsOptions { max_series: 37 * 4, ..MetricsOptions::default() };
    let some = samples(view(subjects.clone()), &options);
    assert_eq!(some["netwhy_agent_folded_subjects"], 7.0);
    assert_eq!(all["netwhy_agent_folded_subjects"], 0.0);
    assert_eq!(of_pod(&some, "p-0"), 0);
    assert_eq!(of_pod(&some, "p-9"), 37);
    let sum = |s: &check::Samples, metric: &str| -> f64 {
        s.iter().filter(|(k, _)| k.starts_with(metric)).map(|(_, v)| v).sum()
    };
    for metric in ["netwhy_tcp_rtt_seconds_bucket", "netwhy_tcp_segments_sent_total", "netwhy_cpu_periods_total"] {
        assert_eq!(sum(&all, metric), sum(&some, metric), "{metric}");
    }
    assert_eq!(some[r#"netwhy_tcp_segments_sent_total{namespace="~other",pod="~other"}"#], 7000.0);
    let none = samples(view(subjects), &MetricsOptions { max_series: 0, ..options });
    assert_eq!(none["netwhy_agent_folded_subjects"], 10.0);
}

#[test]
fn labels_can_be_switched_off_without_losing_samples() {
    let options = MetricsOptions { workload: false, peer: false, ..MetricsOptions::default() };
    let s = samples(rich(), &options);
    let subject = r#"{namespace="shop",pod="payment-1"}"#;
    assert_eq!(s[&format!("netwhy_tcp_rtt_seconds_count{subject}")], 10.0);
    assert_eq!(s[&format!("netwhy_tcp_loss_episodes_total{subject}")], 8.0);
    assert_eq!(s[&format!("netwhy_tcp_min_rtt_seconds{subject}")], 0.000_06);
    assert!(!s.keys().any(|k| k.contains("peer=\"")));
}

#[test]
fn subjects_of_one_name_share_their_series() {
    let mut twin = healthy_pod("system.slice", "nginx");
    twin.id.kind = crate::state::SubjectKind::Unit;
    let s = samples(view(vec![healthy_pod("system.slice", "nginx"), twin]), &MetricsOptions::default());
    let series =
        r#"netwhy_tcp_segments_sent_total{namespace="system.slice",pod="nginx",workload="Deployment/payment"}"#;
    assert_eq!(s[series], 2000.0);
}

#[test]
fn firing_hints_are_gauges_without_addresses_and_resolved_ones_are_gone() {
    let mut v = rich();
    let mut twin = v.hints[0].clone();
    twin.blame.name = "192.0.2.8".into();
    twin.confidence = 0.95;
    let mut resolved = hint("shop", "cart-2", "peer_slow");
    resolved.state = crate::api::HintState::Resolved;
    v.hints.extend([twin, resolved]);
    let hints: Vec<_> =
        samples(v, &MetricsOptions::default()).into_iter().filter(|(k, _)| k.starts_with("netwhy_hint{")).collect();
    assert_eq!(hints.len(), 1);
    assert!(hints[0].0.contains(r#"blame="~address""#), "{hints:?}");
    assert_eq!(hints[0].1, 0.95);
}

#[test]
fn empty_view_is_a_valid_exposition() {
    for format in [Format::OpenMetrics, Format::Prometheus] {
        let bytes = encode(&Arc::default(), &Arc::default(), &MetricsOptions::default(), format);
        let s = read(std::str::from_utf8(&bytes).unwrap(), format);
        assert_eq!(s[r#"netwhy_agent_samples_total"#], 0.0);
    }
}

#[test]
fn accept_queues_are_absent_while_their_probe_is_not_attached() {
    let exported = |state: ProbeState| {
        let probe = ProbeStatus { name: "accept_queue".into(), state, ..ProbeStatus::default() };
        let stats = AgentStats { probes: vec![probe], ..agent() };
        let bytes = encode(&Arc::new(rich()), &Arc::new(stats), &MetricsOptions::default(), Format::OpenMetrics);
        let samples = read(std::str::from_utf8(&bytes).unwrap(), Format::OpenMetrics);
        ["netwhy_tcp_accept_queue_overflows_total{", "netwhy_tcp_accept_queue_fill_ratio{"]
            .map(|metric| samples.keys().any(|series| series.starts_with(metric)))
    };
    for state in [ProbeState::Ok, ProbeState::Degraded] {
        assert_eq!(exported(state), [true; 2], "{state:?}");
    }
    for state in [ProbeState::Off, ProbeState::Unsupported, ProbeState::Broken] {
        assert_eq!(exported(state), [false; 2], "{state:?}");
    }
}

#[test]
fn fill_of_an_accept_queue_needs_a_listener_and_a_walk() {
    let fill = |subject: SubjectView| {
        let all = samples(view(vec![subject]), &MetricsOptions::default());
        let mut series = all.into_iter().filter(|(key, _)| key.starts_with("netwhy_tcp_accept_queue_fill_ratio"));
        series.next().map(|(_, value)| value)
    };
    let listener = |accept_fill| SubjectView { accept_fill, ..healthy_pod("shop", "cart-2") };
    assert_eq!(fill(listener(Some(10_000))), Some(1.0));
    assert_eq!(fill(listener(Some(0))), Some(0.0));
    assert_eq!(fill(listener(None)), None, "no walk yet");
    let other = |accept_fill| SubjectView { accept_fill, ..pod("shop", "idle-3") };
    assert_eq!(fill(other(Some(0))), None, "a Pod that does not listen");
    assert_eq!(fill(other(Some(5_000))), Some(0.5), "a Pod that has accepted nothing yet");
}
