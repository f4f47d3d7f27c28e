use super::{super::*, decode::*};
use crate::metrics::{
    check::{self, read},
    fixture::{agent, busy_pod, fine_histogram, healthy_pod, hint, histogram, pod, view},
};
use netwhy_abi::{PeerClass, Role};
use std::collections::BTreeMap;

fn decoded(view: NodeView, options: &MetricsOptions) -> Vec<Family> {
    families(&encode(&Arc::new(view), &Arc::new(agent()), options, Format::Protobuf))
}

fn rich() -> NodeView {
    view(vec![busy_pod("shop", "payment-1"), healthy_pod("shop", "cart-2"), pod("shop", "idle-3")])
}

fn text(view: NodeView, options: &MetricsOptions) -> String {
    let bytes = encode(&Arc::new(view), &Arc::new(agent()), options, Format::OpenMetrics);
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The histograms of one family, with their labels.
fn histograms<'a>(families: &'a [Family], name: &str) -> Vec<(&'a Metric, &'a Histogram)> {
    let family = families.iter().find(|family| family.name == name).unwrap();
    let of = |metric: &'a Metric| match &metric.value {
        Value::Histogram(histogram) => (metric, histogram),
        other => panic!("{name}: {other:?}"),
    };
    family.metrics.iter().map(of).collect()
}

#[test]
fn protobuf_holds_the_samples_of_the_texts() {
    for (fine_rtt, peer, semconv) in [(false, true, true), (true, true, false), (false, false, false)] {
        let options = MetricsOptions { fine_rtt, peer, semconv, ..MetricsOptions::default() };
        let protobuf = samples(&decoded(rich(), &options));
        let openmetrics = read(&text(rich(), &options), Format::OpenMetrics);
        for (series, value) in &openmetrics {
            assert_eq!(protobuf.get(series), Some(value), "{series}");
        }
        assert_eq!(protobuf.len(), openmetrics.len());
    }
}

#[test]
fn families_have_the_declared_names_types_and_units() {
    let families = decoded(rich(), &MetricsOptions::default());
    let metrics: Vec<&MetricDef> = METRICS.into_iter().flatten().collect();
    assert_eq!(families.len(), metrics.len());
    for (family, metric) in families.iter().zip(metrics) {
        assert_eq!((family.name.as_str(), family.help.as_str()), (metric.name, metric.help));
        let fits = family.metrics.iter().all(|one| match one.value {
            Value::Counter(..) => (metric.kind, family.kind) == (Kind::Counter, 0),
            Value::Gauge(_) => (metric.kind, family.kind) == (Kind::Gauge, 1),
            Value::Histogram(_) => (metric.kind, family.kind) == (Kind::Histogram, 4),
        });
        assert!(fits && !family.metrics.is_empty(), "{family:?}");
        assert_eq!(family.unit, metric.unit.map_or("", BaseUnit::label), "{}", metric.name);
        // Prometheus refuses a scrape with a unit that is no suffix of the name.
        let ends = metric.name.trim_end_matches("_total").ends_with(&format!("_{}", family.unit));
        assert!(family.unit.is_empty() || ends, "{}", metric.name);
    }
}

#[test]
fn every_histogram_is_native_and_holds_each_sample_once() {
    let families = decoded(rich(), &MetricsOptions::default());
    for family in families.iter().filter(|family| family.kind == 4) {
        for (metric, of) in histograms(&families, &family.name) {
            let sum = of.native.values().sum::<i64>() as u64 + of.zero.1;
            assert_eq!(sum, of.count, "{}: {metric:?}", family.name);
            assert_eq!(of.zero.0, 10e-6);
            let (last, cumulative, _) = of.classic.last().unwrap();
            assert!(last.is_infinite() && *cumulative == of.count, "{}: {metric:?}", family.name);
        }
    }
}

#[test]
fn samples_are_in_the_bucket_nearest_to_theirs() {
    let mut subject = healthy_pod("shop", "cart-2");
    let rtts = [4, 10, 11, 600, 600, 1_900_000, 12_000_000];
    subject.sums.totals[PeerClass::InCluster as usize].as_mut().unwrap().rtt = histogram(&rtts);
    let times = crate::sample::Responses { durations: fine_histogram(&[990_000, 1_010_000]), ..Default::default() };
    subject.sums.add_responses(Role::Server, PeerClass::InCluster, &times);
    let families = decoded(view(vec![subject]), &MetricsOptions::default());
    let [(_, rtt)] = histograms(&families, "netwhy_tcp_rtt_seconds")[..] else { panic!("one class of peers") };
    let filled = |of: &Histogram| -> Vec<(i64, i64)> {
        of.native.iter().filter(|(_, n)| **n > 0).map(|(index, n)| (*index, *n)).collect()
    };
    // Bucket i of schema 3 ends at 2^(i/8): 11.77 µs, 0.581 ms (the kernel's is 0.5 … 0.6 ms), 2 s, 11.3 s.
    assert_eq!((rtt.schema, rtt.zero.1), (3, 2));
    assert_eq!(filled(rtt), [(-131, 1), (-86, 2), (8, 1), (28, 1)]);
    let [(_, responses)] = histograms(&families, "netwhy_tcp_response_seconds")[..] else { panic!("one role") };
    // Of schema 4 at 2^(i/16). The kernel's buckets are 0.939 … 1 s and 1 … 1.07 s.
    assert_eq!(responses.schema, 4);
    assert_eq!(filled(responses), [(0, 1), (1, 1)]);
}

#[test]
fn counts_of_native_buckets_never_fall() {
    let mut before = BTreeMap::new();
    let mut all = Vec::new();
    for round in 0..200u32 {
        all.push(round.wrapping_mul(2_654_435_761) % 3_000_000);
        let mut subject = healthy_pod("shop", "cart-2");
        subject.sums.totals[PeerClass::InCluster as usize].as_mut().unwrap().rtt = histogram(&all);
        let families = decoded(view(vec![subject]), &MetricsOptions::default());
        let now = histograms(&families, "netwhy_tcp_rtt_seconds")[0].1.native.clone();
        for (index, count) in &before {
            assert!(now.get(index).copied().unwrap_or(0) >= *count, "{round}: {index}");
        }
        before = now;
    }
}

#[test]
fn exemplars_are_those_of_openmetrics() {
    for cause in ["path_loss", "path_latency"] {
        let mut v = rich();
        v.hints = vec![hint("shop", "payment-1", cause)];
        v.hints[0].id = "00c0ffee00c0ffee".into();
        v.hints[0].blame = crate::api::Blame::named(crate::api::BlameKind::PeerNode, "node-b", 0.95);
        let lines = text(v.clone(), &MetricsOptions::default());
        let samples = lines.lines().filter(|line| !line.starts_with('#')).map(check::sample);
        let expected: Vec<(String, f64)> =
            samples.filter_map(|sample| Some((sample.name.to_owned(), sample.exemplar?.value))).collect();
        let mut got = Vec::new();
        for family in decoded(v, &MetricsOptions::default()) {
            for metric in family.metrics {
                let (suffix, exemplars) = match metric.value {
                    Value::Counter(_, exemplar) => ("", exemplar.into_iter().collect()),
                    Value::Gauge(_) => continue,
                    Value::Histogram(of) => {
                        let classic = of.classic.into_iter();
                        ("_bucket", classic.filter_map(|(_, _, exemplar)| exemplar).collect::<Vec<_>>())
                    }
                };
                for exemplar in exemplars {
                    assert_eq!(exemplar.labels, [("hint_id".to_owned(), "00c0ffee00c0ffee".to_owned())]);
                    assert_eq!(exemplar.at, (1_767_225_600, 0));
                    got.push((format!("{}{suffix}", family.name), exemplar.value));
                }
            }
        }
        assert!(!expected.is_empty(), "{cause}");
        assert_eq!(got, expected, "{cause}");
    }
}

#[test]
fn label_values_need_no_quotes_and_hidden_characters_show() {
    let nasty = &format!("a\"b\\c\nd{}", crate::text::tests::mark());
    let families = decoded(view(vec![healthy_pod(nasty, "x")]), &MetricsOptions::default());
    let labels = histograms(&families, "netwhy_tcp_rtt_seconds")[0].0.labels.clone();
    assert_eq!(labels[0], ("namespace".to_owned(), crate::text::printable(nasty).into_owned()));
    assert!(labels[0].1.starts_with("a\"b\\c\\nd"), "{labels:?}");
}

#[test]
fn family_has_the_bytes_that_the_schema_says() {
    let metric = METRICS.into_iter().flatten().find(|metric| metric.name == "netwhy_agent_scrapes_total").unwrap();
    let mut out = Vec::new();
    super::family(&mut out, metric, |out| {
        super::metric(out, &[], &[("a", "b"), ("none", "")], |out| super::counter(out, 1.0, None));
        Ok(())
    })
    .unwrap();
    // Name, help, type, a metric with one label and a counter of 1.
    let mut expected = vec![0x0a, metric.name.len() as u8];
    expected.extend_from_slice(metric.name.as_bytes());
    expected.extend_from_slice(&[0x12, metric.help.len() as u8]);
    expected.extend_from_slice(metric.help.as_bytes());
    expected.extend_from_slice(b"\x18\x00\x22\x13\x0a\x06\x0a\x01a\x12\x01b\x1a\x09\x09\0\0\0\0\0\0\xf0\x3f");
    assert_eq!(&out[1..], expected.as_slice());
    assert_eq!(usize::from(out[0]), expected.len());
    super::family(&mut out, metric, |_| Ok(())).unwrap();
    assert_eq!(out.len(), 1 + expected.len(), "a family without metrics is none");
}

#[test]
fn empty_view_is_a_valid_exposition() {
    let bytes = encode(&Arc::default(), &Arc::default(), &MetricsOptions::default(), Format::Protobuf);
    assert_eq!(samples(&families(&bytes))["netwhy_agent_samples_total"], 0.0);
}
