use super::{
    super::webhook::tests::{alert, body, delivery},
    *,
};
use std::time::Duration;

fn plan(alerts: &[serde_json::Value], seen: &Seen) -> Plan {
    Plan::new(delivery(alerts), seen, Naming::Kubernetes, Instant::now())
}

fn seen() -> Seen {
    Seen::new(Duration::from_secs(3600))
}

#[test]
fn alerts_about_one_object_share_a_look_up() {
    let about = |name: &str, pod: &str| alert("firing", &[("alertname", name), ("namespace", "shop"), ("pod", pod)]);
    let plan = plan(&[about("Slow", "cart"), about("Lossy", "cart"), about("Slow", "web")], &seen());
    let shown: Vec<(String, usize)> =
        plan.jobs.iter().map(|job| (job.candidates[0].shown(), job.alerts.len())).collect();
    assert_eq!(shown, [("Pod shop/cart".to_owned(), 2), ("Pod shop/web".to_owned(), 1)]);
    assert_eq!(plan.jobs[0].alerts[1].title, "Lossy");
    assert_eq!(plan.left_out(), 0);
}

#[test]
fn alerts_that_are_over_repeated_or_about_nothing_are_no_look_up() {
    let labels = [("alertname", "Slow"), ("namespace", "shop"), ("pod", "cart")];
    let mut seen = seen();
    let known = delivery(&[alert("firing", &labels)]);
    seen.add(known.alerts[0].key(&known.group_key), known.alerts[0].begin(), Instant::now());
    let plan = plan(
        &[alert("firing", &labels), alert("resolved", &labels), alert("firing", &[("alertname", "Watchdog")])],
        &seen,
    );
    assert!(plan.jobs.is_empty());
    assert_eq!(
        (plan.over.len(), plan.others.as_slice()),
        (1, &[(Count::AlertLeftOut, 0), (Count::AlertRepeated, 1), (Count::AlertWithoutTarget, 1)][..])
    );
    let counts = Counts::default();
    plan.count(&counts);
    let text = counts.text(0);
    for result in ["repeated", "resolved", "no_target"] {
        assert!(text.contains(&format!("netwhy_respond_alerts_total{{result=\"{result}\"}} 1\n")), "{text}");
    }
}

#[test]
fn one_request_has_a_bounded_number_of_look_ups_and_alerts() {
    let pod = |name: String, alertname: String| {
        alert("firing", &[("alertname", &alertname), ("namespace", "shop"), ("pod", &name)])
    };
    let many: Vec<_> = (0..MOST_JOBS + 10).map(|n| pod(format!("p{n}"), "Slow".into())).collect();
    let wide = plan(&many, &seen());
    assert_eq!((wide.jobs.len(), wide.left_out()), (MOST_JOBS, 10));
    let same: Vec<_> = (0..MOST_ALERTS + 5).map(|n| pod("cart".into(), format!("A{n}"))).collect();
    let deep = plan(&same, &seen());
    assert_eq!((deep.jobs.len(), deep.jobs[0].alerts.len(), deep.left_out()), (1, MOST_ALERTS, 5));
    let long = plan(&[alert("firing", &[("pod", "cart"), ("x", &"y".repeat(5000))])], &seen());
    assert_eq!((long.jobs.len(), long.left_out()), (0, 1));
}

#[test]
fn a_number_of_alerts_that_alertmanager_left_out_can_be_any() {
    let long = "x".repeat(5000);
    let mut request = body(&[alert("firing", &[("pod", &long)])]);
    request["truncatedAlerts"] = u64::MAX.into();
    let delivery = crate::plugin::respond::webhook::read(request.to_string().as_bytes()).unwrap();
    let plan = Plan::new(delivery, &seen(), Naming::Kubernetes, Instant::now());
    assert_eq!(plan.left_out(), u64::MAX);
}
