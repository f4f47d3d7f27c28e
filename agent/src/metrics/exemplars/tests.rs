use super::*;
use crate::{
    metrics::{
        Format, MetricsOptions,
        check::{self, read},
        encode,
        fixture::{agent, busy_pod, healthy_pod, hint, responses, view},
    },
    state::ResponseView,
};
use std::sync::Arc;

/// The exposition of a busy Pod of which this hint is told. Its only edge leads to 10.0.0.9 on node-b.
fn text(cause: &str, change: impl FnOnce(&mut NodeView), format: Format) -> String {
    let mut v = view(vec![busy_pod("shop", "payment-1"), healthy_pod("shop", "cart-2")]);
    let mut about = hint("shop", "payment-1", cause);
    about.id = "00c0ffee00c0ffee".into();
    about.blame = Blame::named(BlameKind::PeerNode, "node-b", 0.95);
    v.hints = vec![about];
    let edge = v.edges.iter_mut().find(|edge| edge.subject.name == "payment-1").unwrap();
    edge.role = Some(Role::Client);
    edge.responses = Some(Box::new(ResponseView { window: responses(Role::Client), ..ResponseView::default() }));
    change(&mut v);
    let bytes = encode(&Arc::new(v), &Arc::new(agent()), &MetricsOptions::default(), format);
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Lines with an exemplar, up to the value, and the exemplar's value.
fn exemplars(cause: &str, change: impl FnOnce(&mut NodeView)) -> Vec<(String, f64)> {
    let text = text(cause, change, Format::OpenMetrics);
    read(&text, Format::OpenMetrics);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let of = |line: &str| {
        let exemplar = check::sample(line).exemplar?;
        assert_eq!(exemplar.labels, [("hint_id", "00c0ffee00c0ffee".to_owned())], "{line}");
        assert_eq!(exemplar.at, 1_767_225_600.0, "{line}");
        let series = line.split_once("} ").map_or(line, |(series, _)| series);
        assert!(series.contains("namespace=\"shop\",pod=\"payment-1\""), "{line}");
        Some((series.split_once("namespace=").map_or(series, |(name, _)| name).to_owned(), exemplar.value))
    };
    lines.filter_map(of).collect()
}

fn names(found: &[(String, f64)]) -> Vec<&str> {
    found.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn losses_stand_at_episodes_and_retransmissions_of_their_class_alone() {
    for cause in ["node_packet_loss", "path_loss", "node_nic_drops", "path_mtu_blackhole"] {
        let found = exemplars(cause, |_| ());
        let retransmits = found.iter().filter(|(name, _)| name.starts_with("netwhy_tcp_retransmitted")).count();
        let episodes = found.iter().filter(|(name, _)| name.starts_with("netwhy_tcp_loss_episodes_total{"));
        // Of both classes with traffic, the edge is of one. What was sent for nothing was not lost.
        assert_eq!(episodes.map(|(_, n)| *n).collect::<Vec<_>>(), [8.0], "{cause}: {found:?}");
        assert_eq!(
            (retransmits, found.len()),
            (Retransmit::ALL.len() - 1, Retransmit::ALL.len()),
            "{cause}: {found:?}"
        );
    }
}

#[test]
fn longer_paths_stand_at_the_rtts_bucket() {
    let found = exemplars("path_latency", |_| ());
    assert_eq!(names(&found), ["netwhy_tcp_rtt_seconds_bucket{le=\"0.001\","], "{found:?}");
    assert!((0.000_8..0.001).contains(&found[0].1), "{found:?}");
}

#[test]
fn slow_answers_stand_at_the_end_that_the_hint_is_about() {
    for cause in ["peer_slow", "peer_not_answering"] {
        let found = exemplars(cause, |_| ());
        // The slowest of five took 12 s; times above 10 s count as 10 s.
        assert_eq!(names(&found), ["netwhy_tcp_response_seconds_bucket{le=\"+Inf\","], "{cause}: {found:?}");
        assert!(found[0].1 > 1.0, "{found:?}");
    }
    assert!(exemplars("pod_application_slow", |_| ()).is_empty(), "its edge is a client's");
    for cause in ["pod_application_slow", "pod_not_reading", "pod_cpu_throttled", "node_memory_pressure"] {
        let found = exemplars(cause, |v| {
            let served = Some(Box::new(ResponseView { window: responses(Role::Server), ..ResponseView::default() }));
            v.hints[0].blame = Blame::named(BlameKind::Pod, "shop/payment-1", 0.9);
            (v.edges[0].role, v.edges[0].responses) = (Some(Role::Server), served);
        });
        assert_eq!(found.len(), 1, "{cause}: {found:?}");
    }
}

#[test]
fn other_peers_other_causes_and_resolved_hints_have_none() {
    assert!(exemplars("dns_slow", |_| ()).is_empty());
    assert!(exemplars("no_such_cause", |_| ()).is_empty());
    assert!(exemplars("path_loss", |v| v.hints[0].state = HintState::Resolved).is_empty());
    assert!(exemplars("path_loss", |v| v.hints[0].subject.kind = "Node".into()).is_empty());
    assert!(exemplars("path_loss", |v| v.hints[0].subject.namespace = "other".into()).is_empty());
    assert!(exemplars("path_loss", |v| v.hints[0].blame.name = "node-c".into()).is_empty());
    assert!(exemplars("path_loss", |v| v.hints[0].blame.kind = BlameKind::External).is_empty());
    assert!(exemplars("path_loss", |v| v.edges.clear()).is_empty());
}

#[test]
fn peer_without_a_name_goes_by_its_address() {
    for (name, is_it) in [("10.0.0.9", true), ("10.0.0.9:8080", true), ("10.0.0.8", false), ("shop/db", false)] {
        let blame = Blame::named(BlameKind::PeerPod, name, 0.95);
        let found = exemplars("path_loss", |v| v.hints[0].blame = blame);
        assert_eq!(!found.is_empty(), is_it, "{name}");
    }
}

#[test]
fn prometheus_text_has_none() {
    let text = text("path_loss", |_| (), Format::Prometheus);
    assert!(!text.contains("00c0ffee00c0ffee") && !text.contains(" # {"));
    read(&text, Format::Prometheus);
}

#[test]
fn label_is_bounded_and_escaped() {
    let with = |id: &str| text("path_loss", |v| v.hints[0].id = id.to_owned(), Format::OpenMetrics);
    let fits = "x".repeat(MAX_LABEL_CHARS - LABEL.len());
    assert!(with(&fits).contains(&format!(" # {{hint_id=\"{fits}\"}} ")));
    for refused in [format!("{fits}x"), String::new()] {
        assert!(!with(&refused).contains(" # {"), "{refused}");
    }
    let nasty = with("a\"b\\c\nd");
    assert!(nasty.contains(r#" # {hint_id="a\"b\\c\\nd"} "#), "{nasty}");
    read(&nasty, Format::OpenMetrics);
}

/// The crate writes exemplars of metrics that keep them; ours look the same.
#[test]
fn it_reads_as_the_crates_own() {
    use prometheus_client::{encoding::text, metrics::exemplar::CounterWithExemplar, registry::Registry};
    let counter: CounterWithExemplar<Vec<(String, String)>> = CounterWithExemplar::default();
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_767_225_600_500);
    counter.inc_by(8, Some(vec![("hint_id".into(), "00c0ffee00c0ffee".into())]), Some(at));
    let mut registry = Registry::default();
    registry.register("losses", "Losses", counter);
    let mut crates = String::new();
    text::encode_registry(&mut crates, &registry).unwrap();
    let mut ours = "losses_total 8".to_owned();
    Exemplar { hint_id: "00c0ffee00c0ffee", value: 8.0, at: 1_767_225_600.5 }.write(&mut ours).unwrap();
    assert_eq!(crates.lines().last(), Some(ours.as_str()));
}

#[test]
fn nothing_is_allocated_while_nothing_fires() {
    let mut v = view(vec![busy_pod("shop", "payment-1")]);
    v.hints.clear();
    let none = Exemplars::new(&v);
    assert_eq!(none.hints.capacity(), 0);
}
