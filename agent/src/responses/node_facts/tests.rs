use super::*;
use crate::metrics::fixture;

#[test]
fn each_fact_has_a_value_or_a_state_with_the_reason() {
    let mut view = fixture::view(vec![fixture::healthy_pod("shop", "payment-1")]);
    let host = view.host.insert(fixture::host());
    host.facts = [
        NodeFact { name: "kernel", on: None, value: Ok("6.8.0".to_owned()), unit: None },
        NodeFact { name: "uptime", on: None, value: Ok("60".to_owned()), unit: Some("seconds") },
        NodeFact { name: "rx_ring", on: Some("eth0".into()), value: Err(State::Absent), unit: None },
        NodeFact { name: "offloads", on: Some("eth0".into()), value: Err(State::Broken("EIO".into())), unit: None },
    ]
    .into();
    let rows = facts(&view);
    let of = |name: &str| rows.iter().find(|row| row.fact == name).unwrap_or_else(|| panic!("no {name} in {rows:?}"));
    let value = |name: &str| of(name).value.as_deref();
    assert_eq!((value("kernel"), value("pods"), value("driver_version")), (Some("6.8.0"), Some("1"), Some("5.1.0")));
    assert_eq!((of("uptime").unit.as_deref(), of("pods").unit.as_deref()), (Some("seconds"), Some("Pods")));
    assert_eq!((value("rx_ring"), of("rx_ring").state.as_str(), &of("rx_ring").why), (None, "absent", &None));
    assert_eq!((of("offloads").state.as_str(), of("offloads").why.as_deref()), ("broken", Some("EIO")));
    assert_eq!((of("firmware").state.as_str(), of("firmware").on.as_deref()), ("absent", Some("eth0")));
    view.host = None;
    assert_eq!(facts(&view), [], "not read");
}

#[test]
fn a_qdisc_that_could_not_be_read_is_not_absent() {
    let mut view = fixture::view(vec![]);
    let host = view.host.insert(fixture::host());
    host.devices[0].qdisc = None;
    let rows = facts(&view);
    let qdisc = rows.iter().find(|row| row.fact == "qdisc").unwrap();
    assert_eq!((qdisc.state.as_str(), qdisc.value.as_deref()), ("broken", None));
    assert!(qdisc.why.as_deref().unwrap().contains("rtnetlink"));
}
