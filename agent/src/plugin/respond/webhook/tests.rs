use super::*;
use serde_json::{Value, json};

/// A request of Alertmanager 0.25 with these alerts.
pub(in super::super) fn body(alerts: &[Value]) -> Value {
    json!({
        "receiver": "netwhy", "status": "firing", "alerts": alerts, "groupLabels": {}, "commonLabels": {},
        "commonAnnotations": {}, "externalURL": "http://am:9093", "version": "4",
        "groupKey": "{}:{alertname=\"X\"}", "truncatedAlerts": 0
    })
}

/// An alert with these labels.
pub(in super::super) fn alert(status: &str, labels: &[(&str, &str)]) -> Value {
    let labels: Labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    json!({
        "status": status, "labels": labels, "annotations": {"summary": "slow"}, "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prometheus/graph",
        "fingerprint": format!("{labels:?}")
    })
}

pub(in super::super) fn delivery(alerts: &[Value]) -> Delivery {
    read(body(alerts).to_string().as_bytes()).unwrap()
}

#[test]
fn a_request_of_alertmanager_is_read() {
    let labels = [("alertname", "PodSlow"), ("severity", "warning"), ("pod", "cart")];
    let read = delivery(&[alert("firing", &labels), alert("resolved", &labels), alert("firing", &[])]);
    assert_eq!(read.alerts.iter().map(Alert::fires).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(read.alerts[0].title(), "PodSlow (warning)");
    assert_eq!(read.alerts[2].title(), "an alert without a name");
    assert!(read.group_key.starts_with("{}:{"));
}

#[test]
fn other_versions_and_other_texts_are_refused() {
    let mut other = body(&[]);
    other["version"] = "5".into();
    assert_eq!(read(other.to_string().as_bytes()).unwrap_err(), "webhook of version \"5\": only version 4 is known");
    for text in ["", "[]", "{}", "{\"version\": 4}", "{\"version\":\"4\",\"alerts\":[{\"labels\":{\"a\":1}}]}"] {
        assert!(read(text.as_bytes()).unwrap_err().starts_with("not a webhook of Alertmanager: "), "{text}");
    }
}

#[test]
fn an_alert_is_known_by_its_group_and_fingerprint_else_by_its_labels() {
    let with = |fingerprint: &str, pod: &str| {
        let mut one = alert("firing", &[("pod", pod)]);
        one["fingerprint"] = fingerprint.into();
        delivery(&[one]).alerts.remove(0)
    };
    assert_eq!(with("f", "a").key("g"), with("f", "b").key("g"));
    assert_ne!(with("f", "a").key("g"), with("f", "a").key("h"));
    assert_ne!(with("f", "a").key("g"), with("e", "a").key("g"));
    assert_ne!(with("", "a").key("g"), with("", "b").key("g"));
    // Their border counts.
    assert_ne!(with("bc", "a").key("a"), with("c", "a").key("ab"));
}

#[test]
fn labels_are_bounded() {
    let long = "x".repeat(MAX_LABELS);
    let bounded = |value: &str| delivery(&[alert("firing", &[("a", value)])]).alerts[0].is_bounded();
    assert_eq!((bounded(&long[1..]), bounded(&long)), (true, false));
}
